//! The functions of `login.js`, as a page's own script calls them.

use chromium::{Chromium, Reader};
use harness::Result;
use serde_json::json;

use crate::{
    login::{LABELS, NO_AVATAR},
    login_js::{NOBODY, html, nickname, scan, with_page},
};

/// Who is logged in is asked once in a minute, and when the session has ended; a token, half a minute before it ends;
/// and whatever failed, every time.
#[tokio::test]
async fn what_is_known_is_kept_for_its_time() -> Result<()> {
    // The page's clock stands, and is put on by hand; what the stack is asked is counted.
    const CLOCK: &str = r#"
        const [ask, start] = [fetch, Date.now()];
        let [ahead, isDown, lifetime] = [0, false, 0];
        Date.now = () => start + ahead * 1000;
        const asked = { "/userinfo": 0, "/access-token": 0, "/logout": 0 };
        window.fetch = async (address, options) => {
            const { pathname } = new URL(address);
            asked[pathname] += 1;
            if (isDown) return Response.json({ title: "busy" }, { status: 503 });
            const answer = await ask(address, options);
            if (answer.ok && pathname === "/access-token") lifetime = (await answer.clone().json()).expires_in;
            return answer;
        };
        return import(arguments[0]).then(async ({ accessToken, logout, user }) => {
            const at = async (seconds, path, call) => {
                ahead = seconds;
                await call().catch(() => {});
                return asked[path];
            };
            const users = (seconds, options) => at(seconds, "/userinfo", () => user(options));
            const tokens = (seconds) => at(seconds, "/access-token", accessToken);

            const minute = [await users(0), await users(59), await users(61), await users(61, { fresh: true })];

            const token = [await tokens(100), await tokens(100 + lifetime - 31), await tokens(100 + lifetime - 29)];
            const later = 100 + 3 * lifetime;
            isDown = true;
            token.push(await tokens(later), await tokens(later));
            isDown = false;
            token.push(await tokens(later), await tokens(later));

            const end = (await user()).expires_at - start / 1000;
            const before = asked["/userinfo"];
            const ends = [await users(end - 10), await users(end - 1), await users(end + 1)];

            await logout();
            const nobody = [await tokens(end + 2), await tokens(end + 2), await accessToken()];
            return [minute, token, ends.map((count) => count - before), nobody.map((count) => count && count - token[6])];
        });
    "#;
    let (stack, page) = with_page().await?;
    page.show("<!doctype html><h1>Ours</h1>", "");
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&format!("{}/authorize?return_to={}/", stack.public_url(), page.same_site())).await?;
    chromium.arrive("Ours").await?;
    let told = chromium.run(CLOCK, vec![format!("{}/login.js", stack.public_url()).into()]).await?;
    assert_eq!(told, json!([[1, 1, 2, 3], [1, 1, 2, 3, 4, 5, 5], [1, 1, 2], [1, 2, null]]));
    chromium.leave(&[NOBODY]).await
}

/// The address of a login, and a login that the script begins itself. What a login before left in the page's address,
/// which the person declined, does not come back.
#[tokio::test]
async fn a_login_asks_for_what_the_script_says() -> Result<()> {
    const LINKS: &str = r#"
        return import(arguments[0]).then(({ login }) => [
            login(), login({ lang: "zh-TW", scope: "auto" }), login({ lang: "en", mode: "handoff", returnTo: "/me?error=access_denied" }),
            login({ returnTo: "?error=other" }),
        ].map((link) => ["return_to", "lang", "scope", "via"].map((name) => new URL(link).searchParams.get(name))));
    "#;
    const GO: &str = r#"return import(arguments[0]).then(({ login }) => { login({ mode: "redirect" }); });"#;
    let (stack, page) = with_page().await?;
    page.show(&html(&stack, "zh-TW", ""), "");
    let Some(chromium) = Chromium::start(Reader::AT_A_COMPUTER).await? else { return Ok(()) };
    let site = page.same_site();
    let here = format!("{site}/?a=1");
    chromium.open(&format!("{here}&error=access_denied")).await?;
    let href = chromium.part("button", LABELS.log_in).await?.prop("href").await?.unwrap_or_default();
    assert_eq!(harness::places::parameter(&href, "lang"), "zh_TW", "{href}");
    let module = vec![format!("{}/login.js", stack.public_url()).into()];
    let links = chromium.run(LINKS, module.clone()).await?;
    let expected = json!([
        [here, null, null, null],
        [here, "zh_TW", "auto", null],
        [format!("{site}/me"), "en", null, "handoff"],
        [format!("{site}/?error=other"), null, null, null],
    ]);
    assert_eq!(links, expected);
    chromium.run(GO, module).await?;
    chromium.element(".js_qrcode_img").await?;
    scan(&stack, "zhou")?;
    chromium.until_at(&here).await?;
    chromium.part("user", &nickname(&stack, "zhou")).await?;
    chromium.leave(&[NOBODY, NO_AVATAR]).await
}
