//! WeChat, simulated, and the browsers that know where it and the deployed login are.

use std::net::SocketAddr;

use harness::{
    Browser, Result, Visitor,
    deployment::{allow_callbacks, app_secrets},
    stack::{PAGE_ORIGIN, PUBLIC_URL, WECHAT_OPEN_URL},
};
use simulator::{Consent, Settings, Simulator};
use tokio::{
    net::TcpListener,
    sync::oneshot::{Sender, channel},
};

/// A WeChat that listens; it ends when it is dropped.
pub struct Wechat {
    /// What it is told and asked.
    pub simulator: Simulator,
    address: SocketAddr,
    _stop: Sender<()>,
}

impl Wechat {
    /// Starts it. The host of the login is registered for every app, and people agree when they are asked.
    pub async fn start() -> Result<Self> {
        let simulator = Simulator::new(Settings::example());
        allow_callbacks(&simulator, PUBLIC_URL);
        simulator.knobs(|knobs| {
            knobs.strict_param_order = true;
            knobs.api_requires_https = false;
            knobs.consent = Consent::Allow;
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = channel::<()>();
        let serving = simulator.clone();
        tokio::spawn(async move {
            let until = async {
                // Resolves when the sender is dropped, which is the signal.
                let _ = stopped.await;
            };
            serving.serve(listener, until).await
        });
        Ok(Self { simulator, address, _stop: stop })
    }

    /// Where the functions find its API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The secrets of its apps, as the secret is to hold them.
    pub fn app_secrets(&self) -> String {
        app_secrets(&self.simulator)
    }

    /// Visitors of a login that listens here for its domain.
    pub fn visitors(&self, login: SocketAddr) -> Result<Visitors> {
        let browser = Browser::new()?
            .with_origin(PUBLIC_URL, login)
            .with_origin(WECHAT_OPEN_URL, self.address)
            .with_elsewhere(PAGE_ORIGIN);
        Ok(Visitors { browser, simulator: self.simulator.clone() })
    }
}

/// Whoever visits the deployed login.
pub struct Visitors {
    browser: Browser,
    /// Their WeChat.
    pub simulator: Simulator,
}

impl Visitors {
    /// Somebody with WeChat's browser on a phone, and without a cookie.
    pub fn visitor(&self, person: &str) -> Visitor {
        Visitor::with(self.browser.another(), &self.simulator, person)
    }
}
