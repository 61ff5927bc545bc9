//! §6.2, the authorize page.

use axum::http::StatusCode;

use super::*;
use crate::{AppKind, Consent, Denial, DuplicateCallback, Snapshot};

fn base() -> String {
    authorize_url(CALLBACK, "snsapi_base", "abc123")
}

fn profile() -> String {
    authorize_url(CALLBACK, "snsapi_userinfo", "abc123")
}

#[tokio::test]
async fn a1_base_is_silent_for_followers_and_others() {
    for person in ["lin", "zhou"] {
        let simulator = wechat();
        let reply = get_as(&simulator, &base(), person).await;
        assert_eq!(reply.status, StatusCode::FOUND);
        let code = reply.code();
        assert_eq!(code.len(), 32);
        assert!(code.starts_with('0') && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
        assert_eq!(reply.header("location"), format!("{CALLBACK}?code={code}&state=abc123"));
        let entry = last(&simulator);
        assert_eq!(entry.code, Some(code));
        assert_eq!(entry.person.as_deref(), Some(person));
        assert_eq!(entry.openid, Some(simulator.openid(person, APPID)));
    }
}

#[tokio::test]
async fn a2_a3_v2_what_the_callback_gets() {
    let silently = |callback, state| authorize_url(callback, "snsapi_base", state);
    let own_query = "https://login.example.com/callback?a=1";
    let encoded = "a%3Db%26c%0D%0A%E4%B8%AD";
    for (url, callback) in [
        // A2: the callback's own query stays in front. A3: the code goes before the fragment.
        (silently(own_query, "abc123"), format!("{own_query}&code=CODE&state=abc123")),
        (silently("https://h/x#/p", "abc123"), "https://h/x?code=CODE&state=abc123#/p".to_owned()),
        // V2: extras may follow the state, which comes back encoded.
        (
            format!("{}&forcePopup=true&connect_redirect=1", base()),
            format!("{CALLBACK}?code=CODE&state=abc123"),
        ),
        (silently(CALLBACK, encoded), format!("{CALLBACK}?code=CODE&state={encoded}")),
    ] {
        let reply = get(&wechat(), &url).await;
        assert_eq!(reply.header("location").replace(&reply.code(), "CODE"), callback);
    }
}

#[tokio::test]
async fn a4_only_the_registered_host_itself() {
    let others = [
        "https://other.example.com/callback",
        "https://sub.login.example.com/callback",
        "https://example.com/callback",
        "https://login.example.com.evil.example/callback",
        "https://login.example.com@evil.example/callback",
        "https://login.example.com:8443/callback",
        // The scheme's own port is another host, too.
        "https://login.example.com:443/callback",
        "http://login.example.com:80/callback",
        "javascript://login.example.com/%0aalert(1)",
        "//login.example.com/callback",
        "not a url",
    ];
    for other in others {
        let simulator = wechat();
        refuses(&simulator, &authorize_url(other, "snsapi_base", "abc123"), "错误码：10003").await;
    }
}

#[tokio::test]
async fn a4_localhost_takes_any_port_and_a_path_its_own_subtree() {
    let simulator = wechat();
    let domains = ["localhost", "localhost:9000", "h/app"].map(str::to_owned);
    let cases = [
        (0, "http://localhost:8080/callback", true),
        (0, "http://localhost/callback", true),
        (0, "http://localhost:80/callback", true),
        (1, "http://localhost:9000/callback", true),
        (1, "http://localhost:9001/callback", false),
        (2, "https://h/app/callback", true),
        (2, "https://h/app", true),
        (2, "https://h/apple", false),
        (2, "https://h/", false),
    ];
    for (domain, callback, accepted) in cases {
        simulator.settings(|settings| settings.apps[0].callback_domains = vec![domains[domain].clone()]);
        let reply = get(&simulator, &authorize_url(callback, "snsapi_base", "abc123")).await;
        assert_eq!(reply.status == StatusCode::FOUND, accepted, "{callback}");
    }
}

#[tokio::test]
async fn a5_a_scope_the_account_does_not_own() {
    for scope in ["snsapi_login", "snsapi_base,snsapi_userinfo", "openid"] {
        let simulator = wechat();
        refuses(&simulator, &authorize_url(CALLBACK, scope, "abc123"), "错误码：10005").await;
    }
}

#[tokio::test]
async fn a6_what_may_not_be_empty() {
    let (redirect_uri, appid) = (format!("redirect_uri={}", encode(CALLBACK)), format!("appid={APPID}"));
    for (pair, error) in [("scope=snsapi_base", 10010), (&redirect_uri, 10011), (&appid, 10012)] {
        let (name, _) = pair.split_once('=').unwrap();
        for left in [format!("{name}="), String::new()] {
            refuses(&wechat(), &base().replace(pair, &left), &format!("错误码：{error}")).await;
        }
    }
}

#[tokio::test]
async fn a6_a_state_that_is_empty_or_absent_logs_in() {
    let empty = base().replace("state=abc123", "state=");
    let absent = base().replace("&state=abc123", "");
    for (url, callback) in
        [(&empty, format!("{CALLBACK}?code=CODE&state=")), (&absent, format!("{CALLBACK}?code=CODE"))]
    {
        let simulator = wechat();
        let reply = get(&simulator, url).await;
        assert_eq!(reply.header("location").replace(&reply.code(), "CODE"), callback);
        // Everything else is looked at all the same.
        refuses(&simulator, &url.replace("login.example.com", "evil.example"), "错误码：10003").await;
        simulator.knobs(|knobs| knobs.state_required = true);
        refuses(&simulator, url, "错误码：10013").await;
    }
}

#[tokio::test]
async fn a11_a_refusal_without_a_state_says_no_more_than_it_can() {
    let absent = profile().replace("&state=abc123", "");
    for (denial, location) in
        [(Denial::StateOnly, CALLBACK.to_owned()), (Denial::Authdeny, format!("{CALLBACK}?code=authdeny"))]
    {
        let simulator = wechat_with(|knobs| (knobs.denial, knobs.consent) = (denial, Consent::Deny));
        assert_eq!(get(&simulator, &absent).await.header("location"), location);
    }
}

#[tokio::test]
async fn a7_a_website_app_has_no_place_here() {
    let simulator = wechat();
    refuses(&simulator, &base().replace(APPID, WEBSITE_APPID), "错误码：10016").await;
    refuses(&simulator, &base().replace(APPID, "wx0000000000000ccc"), "AppID 参数错误").await;
}

#[tokio::test]
async fn a8_a_state_of_129_bytes_is_too_long() {
    let simulator = wechat();
    let longest = "s".repeat(128);
    let reply = get(&simulator, &authorize_url(CALLBACK, "snsapi_base", &longest)).await;
    assert!(reply.header("location").ends_with(&format!("&state={longest}")));
    refuses(&simulator, &authorize_url(CALLBACK, "snsapi_base", &format!("{longest}s")), "state 参数过长")
        .await;
}

#[tokio::test]
async fn a9_any_order_unless_the_documented_one_is_wanted() {
    let callback = encode(CALLBACK);
    let reordered = format!(
        "{AUTHORIZE}?appid={APPID}&scope=snsapi_base&response_type=code&redirect_uri={callback}&state=s"
    );
    let early = base().replace("&state=", "&forcePopup=true&state=");
    let twice = format!("{}&state=other", base());
    for url in [&reordered, &early, &twice] {
        let simulator = wechat();
        assert_eq!(get(&simulator, url).await.status, StatusCode::FOUND);
        // The other checks come as they always do.
        refuses(&simulator, &url.replace(APPID, ""), "错误码：10012").await;
        simulator.knobs(|knobs| knobs.strict_param_order = true);
        refuses(&simulator, url, "该链接无法访问").await;
    }
    let wrong_type = base().replace("response_type=code", "response_type=token");
    let simulator = wechat();
    refuses(&simulator, &wrong_type, "该链接无法访问").await;
}

#[tokio::test]
async fn a10_only_wechats_own_browser_unless_switched_off() {
    let simulator = wechat();
    for user_agent in
        ["Mozilla/5.0 (X11) Firefox/140.0", "wxwork/3.1.16 MicroMessenger/7.0.1 Language/zh", ""]
    {
        let request = Request::get(base()).header("user-agent", user_agent).body(Body::empty());
        let reply = send(&simulator, request.unwrap()).await;
        assert_page(&simulator, &reply, "请在微信客户端打开链接");
    }
    simulator.knobs(|knobs| knobs.check_user_agent = false);
    let request = Request::get(base()).body(Body::empty());
    assert_eq!(send(&simulator, request.unwrap()).await.status, StatusCode::FOUND);
}

#[tokio::test]
async fn a11_a_refusal_ends_in_one_of_three_ways() {
    let simulator = wechat();
    let url = profile();
    let deny = format!("{}&person=zhou&decision=deny", url.replace("authorize?", "authorize_reply?"));

    let reply = get(&simulator, &deny).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.text().contains("已拒绝授权"));
    assert_eq!(last(&simulator).outcome, Outcome::Left);

    simulator.knobs(|knobs| knobs.denial = Denial::StateOnly);
    assert_eq!(get(&simulator, &deny).await.header("location"), format!("{CALLBACK}?state=abc123"));

    let authdeny = format!("{CALLBACK}?code=authdeny&state=abc123");
    simulator.knobs(|knobs| knobs.denial = Denial::Authdeny);
    assert_eq!(get(&simulator, &deny).await.header("location"), authdeny);

    // Without the page: by knob, and by header.
    simulator.knobs(|knobs| knobs.consent = Consent::Deny);
    assert_eq!(get(&simulator, &url).await.header("location"), authdeny);
    simulator.knobs(|knobs| knobs.consent = Consent::Allow);
    let reply = get_with(&simulator, &url, &[("x-simulator-consent", "deny")]).await;
    assert_eq!(reply.header("location"), authdeny);
}

#[tokio::test]
async fn a12_a_follower_from_the_menu_is_not_asked() {
    let simulator = wechat_with(|knobs| knobs.entry_from_menu = true);
    let url = profile();
    let follower = get_as(&simulator, &url, "lin").await;
    assert_eq!(follower.status, StatusCode::FOUND);
    let stranger = get_as(&simulator, &url, "zhou").await;
    assert_eq!(stranger.status, StatusCode::OK);
    assert_eq!(last(&simulator).outcome, Outcome::Consent);
}

#[tokio::test]
async fn a13_a_snapshot_page_is_silent_and_its_exchange_says_so() {
    let simulator = wechat_with(|knobs| knobs.snapshot = Snapshot::On);
    let reply = get(&simulator, &profile()).await;
    assert_eq!(reply.status, StatusCode::FOUND);
    let exchanged = get(&simulator, &exchange_url(&reply.code())).await;
    assert_eq!(exchanged.json()["is_snapshotuser"], 1);
    assert_ne!(exchanged.string("openid"), simulator.openid("lin", APPID));
}

#[tokio::test]
async fn a14_the_same_code_again() {
    let simulator = wechat_with(|knobs| knobs.reissue_code_seconds = 10);
    let first = get(&simulator, &base()).await.code();
    let exchanged = get(&simulator, &exchange_url(&first)).await;
    assert_eq!(exchanged.string("scope"), "snsapi_base");
    simulator.advance(9);
    let second = get(&simulator, &authorize_url(CALLBACK, "snsapi_base", "another")).await;
    assert_eq!(second.header("location"), format!("{CALLBACK}?code={first}&state=another"));
    let someone_else = get_as(&simulator, &base(), "zhou").await;
    assert_ne!(someone_else.code(), first);
    simulator.advance(1);
    assert_ne!(get(&simulator, &base()).await.code(), first);
}

#[tokio::test]
async fn a14_a_page_that_visits_the_callback_twice() {
    let simulator = wechat_with(|knobs| knobs.duplicate_callback = DuplicateCallback::Parallel);
    let reply = get(&simulator, &base()).await;
    let code = last(&simulator).code.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    assert!(reply.text().contains(&format!("callback?code={code}&#38;state=abc123")), "{}", reply.text());
    assert!(matches!(last(&simulator).outcome, Outcome::Redirect { location } if location.contains(&code)));
    // A second client comes first.
    simulator.knobs(|knobs| knobs.duplicate_callback = DuplicateCallback::OtherClient);
    let reply = get(&simulator, &base()).await;
    assert!(reply.text().contains("data-parallel=\"false\" data-credentials=\"omit\""), "{}", reply.text());
}

#[tokio::test]
async fn v2_a_forced_snapshot() {
    let url = format!("{}&forceSnapShot=true", profile());
    let is_snapshot = async |simulator: &Simulator, url: &str| {
        let reply = get(simulator, url).await;
        reply.status == StatusCode::FOUND
            && get(simulator, &exchange_url(&reply.code())).await.json()["is_snapshotuser"] == 1
    };
    let simulator = wechat();
    assert!(is_snapshot(&simulator, &url).await);
    assert!(is_snapshot(&simulator, &url.replace("forceSnap", "forcePopup=true&forceSnap")).await);
    assert!(!is_snapshot(&simulator, &url.replace("snsapi_userinfo", "snsapi_base")).await);
    // Not after a real login a moment ago, not from the menu, and not where it does not work.
    simulator.knobs(|knobs| knobs.snapshot_exemption_seconds = 60);
    tokens(&simulator, "snsapi_userinfo").await;
    get(&simulator, &url).await;
    assert_eq!(last(&simulator).outcome, Outcome::Consent);
    simulator.advance(60);
    assert!(is_snapshot(&simulator, &url).await);
    simulator.knobs(|knobs| knobs.entry_from_menu = true);
    assert!(!is_snapshot(&simulator, &url).await);
    simulator.knobs(|knobs| (knobs.entry_from_menu, knobs.force_snapshot_works) = (false, false));
    get(&simulator, &url).await;
    assert_eq!(last(&simulator).outcome, Outcome::Consent);
}

#[tokio::test]
async fn v2_a_forced_popup() {
    let simulator = wechat_with(|knobs| knobs.consent_remembered = true);
    let url = profile();
    let outcome = async |url: &str| {
        get(&simulator, url).await;
        last(&simulator).outcome
    };
    assert_eq!(outcome(&url).await, Outcome::Consent);
    tokens(&simulator, "snsapi_userinfo").await;
    assert!(matches!(outcome(&url).await, Outcome::Redirect { .. }));
    let forced = format!("{url}&forcePopup=true");
    assert_eq!(outcome(&forced).await, Outcome::Consent);
    // The special silent rule is stronger.
    simulator.knobs(|knobs| knobs.entry_from_menu = true);
    assert!(matches!(outcome(&forced).await, Outcome::Redirect { .. }));
}

#[tokio::test]
async fn the_consent_page_asks_and_remembers_who_was_chosen() {
    let simulator = wechat();
    let url = profile();
    let page = get(&simulator, &url).await;
    assert_eq!(last(&simulator).outcome, Outcome::Consent);
    for text in ["青禾书店", "获取你的昵称、头像", "允许", "拒绝", "周远", "小满🌾"] {
        assert!(page.text().contains(text), "{text}");
    }
    // The hostile nickname is text.
    assert!(!page.text().contains("<script>"));
    assert!(page.text().contains("&#60;script&#62;"));

    let reply = format!("{}&person=zhou&decision=allow", url.replace("authorize?", "authorize_reply?"));
    let reply = get(&simulator, &reply).await;
    assert_eq!(reply.header("location"), format!("{CALLBACK}?code={}&state=abc123", reply.code()));
    assert_eq!(last(&simulator).person.as_deref(), Some("zhou"));

    let cookie = reply.header("set-cookie");
    assert_eq!(cookie, "simulator_person=zhou; Path=/; HttpOnly; SameSite=Lax");
    let cookies = [("cookie", "a=b; simulator_person=zhou")];
    get_with(&simulator, &base(), &cookies).await;
    assert_eq!(last(&simulator).person.as_deref(), Some("zhou"));
    simulator.knobs(|knobs| knobs.current_person = Some("gone".to_owned()));
    get_with(&simulator, &base(), &cookies).await;
    assert_eq!(last(&simulator).person.as_deref(), Some("gone"));
}

#[tokio::test]
async fn the_example_apps_are_of_both_kinds() {
    let kinds: Vec<_> = Settings::example().apps.into_iter().map(|app| (app.appid, app.kind)).collect();
    assert_eq!(
        kinds,
        [(APPID.to_owned(), AppKind::OfficialAccount), (WEBSITE_APPID.to_owned(), AppKind::Website)]
    );
}
