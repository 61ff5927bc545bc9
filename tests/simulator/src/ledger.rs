//! What was received, in order. Nothing is redacted here: a test that looks for a leaked secret has to know it.

use std::net::IpAddr;

use serde::Serialize;

/// One request that reached the simulator, outside of its admin interface.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// Counts from 1, and on over a cleared ledger.
    pub sequence: u64,
    /// When it was received, on the simulated clock, in Unix seconds.
    pub time: u64,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, which also names the endpoint.
    pub path: String,
    /// The query as name and value pairs, decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// What the body says in the same way: the fields of a form, or the members of a JSON object.
    pub body: Vec<(String, String)>,
    /// From which address it came.
    pub address: IpAddr,
    /// The `User-Agent` sent.
    pub user_agent: Option<String>,
    /// The `appid` sent.
    pub appid: Option<String>,
    /// The code this is about: the one sent, or the one that the authorize page handed out.
    pub code: Option<String>,
    /// Who the answer is about, by [`Person::id`](crate::Person::id).
    pub person: Option<String>,
    /// Who the answer is about, as the app knows them.
    pub openid: Option<String>,
    /// What was answered.
    pub outcome: Outcome,
    /// Whether the request had its effect (a code spent, tokens issued), whatever was answered.
    pub processed: bool,
    /// Whether the answer was handed to the connection. A held or delayed answer is not, until it is let go.
    pub answered: bool,
}

impl Entry {
    /// The first parameter of that name, in the query or else in the body.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter().chain(&self.body);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a request was answered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// Received, and not yet decided.
    Pending,
    /// What was asked for.
    Ok,
    /// An error of the API
    /// ([全局返回码](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html)).
    Errcode {
        /// WeChat's number for it.
        errcode: i64,
    },
    /// The browser was sent on.
    Redirect {
        /// Where to.
        location: String,
    },
    /// The consent page.
    Consent,
    /// The page with a QR code.
    QrCode {
        /// Its name.
        uuid: String,
    },
    /// How far a QR code is: 408, 404, 405, 403 or 402.
    Polled {
        /// WeChat's number for it.
        errcode: i64,
    },
    /// The person refused and stays with WeChat.
    Left,
    /// An error page of WeChat's
    /// ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html)); the
    /// callback is not called.
    Page {
        /// Its number, or its text when it has none.
        error: String,
    },
    /// A scripted answer that is none of WeChat's.
    Fault {
        /// Which.
        fault: String,
    },
    /// Nothing like it exists at WeChat.
    NotFound,
}
