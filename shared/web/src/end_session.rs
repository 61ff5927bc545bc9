//! How a session ends at its owner's wish: by `POST /logout`, or by `DELETE /userinfo`.
//!
//! The two are one act under two names. All that is stored of a person is in the item of the session, so
//! who logs out is erased, and whoever asks to be erased is logged out.
//!
//! The session is deleted first, then the cookie is cleared: a cookie that is gone while its session
//! lives on would leave a stolen copy of it working. The browser gets a new secret of its own too: whoever has the
//! browser next, on a shared computer, is told nothing by what the one before him knew of it.

use std::fmt::Display;

use login::pending::BrowserSecret;
use login::time::Timestamp;

use crate::cookie::Cookies;
use crate::reason::Reason;
use crate::request::Request;
use crate::response::{self, Response};

crate::outcomes! {
    STORE_UNAVAILABLE = Error "store_unavailable" ["DynamoDB did not answer, so the session may still be there", "`cause` has DynamoDB's error"] ["DynamoDB 无响应，会话可能仍在", "`cause` 中有 DynamoDB 的错误"];
}

/// Answers whoever asked for the end of a session with `response`, a cleared cookie and a new secret of the browser,
/// of 32 random `bytes`, if the session is `deleted`; there may have been none.
#[must_use]
pub fn answer(
    deleted: Result<(), impl Display>,
    request: &Request,
    cookies: Cookies,
    now: Timestamp,
    bytes: [u8; 32],
    response: Response,
) -> Response {
    match deleted {
        Ok(()) => {
            let response = response::with_cookie(response, &cookies.clear_session());
            response::with_cookie(response, &cookies.set_browser(&BrowserSecret::new(now, bytes), now))
        }
        Err(error) => {
            STORE_UNAVAILABLE.because(error).of(response::refuse(request, Reason::ServiceUnavailable))
        }
    }
}
