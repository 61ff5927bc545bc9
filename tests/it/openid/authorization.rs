//! What a client's request may be, and where its answer goes.

use harness::{
    Result,
    browser::Visit,
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use serde_json::Value;
use url::Url;

use super::code_flow::{APP, REDIRECT_URI, asked, brought, code, parameter, provider, redeem, visitor};

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
        let answer = visitor.open(&asked(changes)).await?.redirect()?.unwrap();
        assert_eq!(parameter(&answer, "error").as_deref(), Some(expected), "{changes:?}");
        assert!(answer.as_str().starts_with(REDIRECT_URI), "{answer}");
        assert_eq!(parameter(&answer, "state").as_deref(), Some("a b&c=\u{5b57}"));
    }
    Ok(())
}

/// Whoever knows a client's name can have its request stored: six kilobytes at the most, however it is written.
#[tokio::test]
async fn a_request_that_is_long_as_a_whole_is_not_stored() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let (long, control) = ("s".repeat(4096), "\u{1}".repeat(1200));
    let nonce = "n".repeat(512);
    let hint = format!("e30.e30.{}", "h".repeat(1600));
    for changes in [
        &[("state", &*long), ("nonce", &*nonce), ("id_token_hint", &*hint)][..],
        &[("state", &*control)],
        &[("state", ""), ("id_token_hint", &*control)],
    ] {
        let answer = visitor.open(&asked(changes)).await?.redirect()?.unwrap();
        assert_eq!(parameter(&answer, "error").as_deref(), Some("invalid_request"), "{answer}");
        assert!(answer.as_str().starts_with(REDIRECT_URI), "{answer}");
    }
    assert_eq!(stack.logins()?, Vec::<Value>::new());
    // What load balancers send is not too long.
    let code_ = code(&visitor, &[("state", &*long), ("nonce", &*nonce)]).await?;
    assert_eq!(redeem(&stack, &code_, &[]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn nothing_but_a_page_asks_for_a_client() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    for place in ["iframe", "image", "empty"] {
        let answer = visitor.send(Visit::open(&asked(&[])).header("sec-fetch-dest", place)).await?;
        assert_eq!((answer.status, answer.location()), (403, None), "{place}");
    }
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
    let form = Visit::form(&format!("{PUBLIC_URL}/oauth2/authorize"), APP, &fields);
    let posted = visitor.send(form).await?;
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
    let silent = [&changes[..], &[("prompt", "none")]].concat();
    let answer = visitor.open(&asked(&silent)).await?;
    assert!(answer.location().is_some_and(|location| location.contains("error=interaction_required")));
    Ok(())
}
