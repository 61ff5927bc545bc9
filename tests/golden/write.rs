//! `make golden`: writes what the functions of this version store into `tests/golden/<version>.json`, at a release.
//! `tests/it/golden.rs` says what for, and reads it.

use std::fs;

use harness::{Failure, Options, Result, Stack, binaries::workspace, places::AUTHORIZE, stack::PAGE_ORIGIN};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let stack = Stack::start(Options::default()).await?;
    let visitor = stack.visitor("lin").logged_in_with_profile().await?;
    let shown = visitor.shown().await?;
    let under_way = stack.visitor("zhou");
    let return_to = format!("{PAGE_ORIGIN}/cart");
    let page = under_way.begin(&format!("{AUTHORIZE}?return_to={return_to}")).await?;
    let (Some(session), Some(browser), Some(nickname)) =
        (visitor.session(), under_way.secret(), shown.get("nickname"))
    else {
        return Err(Failure::new(format!("a cookie or the profile is missing: {shown}")));
    };
    let golden = json!({
        "session": session,
        "nickname": nickname,
        "browser": browser,
        "wechats_page": page,
        "return_to": return_to,
        "LoginsTable": stack.logins()?,
        "SessionsTable": stack.sessions()?,
    });
    let file = workspace().join("tests/golden").join(concat!(env!("CARGO_PKG_VERSION"), ".json"));
    if env!("CARGO_PKG_VERSION").contains('-') {
        return Err(Failure::new("no release has this version; set the version first"));
    }
    // What a version stored does not change any more.
    if file.exists() {
        return Err(Failure::new(format!("{} is there already; set the version first", file.display())));
    }
    Ok(fs::write(file, format!("{golden:#}\n"))?)
}
