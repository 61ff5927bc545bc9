//! What can be scripted to go wrong with the next answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one of the next calls of an endpoint answers instead of the truth.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Scripted {
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// For how many calls.
    #[serde(default = "once")]
    pub times: u32,
    /// By how many milliseconds the answer is late.
    #[serde(default)]
    pub delay_milliseconds: u64,
    /// Whether the request has its effect all the same. By default as the [`Fault`] says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processed: Option<bool>,
}

fn once() -> u32 {
    1
}

impl From<Fault> for Scripted {
    fn from(fault: Fault) -> Self {
        Self { fault, times: 1, delay_milliseconds: 0, processed: None }
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Fault {
    /// Nothing: lets a call pass, or delays it only.
    None,
    /// An error of the API
    /// ([全局返回码](https://developers.weixin.qq.com/doc/offiaccount/Getting_Started/Global_Return_Code.html)), or of the
    /// authorize page. Has no effect, but for -1 under `burn_code_on_system_error`.
    Errcode {
        /// WeChat's number.
        errcode: i64,
        /// The text, verbatim; by default WeChat's own for that number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        errmsg: Option<String>,
    },
    /// Any status and body. Has no effect.
    Raw {
        /// The HTTP status.
        status: u16,
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        body: String,
        /// Sends every character below U+0100 as one byte, for bodies that are not UTF-8.
        #[serde(default)]
        latin1: bool,
    },
    /// A web server's HTML error page. Has no effect.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// A redirect. Has no effect.
    Redirect {
        /// Where to.
        location: String,
    },
    /// The first half of the truth, as if it were all. Has its effect.
    Truncated,
    /// The truth, and a padding of so many bytes inside of it. Has its effect.
    Oversize {
        /// How many.
        bytes: usize,
    },
    /// The truth, after two other values of `openid`. Has its effect.
    DuplicateKeys,
    /// The connection ends without an answer. Has no effect.
    DropBefore,
    /// The connection ends without an answer. Has its effect.
    DropAfter,
    /// The connection ends in the middle of the body. Has its effect.
    DropHalfWay,
}

impl Fault {
    /// The name the admin interface uses.
    pub(crate) fn name(&self) -> String {
        let json = serde_json::to_value(self).unwrap_or_default();
        json.get("answer").and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
