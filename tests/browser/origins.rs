//! Other pages' scripts, under a browser's own rules.

use chromium::{Chromium, Reader};
use harness::{Options, Result, Stack, signing_key, stack::OFFICIAL_ACCOUNT};
use serde_json::{Value, json};

use crate::{login::LABELS, team_page::TeamPage};

/// Asks who is logged in, the way a page's script does; an answer that the browser keeps from the
/// script is `null`.
const ASK: &str = r#"
    const asked = fetch(arguments[0], { credentials: "include" });
    return asked.then(async (answer) => [answer.status, await answer.json()], () => null);
"#;

/// Erases it; a refusal that the browser keeps from the script is `null`.
const ERASE: &str = r#"
    const erased = fetch(arguments[0], { method: "DELETE", credentials: "include" });
    return erased.then((answer) => answer.status, () => null);
"#;

/// Asks for a token, the way a page's script does, with a header that an HTTP client adds to everything; an answer that
/// the browser keeps from the script is `null`.
const GET_TOKEN: &str = r#"
    const headers = arguments[1] ? { "x-requested-with": "XMLHttpRequest" } : {};
    const asked = fetch(arguments[0], { method: "POST", credentials: "include", headers });
    return asked.then(async (answer) => [answer.status, await answer.json()], () => null);
"#;

const PAGE: &str = "<!doctype html><title>A team's page</title><h1>Ours</h1>";

/// What a page's script learns.
async fn ask(chromium: &Chromium, page: &str, stack: &Stack) -> Result<Value> {
    chromium.open(page).await?;
    chromium.run(ASK, vec![format!("{}/userinfo", stack.public_url()).into()]).await
}

/// A browser in which somebody has logged in for our page; none where there is no browser.
async fn logged_in(stack: &Stack, ours: &TeamPage) -> Result<Option<Chromium>> {
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(None) };
    chromium.open(&format!("{}/authorize?return_to={}/", stack.public_url(), ours.same_site())).await?;
    chromium.arrive("Ours").await?;
    Ok(Some(chromium))
}

#[tokio::test]
async fn only_an_allowed_page_learns_who_is_logged_in() -> Result<()> {
    let (ours, theirs) = (TeamPage::serve(PAGE).await?, TeamPage::serve(PAGE).await?);
    let options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &ours.same_site());
    let stack = Stack::start(options).await?;
    let Some(chromium) = logged_in(&stack, &ours).await? else { return Ok(()) };

    let answer = ask(&chromium, &ours.same_site(), &stack).await?;
    assert_eq!(answer[0], 200, "{answer}");
    assert_eq!(answer[1]["openid"], stack.simulator().openid("lin", OFFICIAL_ACCOUNT));
    // From another site the browser would keep the session to itself: such an origin cannot be allowed.
    assert_eq!(ask(&chromium, &ours.cross_site(), &stack).await?, json!(null));
    // A page that is not allowed learns nothing, be it of the same site or of another.
    assert_eq!(ask(&chromium, &theirs.same_site(), &stack).await?, json!(null));
    assert_eq!(ask(&chromium, &theirs.cross_site(), &stack).await?, json!(null));
    chromium.leave(&["blocked by CORS policy", "/userinfo - Failed to load resource: net::ERR_FAILED"]).await
}

#[tokio::test]
async fn only_an_allowed_page_gets_a_token() -> Result<()> {
    let (ours, theirs) = (TeamPage::serve(PAGE).await?, TeamPage::serve(PAGE).await?);
    let apis = json!({ "https://api.example.com": { "origins": [ours.same_site()] } });
    let options = Options::default()
        .on_this_machine()
        .with("ALLOWED_ORIGINS", &ours.same_site())
        .with("OPENID_CONNECT", &json!({ "subject": "openid", "apis": apis }).to_string())
        .with("SIGNING_KEYS", signing_key::of_this_process()?);
    let stack = Stack::start(options).await?;
    let Some(chromium) = logged_in(&stack, &ours).await? else { return Ok(()) };

    let url = format!("{}/access-token", stack.public_url());
    for (page, is_allowed) in [
        (ours.same_site(), true),
        (ours.cross_site(), false),
        (theirs.same_site(), false),
        (theirs.cross_site(), false),
    ] {
        for has_header in [false, true] {
            chromium.open(&page).await?;
            let answer = chromium.run(GET_TOKEN, vec![url.clone().into(), has_header.into()]).await?;
            let token = answer[1]["access_token"].as_str().unwrap_or_default();
            let expected = if is_allowed { json!(200) } else { json!(null) };
            assert_eq!((&answer[0], token.split('.').count() == 3), (&expected, is_allowed), "{page}");
        }
    }
    let log = stack.stop().await.text();
    assert_eq!(log.matches(r#""outcome":"page_token""#).count(), 2, "{log}");
    chromium
        .leave(&["blocked by CORS policy", "/access-token - Failed to load resource: net::ERR_FAILED"])
        .await
}

/// A page that tells other origins nothing of itself, as some frameworks' pages do by default, logs out by a form all
/// the same: the person is asked, and comes back.
#[tokio::test]
async fn a_form_logs_out_whatever_the_referrer_policy_of_its_page() -> Result<()> {
    let ours = TeamPage::serve(PAGE).await?;
    let options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &ours.same_site());
    let stack = Stack::start(options).await?;
    let back =
        form_urlencoded::byte_serialize(format!("{}/", ours.same_site()).as_bytes()).collect::<String>();
    let form = format!(
        "<form method=\"post\" action=\"{}/logout?return_to={back}\"><button>Leave</button></form>",
        stack.public_url()
    );
    for (policy, is_asked) in
        [("strict-origin-when-cross-origin", false), ("same-origin", true), ("no-referrer", true)]
    {
        ours.show(&format!("<meta name=\"referrer\" content=\"{policy}\">{PAGE}{form}"), "");
        let Some(chromium) = logged_in(&stack, &ours).await? else { return Ok(()) };
        chromium.press("Leave").await?;
        if is_asked {
            chromium.arrive(LABELS.ask_log_out).await?;
            chromium.look(&format!("logout-asked-{policy}")).await?;
            chromium.press(LABELS.log_out).await?;
        }
        chromium.arrive("Ours").await?;
        assert_eq!(ask(&chromium, &ours.same_site(), &stack).await?[0], 401, "{policy}");
        chromium
            .leave(&["/userinfo - Failed to load resource: the server responded with a status of 401"])
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn only_an_allowed_page_erases() -> Result<()> {
    let (ours, theirs) = (TeamPage::serve(PAGE).await?, TeamPage::serve(PAGE).await?);
    let options = Options::default().on_this_machine().with("ALLOWED_ORIGINS", &ours.same_site());
    let stack = Stack::start(options).await?;
    let Some(chromium) = logged_in(&stack, &ours).await? else { return Ok(()) };
    let userinfo = format!("{}/userinfo", stack.public_url());
    let sessions = || stack.database().items(stack.table("SessionsTable")?);
    for (page, status, left) in [
        (theirs.same_site(), json!(null), 1),
        (theirs.cross_site(), json!(null), 1),
        (ours.same_site(), json!(204), 0),
    ] {
        chromium.open(&page).await?;
        let erased = chromium.run(ERASE, vec![userinfo.clone().into()]).await?;
        assert_eq!((erased, sessions()?.len()), (status, left), "{page}");
    }
    let answer = ask(&chromium, &ours.same_site(), &stack).await?;
    assert_eq!(answer[0], 401, "{answer}");
    chromium
        .leave(&[
            "status of 401",
            "blocked by CORS policy",
            "/userinfo - Failed to load resource: net::ERR_FAILED",
        ])
        .await
}

#[tokio::test]
async fn no_other_page_logs_anybody_out() -> Result<()> {
    let theirs = TeamPage::serve(PAGE).await?;
    let stack = Stack::start(Options::default().on_this_machine()).await?;
    let Some(chromium) = Chromium::start(Reader::IN_WECHAT).await? else { return Ok(()) };
    chromium.open(&format!("{}/authorize", stack.public_url())).await?;
    for origin in [theirs.same_site(), theirs.cross_site()] {
        chromium.open(&origin).await?;
        let submit = r#"
            const form = Object.assign(document.createElement("form"), { method: "post", action: arguments[0] });
            document.body.append(form);
            form.submit();
        "#;
        chromium.run(submit, vec![format!("{}/logout", stack.public_url()).into()]).await?;
        chromium.until_at(&format!("{}/logout", stack.public_url())).await?;
        chromium.open(&format!("{}/userinfo", stack.public_url())).await?;
        chromium.arrive(LABELS.nameless).await?;
    }
    chromium.leave(&["status of 403"]).await
}
