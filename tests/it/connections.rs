//! How many connections to WeChat a request makes. Each costs two round trips before anything is asked, and a stranger
//! must not be able to have them made.

#![expect(clippy::unwrap_used, reason = "the helpers of these tests fail as the tests do")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use harness::{
    Options, Stack,
    browser::Visit,
    places::{
        AUTHORIZE, AUTHORIZE_PROFILE, CALLBACK, FOLLOWER, PROFILE, REFRESH, STABLE_TOKEN, USERINFO, callback,
        parameter,
    },
    stack::PAGE_ORIGIN,
};
use simulator::{Action, Settings, Simulator};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::allow;

/// A stack whose connections to WeChat are counted.
struct Counted {
    stack: Stack,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Counted {
    async fn start(options: Options) -> Self {
        let simulator = Simulator::new(Settings::example());
        let (inside, outside) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let (target, url) =
            (inside.local_addr().unwrap(), format!("http://{}", outside.local_addr().unwrap()));
        let mut serving = JoinSet::new();
        let wechat = simulator.clone();
        serving.spawn(async move { wechat.serve(inside, std::future::pending()).await.unwrap() });
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        serving.spawn(async move {
            let mut carried = JoinSet::new();
            while let Ok((mut connection, _)) = outside.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                carried.spawn(async move {
                    let mut wechat = TcpStream::connect(target).await?;
                    copy_bidirectional(&mut connection, &mut wechat).await
                });
            }
        });
        let stack = Stack::start(options.simulator(simulator).with("WECHAT_API_URL", &url)).await.unwrap();
        allow(&stack);
        Self { stack, connections, _serving: serving }
    }

    /// How many there were since the last time.
    fn made(&self) -> usize {
        self.connections.swap(0, Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_makes_one_connection_to_wechat() {
    let counted = Counted::start(Options::default()).await;
    for link in [AUTHORIZE, AUTHORIZE_PROFILE] {
        let visitor = counted.stack.visitor("lin");
        let callback = visitor.come_back(link).await.unwrap();
        assert_eq!(counted.made(), 0, "{link}");
        visitor.follow(&callback).await.unwrap();
        assert_eq!(counted.made(), 1, "{link}");
        assert_eq!(visitor.userinfo().await.unwrap().status, 200);
        assert_eq!(counted.made(), 0, "{link}");
    }
    assert_eq!(counted.stack.requests(PROFILE).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unionid_is_asked_for_over_the_connection_that_is_there() {
    let counted = Counted::start(Options::default().with("SILENT_UNIONID", "true")).await;
    // The app's token is fetched over one of its own, the first time.
    for connections in [2, 1] {
        counted.stack.visitor("lin").log_in().await.unwrap();
        assert_eq!(counted.made(), connections);
    }
    assert_eq!(counted.stack.requests(STABLE_TOKEN).len(), 1);
    assert_eq!(counted.stack.requests(FOLLOWER).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_read_with_new_tokens_over_the_connection_that_brought_them() {
    let counted = Counted::start(Options::default().with("PROFILE_LIFETIME_SECONDS", "0")).await;
    let visitor = counted.stack.visitor("lin");
    visitor.follow(AUTHORIZE_PROFILE).await.unwrap();
    counted.stack.simulator().act(&Action::ExpireAccessTokens);
    counted.made();
    assert_eq!(visitor.userinfo().await.unwrap().status, 200);
    // The old token is refused over the first.
    assert_eq!(counted.made(), 2);
    assert_eq!(counted.stack.requests(REFRESH).len(), 1);
    let asked = Visit::fetch(http::Method::GET, &format!("{USERINFO}?verify=true"), PAGE_ORIGIN);
    assert_eq!(visitor.send(asked).await.unwrap().status, 200);
    assert_eq!(counted.made(), 1);
}

/// A connection costs WeChat as much as this side, and WeChat may hold a flood of them against the account.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_win_the_claim_makes_no_connection_to_wechat() {
    let counted = Counted::start(Options::default()).await;
    let [visitor, stranger, nobody] = ["lin", "mallory", "zhou"].map(|person| counted.stack.visitor(person));
    stranger.come_back(AUTHORIZE).await.unwrap();
    let address = visitor.come_back(AUTHORIZE).await.unwrap();
    let (state, made_up) = (parameter(&address, "state"), "0123456789abcdef0123456789abcdef");
    let [unknown, guessed] = [&"0".repeat(64), &state].map(|state| callback(made_up, state));
    let denied = format!("{CALLBACK}?state={state}");
    for (who, address) in
        [(&visitor, &unknown), (&nobody, &address), (&stranger, &guessed), (&visitor, &denied)]
    {
        who.open(address).await.unwrap();
        assert_eq!(counted.made(), 0, "{address}");
    }
    visitor.follow(&address).await.unwrap();
    assert_eq!(counted.made(), 1);
    for address in [address, guessed, callback(&"f".repeat(32), &state)] {
        visitor.open(&address).await.unwrap();
        assert_eq!(counted.made(), 0, "{address}");
    }
}
