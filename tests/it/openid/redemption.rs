//! A code is redeemed for tokens: once, by the client that asked, with the proof that it did.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::{
    Failure, Result, Stack,
    database::{attribute, number},
    proxy::{Fault, Kind, Rule},
    stack::PUBLIC_URL,
    time,
};
use serde_json::{Value, json};

use super::code_flow::{
    CHALLENGE, REDIRECT_URI, SECRET, VERIFIER, answered, basic, brought, code, error_of, form, lin, options,
    parameter, post, provider, redeem, redemption, refresh, refused, renew, revoke, text, tokens_of,
    userinfo, verified, visitor,
};

#[tokio::test]
async fn a_code_is_redeemed_once_and_a_second_time_ends_the_grant() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let code_ = code(&visitor, &[]).await?;
    let first = redeem(&stack, &code_, &[]).await?.json()?;
    assert_eq!(userinfo(&stack, &text(&first, "access_token")).await?.status, 200);
    assert_eq!(error_of(&redeem(&stack, &code_, &[]).await?)?, refused("invalid_grant"));
    assert_eq!(userinfo(&stack, &text(&first, "access_token")).await?.status, 401);

    let code_ = code(&visitor, &[]).await?;
    let all = futures_util::future::join_all((0..8).map(|_| redeem(&stack, &code_, &[]))).await;
    let statuses: Vec<u16> = all.into_iter().map(|answer| Ok(answer?.status)).collect::<Result<_>>()?;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 7, "{statuses:?}");
    Ok(())
}

/// [RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2) lets a client say at the token endpoint, too, which
/// API it wants a token for. A token for another one than it says would be sent where it is not known.
#[tokio::test]
async fn a_token_is_never_for_another_api_than_the_client_says() -> Result<()> {
    const API: &str = "https://api.example.com";
    let (stack, visitor) = lin().await?;
    let code_ = code(&visitor, &[]).await?;
    let usual = redemption(&code_);
    let twice = "resource=https%3A%2F%2Fapi.example.com&resource=https%3A%2F%2Fapi.example.com";
    for more in [
        "resource=https%3A%2F%2Fother.example.com",
        "resource=https%3A%2F%2Fapi.example.com%2F",
        "resource=%zz",
        twice,
    ] {
        let answer = post(&stack, &format!("{}&{more}", form(&usual)), None).await?;
        assert_eq!(error_of(&answer)?, refused("invalid_target"), "{more}");
    }
    let tokens = redeem(&stack, &code_, &[("resource", API)]).await?.json()?;
    assert_eq!(verified(&stack, &text(&tokens, "access_token")).await?.1["aud"], API);

    let renewal = text(&tokens, "refresh_token");
    let other = [("resource", "https://other.example.com")];
    assert_eq!(error_of(&renew(&stack, &renewal, &other).await?)?, refused("invalid_target"));
    let tokens = renew(&stack, &renewal, &[("resource", API)]).await?.json()?;
    assert_eq!(verified(&stack, &text(&tokens, "access_token")).await?.1["aud"], API);

    // Of a client without an API, the tokens are for the provider itself, and for no API.
    let admin = [("client_id", "admin"), ("client_secret", SECRET)];
    let code_ = code(&visitor, &admin[..1]).await?;
    let with_api = [&admin[..], &[("resource", API)]].concat();
    assert_eq!(error_of(&redeem(&stack, &code_, &with_api).await?)?, refused("invalid_target"));
    let tokens = redeem(&stack, &code_, &admin).await?.json()?;
    assert_eq!(verified(&stack, &text(&tokens, "access_token")).await?.1["aud"], PUBLIC_URL);
    Ok(())
}

#[tokio::test]
async fn what_does_not_prove_itself_gets_nothing_and_spends_nothing() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let code_ = code(&visitor, &[]).await?;
    let guess = format!("{}{}", &code_[..24], "A".repeat(40));
    for (changes, expected) in [
        (&[("code_verifier", "")][..], "invalid_grant"),
        (&[("code_verifier", CHALLENGE)], "invalid_grant"),
        (&[("redirect_uri", "https://app.example.org/callback")], "invalid_grant"),
        (&[("code", &guess)], "invalid_grant"),
        (&[("code", "canary")], "invalid_grant"),
        (&[("redirect_uri", "")], "invalid_request"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (&[("grant_type", "")], "invalid_request"),
        (&[("client_id", "")], "invalid_request"),
    ] {
        assert_eq!(
            error_of(&redeem(&stack, &code_, changes).await?)?,
            (400, expected.to_owned()),
            "{changes:?}"
        );
    }
    for changes in [&[("client_id", "nobody")][..], &[("client_id", "admin")], &[("client_secret", "x")]] {
        assert_eq!(
            error_of(&redeem(&stack, &code_, changes).await?)?,
            refused("invalid_client"),
            "{changes:?}"
        );
    }
    assert_eq!(redeem(&stack, &code_, &[]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_code_in_another_clients_hands_is_burnt() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let code_ = code(&visitor, &[]).await?;
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code_),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]);
    let wrong = post(&stack, &body, Some(&basic("admin", "canary"))).await?;
    assert_eq!(error_of(&wrong)?, refused("invalid_client"));
    assert_eq!(wrong.header("www-authenticate"), Some("Basic realm=\"token\""));
    let stolen = post(&stack, &body, Some(&basic("admin", SECRET))).await?;
    assert_eq!(error_of(&stolen)?, refused("invalid_grant"));
    assert_eq!(error_of(&redeem(&stack, &code_, &[]).await?)?, refused("invalid_grant"));

    // Its own, by both ways to show a secret, and without PKCE.
    for by_basic in [true, false] {
        let code_ =
            code(&visitor, &[("client_id", "admin"), ("code_challenge", ""), ("code_challenge_method", "")])
                .await?;
        let mut parameters =
            vec![("grant_type", "authorization_code"), ("code", &*code_), ("redirect_uri", REDIRECT_URI)];
        if !by_basic {
            parameters.extend([("client_id", "admin"), ("client_secret", SECRET)]);
        }
        let authorization = by_basic.then(|| basic("admin", SECRET));
        let tokens = post(&stack, &form(&parameters), authorization.as_deref()).await?;
        assert_eq!(tokens.status, 200, "{}", tokens.text());
        let (_, claims) = verified(&stack, &text(&tokens.json()?, "access_token")).await?;
        assert_eq!(text(&claims, "aud"), PUBLIC_URL);
    }
    Ok(())
}

/// Both have read a code that is good, and both have signed: one write decides, and the grant ends.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_redeem_a_code_at_once_one_gets_tokens_that_are_worth_nothing() -> Result<()> {
    let stack = Stack::start(options("openid")?.proxied()).await?;
    let code_ = code(&visitor(&stack, "lin"), &[]).await?;
    let held = stack.proxy()?.inject(Rule::at(Kind::Redeem, Fault::HoldBefore).times(2));
    let both = futures_util::future::join(redeem(&stack, &code_, &[]), redeem(&stack, &code_, &[]));
    let release = async {
        let (one, other) = (held.held().await?, held.held().await?);
        one.release();
        other.release();
        Ok::<_, Failure>(())
    };
    let ((one, other), released) = futures_util::future::join(both, release).await;
    released?;
    let mut answers = [one?, other?];
    answers.sort_by_key(|answer| answer.status);
    assert_eq!(answers[0].status, 200, "{}", answers[0].text());
    assert_eq!(error_of(&answers[1])?, refused("invalid_grant"));
    assert_eq!(userinfo(&stack, &text(&answers[0].json()?, "access_token")).await?.status, 401);
    Ok(())
}

/// RFC 9700 §4.8.2: somebody took the challenge out of the request.
#[tokio::test]
async fn a_verifier_that_nobody_asked_for_proves_nothing() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let bare = [("client_id", "admin"), ("code_challenge", ""), ("code_challenge_method", "")];
    let code_ = code(&visitor, &bare).await?;
    let secret = [("client_id", "admin"), ("client_secret", SECRET)];
    assert_eq!(error_of(&redeem(&stack, &code_, &secret).await?)?, refused("invalid_grant"));
    let without = [&secret[..], &[("code_verifier", "")]].concat();
    assert_eq!(redeem(&stack, &code_, &without).await?.status, 200);
    Ok(())
}

/// RFC 6749 §2.3: whoever shows two secrets may be somebody who puts a request together from two.
#[tokio::test]
async fn a_secret_is_shown_in_one_way() -> Result<()> {
    let stack = provider().await?;
    let code_ = code(&visitor(&stack, "lin"), &[("client_id", "admin")]).await?;
    let basic = basic("admin", SECRET);
    let body = [
        ("grant_type", "authorization_code"),
        ("code", &*code_),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in [("client_secret", SECRET), ("client_secret", "another"), ("client_id", "web")] {
        let both = form(&[&body[..], &[(name, value)]].concat());
        let told = error_of(&post(&stack, &both, Some(&basic)).await?)?;
        assert_eq!(told, refused("invalid_request"), "{name}={value}");
    }
    assert_eq!(post(&stack, &form(&body), Some(&basic)).await?.status, 200);
    Ok(())
}

/// An ID token says to one client who somebody is; an access token is for an API. Neither is the other: they differ by
/// `typ`, `aud` and `scope`, and here each is known by its digest.
#[tokio::test]
async fn an_id_token_opens_nothing_and_an_access_token_is_no_hint() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[("scope", "openid orders")]).await?;
    let [id_token, access_token] = ["id_token", "access_token"].map(|name| text(&tokens, name));
    let (header, claims) = verified(&stack, &id_token).await?;
    assert_eq!((text(&header, "typ"), text(&claims, "aud")), ("JWT".to_owned(), "web".to_owned()));
    assert!(claims["scope"].is_null() && claims["client_id"].is_null(), "{claims}");
    let (header, claims) = verified(&stack, &access_token).await?;
    let api = "https://api.example.com".to_owned();
    assert_eq!((text(&header, "typ"), text(&claims, "aud")), ("at+jwt".to_owned(), api));
    assert!(claims["nonce"].is_null() && text(&claims, "scope") == "openid orders", "{claims}");

    assert_eq!(userinfo(&stack, &id_token).await?.status, 401);
    let hint = [("prompt", "none"), ("id_token_hint", &*access_token)];
    let answer = answered(&visitor, &hint).await?;
    assert_eq!(parameter(&answer, "error").as_deref(), Some("login_required"), "{answer}");
    assert_eq!(revoke(&stack, &id_token, &[]).await?.status, 200);
    assert_eq!(userinfo(&stack, &access_token).await?.status, 200, "an ID token gives nothing back");
    Ok(())
}

/// What the documentation says of how long things are good, as it lies in tokens and tables.
#[tokio::test]
async fn everything_is_over_when_the_documentation_says() -> Result<()> {
    let openid_connect = json!({ "subject": "openid",
        "clients": { "web": { "redirect_uris": [REDIRECT_URI], "refresh": true } },
        "apis": { "https://api.example.com": { "clients": ["web"], "lifetime": 900 } },
    });
    let options = options("openid")?.with("OPENID_CONNECT", &openid_connect.to_string());
    let stack = Stack::start(options).await?;
    let visitor = visitor(&stack, "lin");
    let lasts = |item: &Value, from: u64| Ok::<_, Failure>(number(item, "expires_at")? - from);
    let begin = time::now_seconds();
    let to_login = answered(&visitor, &[]).await?;
    let request = stack.logins()?.into_iter().find(|item| attribute(item, "id").starts_with("request#"));
    let lasted = lasts(&request.unwrap(), begin)?;
    assert!((4200..4210).contains(&lasted), "a request: {lasted}");
    let hops = visitor.follow(to_login.as_str()).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    let grant = || -> Result<Value> {
        let grant = stack.sessions()?.into_iter().find(|item| item.get("client").is_some());
        grant.ok_or_else(|| Failure::new("no grant"))
    };
    let issued = grant()?;
    assert_eq!(lasts(&issued, number(&issued, "created_at")?)?, 360, "a code");

    let tokens = redeem(&stack, &code, &[]).await?.json()?;
    for (name, lifetime) in [("id_token", 600), ("access_token", 900)] {
        let (_, claims) = verified(&stack, &text(&tokens, name)).await?;
        let at = |name: &str| claims[name].as_u64().unwrap_or_default();
        assert_eq!(at("exp") - at("iat"), lifetime, "{name}");
    }
    assert_eq!(tokens["expires_in"], 900);
    let redeemed = grant()?;
    let session = stack.sessions()?.into_iter().find(|item| item.get("pepper").is_some()).unwrap();
    assert_eq!(redeemed["expires_at"], session["expires_at"], "a grant ends with its session");
    assert_eq!(lasts(&session, number(&session, "created_at")?)?, 604_800, "a session");
    let access = &redeemed["access"]["L"][0]["M"];
    assert_eq!(lasts(access, number(&redeemed, "redeemed_at")?)?, 900, "an access token, in the table");

    let begin = time::now_seconds();
    assert_eq!(refresh(&stack, &text(&tokens, "refresh_token")).await?.status, 200);
    let leads_on = number(&grant()?["refresh"]["M"]["spent"]["L"][0]["M"], "until")? - begin;
    assert!((30..35).contains(&leads_on), "a token that gave way: {leads_on}");
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_session_ends_what_came_from_it() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let token = text(&tokens_of(&stack, &visitor, &[]).await?, "access_token");
    let unused = code(&visitor, &[]).await?;
    visitor.log_out().await?;
    assert_eq!(userinfo(&stack, &token).await?.status, 401);
    assert_eq!(error_of(&redeem(&stack, &unused, &[]).await?)?, refused("invalid_grant"));
    Ok(())
}

/// A grant opens with its session's pepper and no other: what is left of it when the session is gone is noise.
#[tokio::test]
async fn without_its_sessions_pepper_nothing_opens() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    let unused = code(&visitor, &[]).await?;
    let another = json!({ "B": STANDARD.encode([7; 32]) });
    stack.change_sessions("pepper", |session| session["pepper"] = another.clone())?;
    for answer in
        [redeem(&stack, &unused, &[]).await?, refresh(&stack, &text(&tokens, "refresh_token")).await?]
    {
        assert_eq!(error_of(&answer)?, refused("invalid_grant"));
    }
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
    Ok(())
}
