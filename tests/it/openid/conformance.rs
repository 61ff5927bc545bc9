//! The modules of the OpenID Foundation's certification by name, and what each checks ([conformance
//! suite](https://gitlab.com/openid/conformance-suite)): 38 of *Basic OP*, one of *Config OP*, eleven of *RP-initiated
//! logout OP*, in that order. The suite itself needs a public address and a server of its own; these are its checks, a
//! function for each module, so that the lists can be laid side by side. Which are skipped, or would only be warned
//! about, stands in `docs/development/openid.md`.
//!
//! As there, the client shows its secret by HTTP Basic and sends no challenge, where a module does not say otherwise.
//! Nobody waits here: what the suite lets pass by waiting is made older in the table.

use std::collections::BTreeSet;

use harness::{
    Answer, Failure, Result, Stack, Visitor,
    browser::Visit,
    database::number,
    places::{CONSENT_PAGE, LOGOUT},
    stack::PUBLIC_URL,
    time,
};
use serde_json::{Value, json};
use url::Url;

use super::{
    JWKS,
    code_flow::{
        APP, BYE, CHALLENGE, REDIRECT_URI, SECRET, VERIFIER, asked, basic, brought, error_of, form, lin,
        logins, parameter, post, refresh, refused, renew, text, userinfo, verified,
    },
    published,
};

const USER_INFO: &str = "https://login.example.com/oauth2/userinfo";
/// The longest state that the suite sends.
const STATE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
                     0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The address that the suite's client sends a browser to.
fn request(changes: &[(&str, &str)]) -> String {
    let client = [("client_id", "admin"), ("code_challenge", ""), ("code_challenge_method", "")];
    asked(&[&client[..], &[("state", STATE)], changes].concat())
}

/// How that client asks for tokens.
async fn redeem(stack: &Stack, code: &str) -> Result<Answer> {
    let body = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI)];
    post(stack, &form(&body), Some(&basic("admin", SECRET))).await
}

/// A login at a client, from the request to the person, with all that came on the way.
struct Login {
    /// How many times WeChat was visited.
    logins: usize,
    code: String,
    tokens: Value,
    header: Value,
    claims: Value,
    shown: Value,
}

/// Holds an answer of the token endpoint, and all that it leads to, against what every module wants of it
/// ([OpenID Connect Core §3.1.3](https://openid.net/specs/openid-connect-core-1_0.html#TokenEndpoint)).
async fn judged(stack: &Stack, logins: usize, code: String, answer: &Answer) -> Result<Login> {
    let tokens = answer.json()?;
    assert_eq!(answer.status, 200, "{tokens}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        (Some("no-store"), Some("no-cache"))
    );
    assert_eq!(text(&tokens, "token_type"), "Bearer");
    assert!(tokens["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{tokens}");
    let (header, claims) = verified(stack, &text(&tokens, "id_token")).await?;
    assert_eq!((text(&claims, "iss"), text(&claims, "aud")), (PUBLIC_URL.to_owned(), "admin".to_owned()));
    assert!((1..=255).contains(&text(&claims, "sub").len()), "{claims}");
    let (now, at) = (time::now_seconds(), |name: &str| claims[name].as_u64().unwrap_or_default());
    assert!(at("iat").abs_diff(now) < 300 && at("exp") > now && at("auth_time") <= at("iat"), "{claims}");
    let shown = userinfo(stack, &text(&tokens, "access_token")).await?.json()?;
    assert_eq!(shown["sub"], claims["sub"]);
    Ok(Login { logins, code, tokens, header, claims, shown })
}

/// Goes from a request to the person; fails if anything on the way is not as every module wants it.
async fn log_in(stack: &Stack, visitor: &Visitor, changes: &[(&str, &str)]) -> Result<Login> {
    let hops = visitor.follow(&request(changes)).await?;
    let answer = brought(&hops)?;
    let code = parameter(&answer, "code").ok_or_else(|| Failure::new(format!("no code: {answer}")))?;
    assert_eq!(parameter(&answer, "state").as_deref(), Some(STATE), "{answer}");
    assert_eq!(parameter(&answer, "iss").as_deref(), Some(PUBLIC_URL), "{answer}");
    let login = judged(stack, logins(&hops), code.clone(), &redeem(stack, &code).await?).await?;
    let nonce = changes.iter().find(|(name, _)| *name == "nonce").map_or("n-0S6", |(_, nonce)| *nonce);
    assert_eq!(text(&login.claims, "nonce"), nonce);
    Ok(login)
}

/// What a client is told at once, with its state.
async fn error(visitor: &Visitor, changes: &[(&str, &str)]) -> Result<String> {
    let answer = visitor.open(&request(changes)).await?;
    let location = answer.redirect()?.ok_or_else(|| Failure::new(answer.text()))?;
    assert!(location.as_str().starts_with(REDIRECT_URI), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some(STATE), "{location}");
    parameter(&location, "error").ok_or_else(|| Failure::new(format!("no error: {location}")))
}

/// Whether the browser stays, on a page that says no.
fn is_error_page(answer: &Answer) -> bool {
    answer.status == 400 && answer.location().is_none() && answer.text().contains("<h1>")
}

/// Lets the session be so many seconds older than it is.
fn age(stack: &Stack, seconds: u64) -> Result<()> {
    stack.change_sessions("pepper", |session| {
        let created_at = number(session, "created_at").unwrap_or_default();
        session["created_at"] = json!({ "N": (created_at - seconds).to_string() });
    })
}

async fn discovery(stack: &Stack) -> Result<Value> {
    let answer = stack.browser().get(&format!("{PUBLIC_URL}/.well-known/openid-configuration")).await?;
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    answer.json()
}

/// Whether a list of the discovery document has this.
async fn is_listed(stack: &Stack, list: &str, name: &str) -> Result<bool> {
    Ok(discovery(stack).await?[list].as_array().into_iter().flatten().any(|known| known == name))
}

/// A login with a parameter that must change nothing.
async fn succeeds_with(name: &str, value: &str) -> Result<Login> {
    let (stack, lin) = lin().await?;
    log_in(&stack, &lin, &[(name, value)]).await
}

/// A scope of which nothing is on offer, so that its module is skipped: a login that asks for it goes on, and is told
/// nothing.
async fn is_skipped(scopes: &[&str]) -> Result<()> {
    let (stack, lin) = lin().await?;
    for scope in scopes {
        assert!(!is_listed(&stack, "scopes_supported", scope).await?, "{scope}");
    }
    let scope = [&["openid", "profile"][..], scopes].concat().join(" ");
    let login = log_in(&stack, &lin, &[("scope", &scope)]).await?;
    assert_eq!(text(&login.tokens, "scope"), "openid profile");
    for name in ["email", "email_verified", "address", "phone_number", "phone_number_verified"] {
        assert!(login.claims[name].is_null() && login.shown[name].is_null(), "{name} in {}", login.shown);
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_server() -> Result<()> {
    let (stack, lin) = lin().await?;
    let login = log_in(&stack, &lin, &[]).await?;
    assert_eq!(login.logins, 1);
    let keys = published(&stack).await;
    let names: Vec<_> = keys["keys"].as_array().into_iter().flatten().map(|key| text(key, "kid")).collect();
    assert!(!names.is_empty() && names.iter().all(|name| !name.is_empty()), "{keys}");
    assert!((1..names.len()).all(|at| !names[..at].contains(&names[at])), "{keys}");
    Ok(())
}

#[tokio::test]
async fn oidcc_response_type_missing() -> Result<()> {
    let (_stack, lin) = lin().await?;
    assert_eq!(error(&lin, &[("response_type", "")]).await?, "invalid_request");
    Ok(())
}

#[tokio::test]
async fn oidcc_idtoken_signature() -> Result<()> {
    let (stack, lin) = lin().await?;
    let header = log_in(&stack, &lin, &[]).await?.header;
    assert_eq!(text(&header, "alg"), "RS256");
    let keys = published(&stack).await;
    assert!(keys["keys"].as_array().into_iter().flatten().any(|key| key["kid"] == header["kid"]), "{header}");
    Ok(())
}

/// Skipped: there is no `none`, and nobody can ask for it.
#[tokio::test]
async fn oidcc_idtoken_unsigned() -> Result<()> {
    let (stack, _lin) = lin().await?;
    assert!(!is_listed(&stack, "id_token_signing_alg_values_supported", "none").await?);
    assert!(is_listed(&stack, "id_token_signing_alg_values_supported", "RS256").await?);
    Ok(())
}

/// Asks who it is, by a request of this kind, of somebody who has just logged in.
async fn asks_who_it_is(ask: impl Fn(&str) -> Visit) -> Result<(Answer, Value)> {
    let (stack, lin) = lin().await?;
    let login = log_in(&stack, &lin, &[]).await?;
    Ok((stack.browser().send(ask(&text(&login.tokens, "access_token"))).await?, login.claims))
}

#[tokio::test]
async fn oidcc_userinfo_get() -> Result<()> {
    let get = |token: &str| Visit::open(USER_INFO).header("authorization", &format!("Bearer {token}"));
    let (answer, claims) = asks_who_it_is(get).await?;
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!((answer.status, &answer.json()?["sub"]), (200, &claims["sub"]));
    Ok(())
}

#[tokio::test]
async fn oidcc_userinfo_post_header() -> Result<()> {
    let posted =
        |token: &str| Visit::posted(USER_INFO, "").header("authorization", &format!("Bearer {token}"));
    let (answer, claims) = asks_who_it_is(posted).await?;
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!((answer.status, &answer.json()?["sub"]), (200, &claims["sub"]));
    Ok(())
}

/// A warning there: a token is looked for in the header only.
#[tokio::test]
async fn oidcc_userinfo_post_body() -> Result<()> {
    let posted = |token: &str| Visit::posted(USER_INFO, &form(&[("access_token", token)]));
    let (answer, _) = asks_who_it_is(posted).await?;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer realm=\"userinfo\"")));
    Ok(())
}

/// Who shows nothing is told which scheme to use, and of no error
/// ([RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)); what is no one token is a malformed request.
#[tokio::test]
async fn what_is_no_one_token_is_told_from_none() -> Result<()> {
    let (stack, lin) = lin().await?;
    let token = text(&log_in(&stack, &lin, &[]).await?.tokens, "access_token");
    let bearer = format!("Bearer {token}");
    let nothing = (401, Some("Bearer realm=\"userinfo\""));
    let malformed = (400, Some("Bearer realm=\"userinfo\", error=\"invalid_request\""));
    for (header, expected) in [
        (None, nothing),
        (Some("Basic d2ViOg=="), nothing),
        (Some("Bearer"), malformed),
        (Some("Bearer a b"), malformed),
        // What API Gateway makes of two headers.
        (Some(&*format!("{bearer}, {bearer}")), malformed),
        (Some("Bearer canary"), (401, Some("Bearer realm=\"userinfo\", error=\"invalid_token\""))),
    ] {
        let visit = Visit::open(USER_INFO);
        let visit = header.into_iter().fold(visit, |visit, header| visit.header("authorization", header));
        let answer = stack.browser().send(visit).await?;
        assert_eq!((answer.status, answer.header("www-authenticate")), expected, "{header:?}");
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow() -> Result<()> {
    assert!(succeeds_with("nonce", "").await?.claims["nonce"].is_null());
    Ok(())
}

#[tokio::test]
async fn oidcc_scope_profile() -> Result<()> {
    let (stack, lin) = lin().await?;
    // As the module asks, without a word of consent: a first login is silent, and knows no name. The suite warns.
    let login = log_in(&stack, &lin, &[("scope", "openid profile")]).await?;
    assert_eq!((login.logins, text(&login.tokens, "scope")), (1, "openid profile".to_owned()));
    for said in [&login.shown, &login.claims] {
        assert!(["name", "nickname", "picture"].iter().all(|name| said[name].is_null()), "{said}");
    }
    // What it would find where the person was asked.
    let changes = [("scope", "openid profile"), ("prompt", "consent"), ("ui_locales", "zh-CN")];
    let login = log_in(&stack, &lin, &changes).await?;
    for name in ["name", "nickname", "picture", "locale"] {
        assert!(!text(&login.shown, name).is_empty(), "{name} in {}", login.shown);
    }
    assert!(Url::parse(&text(&login.shown, "picture"))?.scheme() == "https", "{}", login.shown);
    assert!(login.shown["updated_at"].is_u64(), "{}", login.shown);
    // Without the scope nothing of it is told, though it is known now.
    let login = log_in(&stack, &lin, &[("scope", "openid")]).await?;
    for said in [&login.shown, &login.claims] {
        assert!(["name", "nickname", "picture"].iter().all(|name| said[name].is_null()), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_scope_email() -> Result<()> {
    is_skipped(&["email"]).await
}

#[tokio::test]
async fn oidcc_scope_address() -> Result<()> {
    is_skipped(&["address"]).await
}

#[tokio::test]
async fn oidcc_scope_phone() -> Result<()> {
    is_skipped(&["phone"]).await
}

#[tokio::test]
async fn oidcc_scope_all() -> Result<()> {
    is_skipped(&["email", "address", "phone"]).await
}

/// Skipped there, for it wants `email`; the order of scopes and parameters is free all the same.
#[tokio::test]
async fn oidcc_alternate_happy_flow() -> Result<()> {
    let (stack, lin) = lin().await?;
    let mut link = Url::parse(&request(&[("scope", "profile openid")]))?;
    let mut parameters: Vec<_> = link.query_pairs().into_owned().collect();
    parameters.reverse();
    link.query_pairs_mut().clear().extend_pairs(parameters);
    let hops = lin.follow(link.as_str()).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    let login = judged(&stack, logins(&hops), code.clone(), &redeem(&stack, &code).await?).await?;
    assert_eq!(text(&login.tokens, "scope"), "openid profile");
    Ok(())
}

#[tokio::test]
async fn oidcc_display_page() -> Result<()> {
    succeeds_with("display", "page").await.map(drop)
}

#[tokio::test]
async fn oidcc_display_popup() -> Result<()> {
    succeeds_with("display", "popup").await.map(drop)
}

/// Somebody who logged in so many seconds ago, as the ID token says of that login.
async fn logged_in(seconds_ago: u64) -> Result<(Stack, Visitor, Login)> {
    let (stack, lin) = lin().await?;
    assert_eq!(log_in(&stack, &lin, &[]).await?.logins, 1);
    age(&stack, seconds_ago)?;
    let login = log_in(&stack, &lin, &[]).await?;
    assert_eq!(login.logins, 0);
    Ok((stack, lin, login))
}

/// A second login of the same person, which a page of WeChat's asked for, and which is later by at least these seconds.
fn assert_anew(stack: &Stack, first: &Login, second: &Login, seconds: u64) {
    assert_eq!((second.logins, &second.claims["sub"]), (1, &first.claims["sub"]));
    let at = |login: &Login| login.claims["auth_time"].as_u64().unwrap_or_default();
    assert!(at(second) >= at(first) + seconds, "{} {}", first.claims, second.claims);
    assert!(at(second).abs_diff(time::now_seconds()) < 300, "{}", second.claims);
    let pages = stack.requests(CONSENT_PAGE);
    let asked = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let is_shown = [asked("scope", "snsapi_userinfo"), asked("forcePopup", "true")];
    assert!(
        pages.last().is_some_and(|page| is_shown.iter().all(|asked| page.query.contains(asked))),
        "{pages:?}"
    );
}

#[tokio::test]
async fn oidcc_prompt_login() -> Result<()> {
    let (stack, lin, first) = logged_in(10).await?;
    let second = log_in(&stack, &lin, &[("prompt", "login")]).await?;
    assert_anew(&stack, &first, &second, 10);
    Ok(())
}

#[tokio::test]
async fn oidcc_prompt_none_not_logged_in() -> Result<()> {
    let (_stack, lin) = lin().await?;
    assert_eq!(STATE.len(), 128);
    assert_eq!(error(&lin, &[("prompt", "none")]).await?, "login_required");
    Ok(())
}

/// A request that is answered without a login, by the one that there was.
async fn is_answered_by_the_session(changes: &[(&str, &str)]) -> Result<()> {
    let (stack, lin, first) = logged_in(10).await?;
    let hint = text(&first.tokens, "id_token");
    let changes: Vec<_> =
        changes.iter().map(|(name, value)| (*name, value.replace("[ID token]", &hint))).collect();
    let changes: Vec<_> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let second = log_in(&stack, &lin, &changes).await?;
    assert_eq!(second.logins, 0, "{changes:?}");
    for name in ["sub", "auth_time"] {
        assert!(!first.claims[name].is_null() && first.claims[name] == second.claims[name], "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_prompt_none_logged_in() -> Result<()> {
    is_answered_by_the_session(&[("prompt", "none")]).await
}

#[tokio::test]
async fn oidcc_max_age_1() -> Result<()> {
    let (stack, lin, first) = logged_in(2).await?;
    assert_eq!(error(&lin, &[("max_age", "1"), ("prompt", "none")]).await?, "login_required");
    let second = log_in(&stack, &lin, &[("max_age", "1")]).await?;
    assert_anew(&stack, &first, &second, 2);
    Ok(())
}

#[tokio::test]
async fn oidcc_max_age_10000() -> Result<()> {
    is_answered_by_the_session(&[("max_age", "10000")]).await
}

#[tokio::test]
async fn oidcc_ensure_request_with_unknown_parameter_succeeds() -> Result<()> {
    succeeds_with("extra", "foobar").await.map(drop)
}

#[tokio::test]
async fn oidcc_id_token_hint() -> Result<()> {
    is_answered_by_the_session(&[("prompt", "none"), ("id_token_hint", "[ID token]")]).await
}

#[tokio::test]
async fn oidcc_login_hint() -> Result<()> {
    succeeds_with("login_hint", "buffy@example.com").await.map(drop)
}

#[tokio::test]
async fn oidcc_ui_locales() -> Result<()> {
    succeeds_with("ui_locales", "se").await?;
    let (_stack, lin) = lin().await?;
    let to_login = lin.open(&request(&[("ui_locales", "se zh-TW en")])).await?.redirect()?.unwrap();
    assert_eq!(parameter(&to_login, "lang").as_deref(), Some("zh_TW"), "{to_login}");
    Ok(())
}

#[tokio::test]
async fn oidcc_claims_locales() -> Result<()> {
    succeeds_with("claims_locales", "se").await.map(drop)
}

/// A warning there where another one is asked for: `acr` says what the login was.
#[tokio::test]
async fn oidcc_ensure_request_with_acr_values_succeeds() -> Result<()> {
    let (stack, _lin) = lin().await?;
    let base = "urn:wechat-login:snsapi_base";
    assert!(is_listed(&stack, "acr_values_supported", base).await?);
    for asked in [base, "urn:wechat-login:snsapi_login", "1 2"] {
        assert_eq!(text(&succeeds_with("acr_values", asked).await?.claims, "acr"), base, "{asked}");
    }
    Ok(())
}

/// A code that was redeemed so many seconds ago, once more: nothing, and what it brought is worth nothing.
async fn is_redeemed_again(seconds_later: u64) -> Result<()> {
    let (stack, lin) = lin().await?;
    let login = log_in(&stack, &lin, &[]).await?;
    stack.change_sessions("client", |grant| {
        for name in ["created_at", "redeemed_at"] {
            let earlier = number(grant, name).unwrap_or_default() - seconds_later;
            grant[name] = json!({ "N": earlier.to_string() });
        }
    })?;
    let again = redeem(&stack, &login.code).await?;
    assert_eq!(again.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(error_of(&again)?, refused("invalid_grant"));
    assert_eq!(userinfo(&stack, &text(&login.tokens, "access_token")).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn oidcc_codereuse() -> Result<()> {
    is_redeemed_again(0).await
}

#[tokio::test]
async fn oidcc_codereuse_30seconds() -> Result<()> {
    is_redeemed_again(30).await
}

#[tokio::test]
async fn oidcc_ensure_registered_redirect_uri() -> Result<()> {
    let (_stack, lin) = lin().await?;
    for uri in [&format!("{APP}/callback/foo?tenant=1"), &format!("{REDIRECT_URI}/foo")] {
        assert!(is_error_page(&lin.open(&request(&[("redirect_uri", uri)])).await?), "{uri}");
    }
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_post_request_succeeds() -> Result<()> {
    let (stack, lin) = lin().await?;
    let link = Url::parse(&request(&[]))?;
    let fields: Vec<_> = link.query_pairs().collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let posted = lin.send(Visit::form(&format!("{PUBLIC_URL}/oauth2/authorize"), APP, &fields)).await?;
    let hops = lin.go_on(&posted).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    judged(&stack, logins(&hops), code.clone(), &redeem(&stack, &code).await?).await.map(drop)
}

/// Redeems a code with these parameters, the secret among them.
async fn redeem_by_form(stack: &Stack, code: &str, more: &[(&str, &str)]) -> Result<Answer> {
    let body = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", "admin"),
        ("client_secret", SECRET),
    ];
    post(stack, &form(&[&body[..], more].concat()), None).await
}

#[tokio::test]
async fn oidcc_server_client_secret_post() -> Result<()> {
    let (stack, lin) = lin().await?;
    for method in ["client_secret_post", "client_secret_basic"] {
        assert!(is_listed(&stack, "token_endpoint_auth_methods_supported", method).await?, "{method}");
    }
    let hops = lin.follow(&request(&[])).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    let answer = redeem_by_form(&stack, &code, &[]).await?;
    judged(&stack, logins(&hops), code, &answer).await.map(drop)
}

#[tokio::test]
async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported() -> Result<()> {
    let (stack, lin) = lin().await?;
    assert_eq!(discovery(&stack).await?["request_uri_parameter_supported"], false);
    let uri = [("request_uri", "https://app.example.org/request")];
    assert_eq!(error(&lin, &uri).await?, "request_uri_not_supported");
    Ok(())
}

/// `{"alg":"none"}`, and a request that names another address.
const REQUEST_OBJECT: &str =
    "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2FwcC5leGFtcGxlLm9yZy9jYWxsYmFjayJ9.";

#[tokio::test]
async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported() -> Result<()> {
    let (stack, lin) = lin().await?;
    assert_eq!(discovery(&stack).await?["request_parameter_supported"], false);
    assert_eq!(error(&lin, &[("request", REQUEST_OBJECT)]).await?, "request_not_supported");
    Ok(())
}

/// A warning there: `claims` is ignored, and `name` comes with `profile`.
#[tokio::test]
async fn oidcc_claims_essential() -> Result<()> {
    let (stack, lin) = lin().await?;
    assert_eq!(discovery(&stack).await?["claims_parameter_supported"], false);
    let claims = ("claims", r#"{"userinfo":{"name":{"essential":true}}}"#);
    assert!(log_in(&stack, &lin, &[claims, ("scope", "openid")]).await?.shown["name"].is_null());
    let login = log_in(&stack, &lin, &[claims, ("prompt", "consent")]).await?;
    assert!(!text(&login.shown, "name").is_empty(), "{}", login.shown);
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_request_object_with_redirect_uri() -> Result<()> {
    let (_stack, lin) = lin().await?;
    let appended = format!("{APP}/callback/foo");
    let changes = [("redirect_uri", &*appended), ("request", REQUEST_OBJECT)];
    assert!(is_error_page(&lin.open(&request(&changes)).await?));
    Ok(())
}

#[tokio::test]
async fn oidcc_refresh_token() -> Result<()> {
    let (stack, _lin, first) = logged_in(10).await?;
    let token = text(&first.tokens, "refresh_token");
    // 96 bits are wanted; each character is six.
    assert!(token.len() >= 16, "{token}");
    let own = [("client_id", "admin"), ("client_secret", SECRET)];
    let answer = renew(&stack, &token, &own).await?;
    let second = judged(&stack, 0, String::new(), &answer).await?;
    for name in ["iss", "sub", "aud", "auth_time", "azp"] {
        assert_eq!(first.claims[name], second.claims[name], "{name}");
    }
    assert!(second.claims["iat"].as_u64() >= first.claims["iat"].as_u64(), "{}", second.claims);
    assert_ne!(first.tokens["access_token"], second.tokens["access_token"]);
    // Another client's is nobody's.
    let token = text(&second.tokens, "refresh_token");
    assert_eq!(error_of(&refresh(&stack, &token).await?)?, refused("invalid_grant"));
    Ok(())
}

#[tokio::test]
async fn oidcc_ensure_request_with_valid_pkce_succeeds() -> Result<()> {
    let (stack, lin) = lin().await?;
    assert!(is_listed(&stack, "code_challenge_methods_supported", "S256").await?);
    let hops =
        lin.follow(&request(&[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")])).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    for wrong in [&[][..], &[("code_verifier", &*"a".repeat(43))]] {
        let answer = redeem_by_form(&stack, &code, wrong).await?;
        assert_eq!(error_of(&answer)?, refused("invalid_grant"), "{wrong:?}");
    }
    let answer = redeem_by_form(&stack, &code, &[("code_verifier", VERIFIER)]).await?;
    judged(&stack, logins(&hops), code, &answer).await.map(drop)
}

/// The members of the discovery document that are addresses.
const ADDRESSES: [&str; 6] = [
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "revocation_endpoint",
    "end_session_endpoint",
];

#[tokio::test]
async fn oidcc_discovery_endpoint_verification() -> Result<()> {
    let (stack, _lin) = lin().await?;
    let document = discovery(&stack).await?;
    assert_eq!(text(&document, "issuer"), PUBLIC_URL);
    for name in ADDRESSES {
        let url = Url::parse(&text(&document, name))?;
        assert!(url.scheme() == "https" && url.fragment().is_none(), "{name}: {url}");
    }
    let values = [
        ("subject_types_supported", json!(["public"])),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query"])),
        ("id_token_signing_alg_values_supported", json!(["RS256"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("grant_types_supported", json!(["authorization_code", "refresh_token"])),
        ("scopes_supported", json!(["openid", "profile"])),
        ("claims_parameter_supported", json!(false)),
        ("request_parameter_supported", json!(false)),
        // Where it is missing, it is true.
        ("request_uri_parameter_supported", json!(false)),
        ("authorization_response_iss_parameter_supported", json!(true)),
    ];
    for (name, value) in &values {
        assert_eq!(document[*name], *value, "{name}");
    }
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    for claim in ["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "name", "picture"] {
        assert!(list("claims_supported").contains(&json!(claim)), "{claim}");
    }
    // BCP 47: a language of two letters, and its region.
    for locale in list("ui_locales_supported") {
        let locale = locale.as_str().unwrap_or_default().to_owned();
        let is_tag = |(language, region): (&str, &str)| {
            language.len() == 2 && region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase())
        };
        assert!(locale.len() == 2 || locale.split_once('-').is_some_and(is_tag), "{locale}");
    }
    // None that no registry knows: https://www.iana.org/assignments/oauth-parameters.
    let known = [
        "acr_values_supported",
        "claims_supported",
        "issuer",
        "prompt_values_supported",
        "revocation_endpoint_auth_methods_supported",
        "token_endpoint_auth_methods_supported",
        "ui_locales_supported",
    ];
    let known: BTreeSet<_> = ADDRESSES.into_iter().chain(values.map(|(name, _)| name)).chain(known).collect();
    let members: BTreeSet<_> = document.as_object().into_iter().flatten().map(|(name, _)| &**name).collect();
    assert_eq!(members, known);
    let keys = stack.browser().get(JWKS).await?;
    assert_eq!(keys.header("content-type"), Some("application/json; charset=utf-8"));
    for key in keys.json()?["keys"].as_array().into_iter().flatten() {
        assert_eq!(
            ["kty", "use", "alg", "e"].map(|name| text(key, name)),
            ["RSA", "sig", "RS256", "AQAB"].map(str::to_owned),
            "{key}"
        );
        // 2,048 bits, and nothing of the private half.
        assert!(text(key, "n").len() >= 342 && !text(key, "kid").is_empty() && key["d"].is_null(), "{key}");
    }
    Ok(())
}

/// Somebody who is logged in at a client, and the ID token of it.
async fn logged_in_with_hint() -> Result<(Stack, Visitor, String)> {
    let (stack, lin) = lin().await?;
    let hint = text(&log_in(&stack, &lin, &[]).await?.tokens, "id_token");
    Ok((stack, lin, hint))
}

async fn log_out(visitor: &Visitor, parameters: &[(&str, &str)]) -> Result<Answer> {
    visitor.open(&format!("{PUBLIC_URL}/oauth2/logout?{}", form(parameters))).await
}

/// Whether nobody is logged in for a client any more.
async fn is_out(visitor: &Visitor) -> Result<bool> {
    let answer = visitor.open(&request(&[("prompt", "none")])).await?;
    let location = answer.redirect()?.ok_or_else(|| Failure::new(answer.text()))?;
    Ok(parameter(&location, "error").as_deref() == Some("login_required"))
}

/// A page that asks, and leads nowhere; who taps there is logged out, and is shown it.
async fn asks_first(visitor: &Visitor, parameters: &[(&str, &str)]) -> Result<()> {
    let page = log_out(visitor, parameters).await?;
    assert_eq!((page.status, page.location()), (200, None), "{parameters:?}");
    assert!(page.text().contains("action=\"/logout\""), "{}", page.text());
    assert!(!is_out(visitor).await?, "{parameters:?}: a link alone logs nobody out");
    let tapped = visitor.send(Visit::form(LOGOUT, PUBLIC_URL, &[])).await?;
    assert_eq!(tapped.redirect()?.map(String::from), Some(format!("{PUBLIC_URL}/")));
    assert!(is_out(visitor).await?, "{parameters:?}");
    Ok(())
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_discovery_endpoint_verification() -> Result<()> {
    let (stack, _lin) = lin().await?;
    assert_eq!(
        text(&discovery(&stack).await?, "end_session_endpoint"),
        format!("{PUBLIC_URL}/oauth2/logout")
    );
    Ok(())
}

#[tokio::test]
async fn oidcc_rp_initiated_logout() -> Result<()> {
    let (_stack, lin, hint) = logged_in_with_hint().await?;
    let all = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BYE), ("state", STATE)];
    assert_eq!(log_out(&lin, &all).await?.location(), Some(&*format!("{BYE}?state={STATE}")));
    assert!(is_out(&lin).await?);
    Ok(())
}

/// A page, and whoever was logged in still is.
async fn is_refused(uri: &str) -> Result<()> {
    let (_stack, lin, hint) = logged_in_with_hint().await?;
    let all = [("id_token_hint", &*hint), ("post_logout_redirect_uri", uri), ("state", STATE)];
    assert!(is_error_page(&log_out(&lin, &all).await?), "{uri}");
    assert!(!is_out(&lin).await?, "{uri}");
    Ok(())
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() -> Result<()> {
    is_refused("https://app.example.org/bye/foo").await
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() -> Result<()> {
    is_refused(&format!("{BYE}?foo=bar")).await
}

/// `{"alg":"none"}`, the same claims, and no signature.
#[tokio::test]
async fn oidcc_rp_initiated_logout_modified_id_token_hint() -> Result<()> {
    let (_stack, lin, hint) = logged_in_with_hint().await?;
    let claims = hint.split('.').nth(1).unwrap_or_default();
    let none = format!("eyJhbGciOiJub25lIn0.{claims}.");
    asks_first(&lin, &[("id_token_hint", &none), ("post_logout_redirect_uri", BYE), ("state", STATE)]).await
}

/// The same claims, signed by somebody else.
#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_id_token_hint() -> Result<()> {
    let (_stack, lin, hint) = logged_in_with_hint().await?;
    let (signed, signature) = hint.rsplit_once('.').unwrap_or_default();
    let other: String = signature.chars().rev().collect();
    let forged = format!("{signed}.{other}");
    asks_first(&lin, &[("id_token_hint", &forged), ("post_logout_redirect_uri", BYE), ("state", STATE)]).await
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_id_token_hint() -> Result<()> {
    let (_stack, lin, _) = logged_in_with_hint().await?;
    asks_first(&lin, &[("post_logout_redirect_uri", BYE), ("state", STATE)]).await
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params() -> Result<()> {
    let (_stack, lin, _) = logged_in_with_hint().await?;
    asks_first(&lin, &[]).await
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_only_state() -> Result<()> {
    let (_stack, lin, _) = logged_in_with_hint().await?;
    asks_first(&lin, &[("state", STATE)]).await
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() -> Result<()> {
    let (_stack, lin, hint) = logged_in_with_hint().await?;
    let answer = log_out(&lin, &[("id_token_hint", &hint), ("state", STATE)]).await?;
    assert_eq!(answer.location(), Some(&*format!("{PUBLIC_URL}/")));
    assert!(is_out(&lin).await?);
    Ok(())
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state() -> Result<()> {
    let (_stack, lin, hint) = logged_in_with_hint().await?;
    let answer = log_out(&lin, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]).await?;
    assert_eq!(answer.location(), Some(BYE));
    assert!(is_out(&lin).await?);
    Ok(())
}
