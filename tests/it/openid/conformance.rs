//! The modules of the OpenID Foundation's certification by name, and what each checks
//! ([conformance suite](https://gitlab.com/openid/conformance-suite)): Basic OP, Config OP, RP-initiated logout. The suite
//! itself needs a public address and a server of its own; these are its checks, so that the lists can be laid side by side.
//! Which are skipped, or would only be warned about, stands in `docs/development/openid.md`.

use harness::{
    Failure, Result, Stack, Visitor,
    browser::Visit,
    database::{number, with},
    places::CALLBACK,
    stack::PUBLIC_URL,
    time,
};
use serde_json::{Value, json};
use url::Url;

use super::code_flow::{
    APP, REDIRECT_URI, SECRET, asked, brought, code, error_of, form, parameter, post, provider, redeem,
    refresh, text, userinfo, verified, visitor,
};

/// A stack that is a provider, and somebody who has not been there.
async fn lin() -> Result<(Stack, Visitor)> {
    let stack = provider().await?;
    let lin = visitor(&stack, "lin");
    Ok((stack, lin))
}

/// Goes to the end, redeems the code and verifies the ID token.
async fn id_token(stack: &Stack, visitor: &Visitor, changes: &[(&str, &str)]) -> Result<Value> {
    let tokens = redeem(stack, &code(visitor, changes).await?, &[]).await?.json()?;
    Ok(verified(stack, &text(&tokens, "id_token")).await?.1)
}

/// Whether a login was begun on the way.
async fn logs_in(visitor: &Visitor, changes: &[(&str, &str)]) -> Result<bool> {
    let hops = visitor.follow(&asked(changes)).await?;
    let answer = brought(&hops)?;
    if parameter(&answer, "code").is_none() {
        return Err(Failure::new(format!("no code: {answer}")));
    }
    Ok(hops.iter().any(|hop| hop.url.as_str().starts_with(CALLBACK)))
}

/// The error that a client is told at once.
async fn told(visitor: &Visitor, changes: &[(&str, &str)]) -> Result<Option<String>> {
    let answer = visitor.open(&asked(changes)).await?;
    let location = answer.redirect()?.ok_or_else(|| Failure::new(answer.text()))?;
    Ok(parameter(&location, "error"))
}

/// Lets the session be so many seconds older than it is.
fn age(stack: &Stack, seconds: u64) -> Result<()> {
    for session in stack.sessions()?.into_iter().filter(|item| item.get("sealed").is_some()) {
        let created_at = number(&session, "created_at")? - seconds;
        let older = with(session, "created_at", json!({"N": created_at.to_string()}));
        stack.database().put(stack.table("SessionsTable")?, &older)?;
    }
    Ok(())
}

async fn discovery(stack: &Stack) -> Result<Value> {
    stack.browser().get(&format!("{PUBLIC_URL}/.well-known/openid-configuration")).await?.json()
}

#[tokio::test]
async fn oidcc_server() -> Result<()> {
    let (stack, lin) = lin().await?;
    let claims = id_token(&stack, &lin, &[]).await?;
    assert_eq!((text(&claims, "iss"), text(&claims, "aud")), (PUBLIC_URL.to_owned(), "web".to_owned()));
    assert_eq!(text(&claims, "nonce"), "n-0S6");
    let at = |name: &str| claims[name].as_u64().unwrap();
    assert!(at("iat").abs_diff(time::now_seconds()) < 300 && at("exp") > time::now_seconds());
    Ok(())
}

#[tokio::test]
async fn oidcc_response_type_missing() -> Result<()> {
    let (_stack, lin) = lin().await?;
    assert_eq!(told(&lin, &[("response_type", "")]).await?.as_deref(), Some("invalid_request"));
    Ok(())
}

#[tokio::test]
async fn oidcc_idtoken_signature_and_unsigned() -> Result<()> {
    let (stack, lin) = lin().await?;
    let tokens = redeem(&stack, &code(&lin, &[]).await?, &[]).await?.json()?;
    let (header, _) = verified(&stack, &text(&tokens, "id_token")).await?;
    assert_eq!(text(&header, "alg"), "RS256");
    assert!(!text(&header, "kid").is_empty());
    // `none` is not on offer, so the module of that name is skipped.
    assert_eq!(discovery(&stack).await?["id_token_signing_alg_values_supported"], json!(["RS256"]));
    Ok(())
}

#[tokio::test]
async fn oidcc_userinfo_get_post_header_and_post_body() -> Result<()> {
    let (stack, lin) = lin().await?;
    let tokens = redeem(&stack, &code(&lin, &[]).await?, &[]).await?.json()?;
    let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
    let token = text(&tokens, "access_token");
    let got = userinfo(&stack, &token).await?;
    let url = format!("{PUBLIC_URL}/oauth2/userinfo");
    let posted = Visit::posted(&url, "").header("authorization", &format!("Bearer {token}"));
    let posted = stack.browser().send(posted).await?;
    for answer in [got, posted] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.json()?["sub"], claims["sub"]);
    }
    // In the body a token is not looked for: a warning there.
    let body = stack.browser().send(Visit::posted(&url, &form(&[("access_token", &token)]))).await?;
    assert_eq!(body.status, 401);
    assert!(body.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() -> Result<()> {
    let (stack, lin) = lin().await?;
    assert!(id_token(&stack, &lin, &[("nonce", "")]).await?["nonce"].is_null());
    Ok(())
}

#[tokio::test]
async fn oidcc_scope_profile() -> Result<()> {
    let (stack, lin) = lin().await?;
    let tokens = redeem(&stack, &code(&lin, &[("prompt", "consent")]).await?, &[]).await?.json()?;
    let shown = userinfo(&stack, &text(&tokens, "access_token")).await?.json()?;
    for name in ["name", "nickname", "picture"] {
        assert!(!text(&shown, name).is_empty(), "{name} in {shown}");
    }
    assert!(shown["updated_at"].is_u64(), "{shown}");
    // Without the scope nothing of it is told, though it is known now.
    let tokens = redeem(&stack, &code(&lin, &[("scope", "openid")]).await?, &[]).await?.json()?;
    let shown = userinfo(&stack, &text(&tokens, "access_token")).await?.json()?;
    assert!(shown["name"].is_null() && shown["picture"].is_null(), "{shown}");
    Ok(())
}

/// `email`, `address` and `phone` are not on offer, so their modules are skipped; what is unknown is ignored.
#[tokio::test]
async fn oidcc_scope_email_address_phone_all_and_alternate_happy_flow() -> Result<()> {
    let (stack, lin) = lin().await?;
    assert_eq!(discovery(&stack).await?["scopes_supported"], json!(["openid", "profile"]));
    let scope = "phone address email profile openid";
    let tokens = redeem(&stack, &code(&lin, &[("scope", scope)]).await?, &[]).await?.json()?;
    assert_eq!(text(&tokens, "scope"), "openid profile");
    let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
    for name in ["email", "email_verified", "address", "phone_number", "preferred_username"] {
        assert!(claims[name].is_null(), "{name} in {claims}");
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_display_login_hint_ui_locales_claims_locales_and_unknown_parameters() -> Result<()> {
    let (_stack, lin) = lin().await?;
    for changes in [
        [("display", "page")],
        [("display", "popup")],
        [("login_hint", "buffy@example.com")],
        [("ui_locales", "se zh-TW")],
        [("claims_locales", "se")],
        [("extra", "foobar")],
        [("acr_values", "urn:wechat-login:snsapi_base")],
        [("claims", r#"{"userinfo":{"name":{"essential":true}}}"#)],
    ] {
        assert!(parameter(&brought(&lin.follow(&asked(&changes)).await?)?, "code").is_some(), "{changes:?}");
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_request_with_acr_values_succeeds() -> Result<()> {
    let (stack, lin) = lin().await?;
    let asked = "urn:wechat-login:snsapi_base";
    assert_eq!(text(&id_token(&stack, &lin, &[("acr_values", asked)]).await?, "acr"), asked);
    Ok(())
}

#[tokio::test]
async fn oidcc_prompt_login() -> Result<()> {
    let (stack, lin) = lin().await?;
    let first = id_token(&stack, &lin, &[]).await?;
    age(&stack, 10)?;
    assert!(logs_in(&lin, &[("prompt", "login")]).await?);
    let second = id_token(&stack, &lin, &[]).await?;
    assert!(second["auth_time"].as_u64() >= first["auth_time"].as_u64(), "{first} {second}");
    assert_eq!(first["sub"], second["sub"]);
    Ok(())
}

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in() -> Result<()> {
    let (_stack, lin) = lin().await?;
    let state = "s".repeat(128);
    let answer = lin.open(&asked(&[("prompt", "none"), ("state", &state)])).await?.redirect()?.unwrap();
    assert_eq!(parameter(&answer, "error").as_deref(), Some("login_required"));
    assert_eq!(parameter(&answer, "state"), Some(state));
    Ok(())
}

#[tokio::test]
async fn oidcc_prompt_none_logged_in() -> Result<()> {
    let (stack, lin) = lin().await?;
    let first = id_token(&stack, &lin, &[]).await?;
    assert!(!logs_in(&lin, &[("prompt", "none")]).await?);
    let second = id_token(&stack, &lin, &[("prompt", "none")]).await?;
    assert_eq!((&first["sub"], &first["auth_time"]), (&second["sub"], &second["auth_time"]));
    Ok(())
}

#[tokio::test]
async fn oidcc_max_age_1() -> Result<()> {
    let (stack, lin) = lin().await?;
    assert!(logs_in(&lin, &[]).await?);
    age(&stack, 2)?;
    assert_eq!(told(&lin, &[("max_age", "1"), ("prompt", "none")]).await?.as_deref(), Some("login_required"));
    assert!(logs_in(&lin, &[("max_age", "1")]).await?);
    Ok(())
}

#[tokio::test]
async fn oidcc_max_age_10000() -> Result<()> {
    let (stack, lin) = lin().await?;
    let first = id_token(&stack, &lin, &[]).await?;
    age(&stack, 2)?;
    assert!(!logs_in(&lin, &[("max_age", "10000")]).await?);
    assert!(first["auth_time"].is_u64());
    Ok(())
}

#[tokio::test]
async fn oidcc_id_token_hint() -> Result<()> {
    let (stack, lin) = lin().await?;
    let tokens = redeem(&stack, &code(&lin, &[]).await?, &[]).await?.json()?;
    let hint = text(&tokens, "id_token");
    assert!(!logs_in(&lin, &[("prompt", "none"), ("id_token_hint", &hint)]).await?);
    // Somebody else is logged in meanwhile.
    let zhou = lin.hand_to("zhou");
    zhou.log_in().await?;
    let changes = [("prompt", "none"), ("id_token_hint", &*hint)];
    assert_eq!(told(&zhou, &changes).await?.as_deref(), Some("login_required"));
    Ok(())
}

#[tokio::test]
async fn oidcc_codereuse_and_codereuse_30seconds() -> Result<()> {
    let (stack, lin) = lin().await?;
    let code = code(&lin, &[]).await?;
    let tokens = redeem(&stack, &code, &[]).await?.json()?;
    assert_eq!(error_of(&redeem(&stack, &code, &[]).await?)?, (400, "invalid_grant".to_owned()));
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri_and_request_object_with_redirect_uri() -> Result<()> {
    let (_stack, lin) = lin().await?;
    let appended = format!("{APP}/callback/foo");
    for changes in
        [&[("redirect_uri", &*appended)][..], &[("redirect_uri", &*appended), ("request", "e30.e30.")]]
    {
        let answer = lin.open(&asked(changes)).await?;
        assert_eq!((answer.status, answer.location()), (400, None));
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_post_request_succeeds() -> Result<()> {
    let (_stack, lin) = lin().await?;
    let link = Url::parse(&asked(&[]))?;
    let fields: Vec<_> = link.query_pairs().collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let posted = lin.send(Visit::form(&format!("{PUBLIC_URL}/oauth2/authorize"), APP, &fields)).await?;
    assert!(parameter(&brought(&lin.go_on(&posted).await?)?, "code").is_some());
    Ok(())
}

#[tokio::test]
async fn oidcc_server_client_secret_post_and_valid_pkce() -> Result<()> {
    let (stack, lin) = lin().await?;
    let methods = &discovery(&stack).await?["token_endpoint_auth_methods_supported"];
    for method in ["client_secret_post", "client_secret_basic"] {
        assert!(methods.as_array().into_iter().flatten().any(|known| known == method), "{methods}");
    }
    let code = code(&lin, &[("client_id", "admin")]).await?;
    let with = |verifier: &str| {
        form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", "admin"),
            ("client_secret", SECRET),
            ("code_verifier", verifier),
        ])
    };
    assert_eq!(
        error_of(&post(&stack, &with(&"a".repeat(43)), None).await?)?,
        (400, "invalid_grant".to_owned())
    );
    assert_eq!(post(&stack, &with(super::code_flow::VERIFIER), None).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn oidcc_request_uri_and_request_object_are_refused() -> Result<()> {
    let (_stack, lin) = lin().await?;
    let uri = [("request_uri", "https://app.example.org/request")];
    assert_eq!(told(&lin, &uri).await?.as_deref(), Some("request_uri_not_supported"));
    assert_eq!(told(&lin, &[("request", "e30.e30.")]).await?.as_deref(), Some("request_not_supported"));
    Ok(())
}

#[tokio::test]
async fn oidcc_refresh_token() -> Result<()> {
    let (stack, lin) = lin().await?;
    let tokens = redeem(&stack, &code(&lin, &[]).await?, &[]).await?.json()?;
    let token = text(&tokens, "refresh_token");
    let other = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &token),
        ("client_id", "admin"),
        ("client_secret", SECRET),
    ]);
    let renewed = refresh(&stack, &token).await?;
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    assert_eq!(text(&renewed.json()?, "token_type"), "Bearer");
    assert_eq!(error_of(&post(&stack, &other, None).await?)?, (400, "invalid_grant".to_owned()));
    Ok(())
}

#[tokio::test]
async fn oidcc_discovery_endpoint_verification() -> Result<()> {
    let (stack, _lin) = lin().await?;
    let document = discovery(&stack).await?;
    assert_eq!(text(&document, "issuer"), PUBLIC_URL);
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "revocation_endpoint",
        "end_session_endpoint",
    ] {
        assert!(text(&document, name).starts_with("https://"), "{name}");
    }
    for (name, value) in [
        ("subject_types_supported", json!(["public"])),
        ("response_types_supported", json!(["code"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("grant_types_supported", json!(["authorization_code", "refresh_token"])),
        ("request_uri_parameter_supported", json!(false)),
        ("authorization_response_iss_parameter_supported", json!(true)),
    ] {
        assert_eq!(document[name], value, "{name}");
    }
    Ok(())
}

/// An ID token of a login, and where a logout with these parameters leads.
async fn logout(
    parameters: impl Fn(&str) -> Vec<(String, String)>,
) -> Result<(Stack, Visitor, Option<String>)> {
    let (stack, lin) = lin().await?;
    let tokens = redeem(&stack, &code(&lin, &[]).await?, &[]).await?.json()?;
    let parameters = parameters(&text(&tokens, "id_token"));
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = lin.open(&format!("{PUBLIC_URL}/oauth2/logout?{}", form(&parameters))).await?;
    let location = answer.location().map(str::to_owned);
    Ok((stack, lin, location))
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const BYE: &str = "https://app.example.org/bye";

#[tokio::test]
async fn oidcc_rp_initiated_logout() -> Result<()> {
    let state = "s".repeat(128);
    let all =
        |hint: &str| pairs(&[("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", &state)]);
    let (_stack, lin, location) = logout(all).await?;
    assert_eq!(location, Some(format!("{BYE}?state={state}")));
    assert_eq!(told(&lin, &[("prompt", "none")]).await?.as_deref(), Some("login_required"));
    Ok(())
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state_and_no_post_logout_redirect_uri() -> Result<()> {
    let no_state = |hint: &str| pairs(&[("id_token_hint", hint), ("post_logout_redirect_uri", BYE)]);
    let (_stack, lin, location) = logout(no_state).await?;
    assert_eq!(location.as_deref(), Some(BYE));
    assert_eq!(told(&lin, &[("prompt", "none")]).await?.as_deref(), Some("login_required"));
    let (_stack, lin, location) = logout(|hint| pairs(&[("id_token_hint", hint)])).await?;
    assert_eq!(location, Some(format!("{PUBLIC_URL}/")));
    assert_eq!(told(&lin, &[("prompt", "none")]).await?.as_deref(), Some("login_required"));
    Ok(())
}

/// Bad, modified or no hints, and addresses that are not registered: nobody is sent anywhere, and nobody is logged out
/// without a tap.
#[tokio::test]
async fn oidcc_rp_initiated_logout_is_careful() -> Result<()> {
    let none = |hint: &str| {
        let claims = hint.split('.').nth(1).unwrap_or_default().to_owned();
        format!("eyJhbGciOiJub25lIn0.{claims}.")
    };
    for number in 0..7 {
        let parameters = |hint: &str| match number {
            0 => pairs(&[]),
            1 => pairs(&[("state", "s")]),
            2 => pairs(&[("post_logout_redirect_uri", BYE), ("state", "s")]),
            3 => pairs(&[("id_token_hint", &none(hint)), ("post_logout_redirect_uri", BYE)]),
            4 => pairs(&[
                ("id_token_hint", &format!("{}AAAA", &hint[..hint.len() - 4])),
                ("post_logout_redirect_uri", BYE),
            ]),
            5 => pairs(&[("id_token_hint", hint), ("post_logout_redirect_uri", &format!("{BYE}?a=1"))]),
            _ => pairs(&[("id_token_hint", hint), ("post_logout_redirect_uri", "https://evil.example/")]),
        };
        let (_stack, lin, location) = logout(parameters).await?;
        assert_eq!(location, None, "{number}");
        assert_eq!(told(&lin, &[("prompt", "none")]).await?, None, "{number}: still logged in");
    }
    Ok(())
}
