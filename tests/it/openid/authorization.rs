//! What a client's request may be, and where its answer goes.

use harness::{
    Answer, Result, Stack,
    browser::Visit,
    database::{attribute, size_of},
    places::SESSION_COOKIE,
    proxy::{Fault, Kind, Rule},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use serde_json::{Value, json};
use url::Url;

use crate::support::{LABELS, allow, button};

use super::code_flow::{
    APP, REDIRECT_URI, answered, asked, brought, code, form, lin, options, parameter, provider,
    provider_settings, redeem, text, visitor,
};

#[tokio::test]
async fn no_error_leaves_for_an_unregistered_place() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    for changes in [
        &[("client_id", "")][..],
        &[("client_id", "nobody")],
        &[("redirect_uri", "")],
        &[("redirect_uri", "https://app.example.org/callback")],
        &[("redirect_uri", "https://app.example.org/callback?tenant=1&a=b")],
        &[("redirect_uri", "https://evil.example/"), ("prompt", "none")],
        &[("redirect_uri", "https://app.example.org/callback?tenant=1&a=b"), ("response_type", "")],
    ] {
        let answer = visitor.open(&asked(changes)).await?;
        assert_eq!((answer.status, answer.location()), (400, None), "{changes:?}");
    }
    for (changes, expected) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "id_token")], "unsupported_response_type"),
        (&[("scope", "profile")], "invalid_scope"),
        (&[("request", "e30.e30.")], "request_not_supported"),
        (&[("request_uri", "https://app.example.org/")], "request_uri_not_supported"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("nonce", "a\u{1}b")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("resource", "https://other.example.com")], "invalid_target"),
    ] {
        let answer = answered(&visitor, changes).await?;
        assert_eq!(parameter(&answer, "error").as_deref(), Some(expected), "{changes:?}");
        assert!(answer.as_str().starts_with(REDIRECT_URI), "{answer}");
        assert_eq!(parameter(&answer, "state").as_deref(), Some("a b&c=\u{5b57}"));
    }
    Ok(())
}

/// A token is for one API: two, which [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2) lets a client
/// name, are refused by the error of that document, as is one that is not encoded right. Any other parameter stands
/// there once.
#[tokio::test]
async fn of_two_resources_neither_is_the_target() -> Result<()> {
    let (_stack, visitor) = lin().await?;
    for (more, expected) in [
        ("resource=https%3A%2F%2Fapi.example.com&resource=https%3A%2F%2Fapi.example.com", "invalid_target"),
        ("resource=https%3A%2F%2Fapi.example.com&resource=https%3A%2F%2Fother.example.com", "invalid_target"),
        ("resource=%zz", "invalid_target"),
        ("scope=openid", "invalid_request"),
    ] {
        let answer = visitor.open(&format!("{}&{more}", asked(&[]))).await?.redirect()?.unwrap();
        assert_eq!(parameter(&answer, "error").as_deref(), Some(expected), "{more}");
        assert!(answer.as_str().starts_with(REDIRECT_URI), "{answer}");
    }
    Ok(())
}

/// Whoever knows a client's name can have its request stored: six kilobytes at the most, however it is written.
#[tokio::test]
async fn a_request_that_is_long_as_a_whole_is_not_stored() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let (long, control) = ("s".repeat(4096), "\u{1}".repeat(1200));
    let nonce = "n".repeat(512);
    let hint = format!("e30.e30.{}", "h".repeat(1600));
    for changes in [
        &[("state", &*long), ("nonce", &*nonce), ("id_token_hint", &*hint)][..],
        &[("state", &*control)],
        &[("state", ""), ("id_token_hint", &*control)],
    ] {
        let answer = answered(&visitor, changes).await?;
        assert_eq!(parameter(&answer, "error").as_deref(), Some("invalid_request"), "{answer}");
        assert!(answer.as_str().starts_with(REDIRECT_URI), "{answer}");
    }
    assert_eq!(stack.logins()?, Vec::<Value>::new());
    // What load balancers send is not too long.
    let code_ = code(&visitor, &[("state", &*long), ("nonce", &*nonce)]).await?;
    assert_eq!(redeem(&stack, &code_, &[]).await?.status, 200);
    Ok(())
}

/// With all that is noted of it on its way: each kilobyte more were a write unit more.
#[tokio::test]
async fn the_longest_request_is_six_write_units() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let state = "s".repeat(2000);
    let ask = async |length: usize| {
        let hint = format!("e30.e30.{}", "h".repeat(length));
        answered(&visitor, &[("prompt", "login"), ("state", &state), ("id_token_hint", &hint)]).await
    };
    let (mut fits, mut too_long) = (0, 4080);
    while fits + 1 < too_long {
        let length = usize::midpoint(fits, too_long);
        let is_stored = ask(length).await?.path() == "/authorize";
        *(if is_stored { &mut fits } else { &mut too_long }) = length;
    }
    let back = parameter(&ask(fits).await?, "return_to").unwrap();
    visitor.browser.forget_cookie(SESSION_COOKIE);
    assert_eq!(visitor.open(&back).await?.redirect()?.unwrap().path(), "/authorize");
    let requests = stack.logins()?.into_iter().filter(|item| attribute(item, "id").starts_with("request#"));
    let largest = requests.map(|item| size_of(&item)).max().unwrap_or_default();
    assert!((5 * 1024 + 512..=6 * 1024).contains(&largest), "{largest} bytes");
    Ok(())
}

/// What a stranger writes into a request stands on no page and in no description: only `state` comes back, to the
/// client, as it came.
#[tokio::test]
async fn no_page_and_no_description_repeats_what_a_request_says() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let canary = "\"><script>canary()</script>";
    for name in ["client_id", "redirect_uri"] {
        let page = visitor.open(&asked(&[(name, canary)])).await?;
        assert!(page.status == 400 && !page.text().contains("canary"), "{name}: {}", page.text());
    }
    let own = format!("canary.{}:/cb", "script");
    let page = visitor.open(&asked(&[("client_id", "phone"), ("redirect_uri", &own)])).await?;
    assert!(page.status == 400 && !page.text().contains("canary"), "{}", page.text());
    let app = [("client_id", "phone"), ("redirect_uri", "com.example.app:/cb"), ("state", canary)];
    let page = visitor.open(&asked(&app)).await?;
    assert!(page.status == 200 && !page.text().contains("canary"), "{}", page.text());
    for name in ["response_type", "scope", "prompt", "max_age", "code_challenge", "resource", "response_mode"]
    {
        let answer = answered(&visitor, &[(name, canary), ("state", canary)]).await?;
        assert_eq!(parameter(&answer, "state").as_deref(), Some(canary), "{name}");
        let description = parameter(&answer, "error_description").unwrap();
        // RFC 6749 §4.1.2.1.
        let is_plain = |byte: u8| (0x20..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(
            description.bytes().all(is_plain) && !description.contains("canary"),
            "{name}: {description}"
        );
    }
    let logout =
        format!("{PUBLIC_URL}/oauth2/logout?{}", form(&[("id_token_hint", canary), ("state", canary)]));
    let page = visitor.open(&logout).await?;
    assert!(page.status == 200 && !page.text().contains("canary"), "{}", page.text());
    // Nor does a page that offers to open it once more.
    let refused = visitor.send(Visit::open(&logout).header("sec-fetch-dest", "iframe")).await?;
    let offers = refused.text().contains("href=\"\"");
    assert!(refused.status == 403 && offers && !refused.text().contains("canary"), "{}", refused.text());
    Ok(())
}

#[tokio::test]
async fn nothing_but_a_page_asks_for_a_client() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    for place in ["iframe", "image", "empty"] {
        let answer = visitor.send(Visit::open(&asked(&[])).header("sec-fetch-dest", place)).await?;
        assert_eq!((answer.status, answer.location()), (403, None), "{place}");
        // By itself, the same page asks for the same client.
        assert_eq!(button(&answer), Some((LABELS.go_on, String::new())), "{place}");
    }
    let form = Visit::form(&format!("{PUBLIC_URL}/oauth2/authorize"), APP, &[("client_id", "web")]);
    let answer = visitor.send(form.header("sec-fetch-dest", "iframe")).await?;
    assert_eq!((answer.status, button(&answer)), (403, Some((LABELS.go_home, "/".to_owned()))));
    Ok(())
}

/// What the client asked for stands in the address alone: a page that led to any other one would lose it.
#[tokio::test]
async fn while_dynamodb_is_away_the_clients_request_is_offered_once_more() -> Result<()> {
    let stack = Stack::start(options("openid")?.proxied()).await?;
    allow(&stack);
    let app = [("client_id", "phone"), ("redirect_uri", "com.example.app:/cb")];
    let fails = |kind| -> Result<_> { Ok(stack.proxy()?.inject(Rule::at(kind, Fault::Unavailable))) };
    let assert_offered = |page: &Answer| {
        assert_eq!(
            (page.status, button(page)),
            (503, Some((LABELS.try_again, String::new()))),
            "{}",
            page.url
        );
    };
    let lin = visitor(&stack, "lin");
    let away = fails(Kind::PutRequest)?;
    assert_offered(&lin.open(&asked(&app)).await?);
    away.remove();
    let hops = lin.follow(&asked(&app)).await?;
    let confirmation = hops.last().unwrap();
    let go_on = confirmation.url.to_string();
    let away = fails(Kind::Request)?;
    assert_offered(&lin.open(&go_on).await?);
    away.remove();
    // The button of the page that names the app was pressed: its address leads to that page again.
    let away = fails(Kind::PutGrant)?;
    let tap = Visit::form(&go_on, PUBLIC_URL, &[]);
    assert_offered(&lin.send(tap.clone()).await?);
    away.remove();
    assert_eq!(lin.open(&go_on).await?.text(), confirmation.text());
    let tapped = lin.send(tap).await?;
    assert!(tapped.location().is_some_and(|location| location.starts_with("com.example.app:/cb?code=")));
    Ok(())
}

/// Whoever asks without a page has nobody to press a button of ours: the client is told, as far as the settings alone
/// say where it is ([RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)).
#[tokio::test]
async fn while_dynamodb_is_away_a_client_that_wants_no_page_is_told() -> Result<()> {
    let stack = Stack::start(options("openid")?.proxied()).await?;
    let lin = visitor(&stack, "lin").logged_in().await?;
    let none = ("prompt", "none");
    stack.proxy()?.inject(Rule::at(Kind::Session, Fault::Unavailable));
    let told = answered(&lin, &[none]).await?;
    assert!(told.as_str().starts_with(REDIRECT_URI), "{told}");
    for (name, value) in
        [("error", "temporarily_unavailable"), ("state", "a b&c=\u{5b57}"), ("iss", PUBLIC_URL)]
    {
        assert_eq!(parameter(&told, name).as_deref(), Some(value), "{told}");
    }
    crate::support::alarm(&stack, "\"store_unavailable\"").await.unwrap();
    // Who may be shown a page is, and nothing leaves for a place that is not registered, or from a frame.
    let page = lin.open(&asked(&[])).await?;
    assert_eq!((page.status, button(&page)), (503, Some((LABELS.try_again, String::new()))));
    let elsewhere = lin.open(&asked(&[none, ("redirect_uri", "https://evil.example/")])).await?;
    assert_eq!((elsewhere.status, elsewhere.location()), (400, None));
    let framed = lin.send(Visit::open(&asked(&[none])).header("sec-fetch-dest", "iframe")).await?;
    assert_eq!((framed.status, framed.location()), (403, None));
    Ok(())
}

/// `window.location.origin` has no slash at its end, nor has what libraries make of a site's address. It is registered
/// as it is sent, and the code is for that very text.
#[tokio::test]
async fn an_origin_without_a_slash_is_a_place_for_an_answer() -> Result<()> {
    let mut settings = provider_settings("openid");
    settings["clients"]["web"]["redirect_uris"] = json!([APP]);
    settings["clients"]["web"]["post_logout_redirect_uris"] = json!([APP]);
    let stack = Stack::start(options("openid")?.with("OPENID_CONNECT", &settings.to_string())).await?;
    let lin = visitor(&stack, "lin");
    let slashed = format!("{APP}/");
    let refused = lin.open(&asked(&[("redirect_uri", &slashed)])).await?;
    assert_eq!((refused.status, refused.location()), (400, None));
    let answer = brought(&lin.follow(&asked(&[("redirect_uri", APP)])).await?)?;
    let code = parameter(&answer, "code").unwrap();
    assert_eq!(redeem(&stack, &code, &[("redirect_uri", &slashed)]).await?.status, 400);
    let tokens = redeem(&stack, &code, &[("redirect_uri", APP)]).await?;
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    let hint = text(&tokens.json()?, "id_token");
    let logout = |uri: &str| {
        let parameters = [("id_token_hint", &*hint), ("post_logout_redirect_uri", uri), ("state", "s")];
        format!("{PUBLIC_URL}/oauth2/logout?{}", form(&parameters))
    };
    assert_eq!(lin.open(&logout(&slashed)).await?.status, 400);
    let left = lin.open(&logout(APP)).await?;
    assert_eq!((left.status, left.location()), (303, Some("https://app.example.org/?state=s")));
    assert!(lin.session().is_none());
    Ok(())
}

#[tokio::test]
async fn a_form_is_answered_as_a_link() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let link = asked(&[]);
    let fields = Url::parse(&link)?;
    let fields: Vec<_> =
        fields.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let posted = visitor.send(Visit::form(&format!("{PUBLIC_URL}/oauth2/authorize"), APP, &fields)).await?;
    assert_eq!(posted.status, 303);
    let answer = brought(&visitor.go_on(&posted).await?)?;
    assert!(parameter(&answer, "code").is_some(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn an_app_on_the_device_gets_nothing_without_a_tap() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let changes = [("client_id", "phone"), ("redirect_uri", "com.example.app:/cb")];
    let page = visitor.open(&asked(&changes)).await?;
    assert_eq!(page.status, 200, "{}", page.text());
    let body = page.text();
    assert!(body.contains("phone") && !body.contains("code="));
    let action = body.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let action = format!("{PUBLIC_URL}{action}");
    for origin in ["https://evil.example", PAGE_ORIGIN] {
        let forged = visitor.send(Visit::form(&action, origin, &[])).await?;
        assert!(forged.location().is_none(), "{origin}");
    }
    let tapped = visitor.send(Visit::form(&action, PUBLIC_URL, &[])).await?;
    let location = tapped.location().unwrap_or_default().to_owned();
    assert!(location.starts_with("com.example.app:/cb?code="), "{location} {}", tapped.text());
    // Nobody is there any more: what the page lets its form lead to is the app, and not WeChat.
    visitor.browser.forget_cookie(SESSION_COOKIE);
    let again = visitor.send(Visit::form(&action, PUBLIC_URL, &[])).await?;
    assert_eq!((again.status, again.location()), (400, None), "{}", again.text());
    assert!(again.text().contains("href=\"https://login.example.com/authorize?"), "{}", again.text());
    visitor.log_in().await?;
    let silent = [&changes[..], &[("prompt", "none")]].concat();
    let answer = visitor.open(&asked(&silent)).await?;
    assert!(answer.location().is_some_and(|location| location.contains("error=interaction_required")));
    Ok(())
}
