//! A code is redeemed for tokens: once, by the client that asked, with the proof that it did.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::{
    Failure, Result, Stack,
    database::with,
    proxy::{Fault, Kind, Rule},
    stack::PUBLIC_URL,
};
use serde_json::json;

use super::code_flow::{
    CHALLENGE, REDIRECT_URI, SECRET, VERIFIER, code, error_of, form, options, post, provider, redeem,
    refresh, text, userinfo, verified, visitor,
};

#[tokio::test]
async fn a_code_is_redeemed_once_and_a_second_time_ends_the_grant() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let code_ = code(&visitor, &[]).await?;
    let first = redeem(&stack, &code_, &[]).await?.json()?;
    assert_eq!(userinfo(&stack, &text(&first, "access_token")).await?.status, 200);
    assert_eq!(error_of(&redeem(&stack, &code_, &[]).await?)?, (400, "invalid_grant".to_owned()));
    assert_eq!(userinfo(&stack, &text(&first, "access_token")).await?.status, 401);

    let code_ = code(&visitor, &[]).await?;
    let all = futures_util::future::join_all((0..8).map(|_| redeem(&stack, &code_, &[]))).await;
    let statuses: Vec<u16> = all.into_iter().map(|answer| Ok(answer?.status)).collect::<Result<_>>()?;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 7, "{statuses:?}");
    Ok(())
}

#[tokio::test]
async fn what_does_not_prove_itself_gets_nothing_and_spends_nothing() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
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
            (401, "invalid_client".to_owned()),
            "{changes:?}"
        );
    }
    assert_eq!(redeem(&stack, &code_, &[]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_code_in_another_clients_hands_is_burnt() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let code_ = code(&visitor, &[]).await?;
    let basic = |name: &str, secret: &str| {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(name), encode(secret))))
    };
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code_),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]);
    let wrong = post(&stack, &body, Some(&basic("admin", "canary"))).await?;
    assert_eq!(error_of(&wrong)?, (401, "invalid_client".to_owned()));
    assert_eq!(wrong.header("www-authenticate"), Some("Basic realm=\"token\""));
    let stolen = post(&stack, &body, Some(&basic("admin", SECRET))).await?;
    assert_eq!(error_of(&stolen)?, (400, "invalid_grant".to_owned()));
    assert_eq!(error_of(&redeem(&stack, &code_, &[]).await?)?, (400, "invalid_grant".to_owned()));

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
    assert_eq!(error_of(&answers[1])?, (400, "invalid_grant".to_owned()));
    assert_eq!(userinfo(&stack, &text(&answers[0].json()?, "access_token")).await?.status, 401);
    Ok(())
}

/// RFC 9700 §4.8.2: somebody took the challenge out of the request.
#[tokio::test]
async fn a_verifier_that_nobody_asked_for_proves_nothing() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let bare = [("client_id", "admin"), ("code_challenge", ""), ("code_challenge_method", "")];
    let code_ = code(&visitor, &bare).await?;
    let secret = [("client_id", "admin"), ("client_secret", SECRET)];
    assert_eq!(error_of(&redeem(&stack, &code_, &secret).await?)?, (400, "invalid_grant".to_owned()));
    let without = [&secret[..], &[("code_verifier", "")]].concat();
    assert_eq!(redeem(&stack, &code_, &without).await?.status, 200);
    Ok(())
}

/// RFC 6749 §2.3: whoever shows two secrets may be somebody who puts a request together from two.
#[tokio::test]
async fn a_secret_is_shown_in_one_way() -> Result<()> {
    let stack = provider().await?;
    let code_ = code(&visitor(&stack, "lin"), &[("client_id", "admin")]).await?;
    let encoded: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("admin:{encoded}")));
    let body = [
        ("grant_type", "authorization_code"),
        ("code", &*code_),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in [("client_secret", SECRET), ("client_secret", "another"), ("client_id", "web")] {
        let both = form(&[&body[..], &[(name, value)]].concat());
        let told = error_of(&post(&stack, &both, Some(&basic)).await?)?;
        assert_eq!(told, (400, "invalid_request".to_owned()), "{name}={value}");
    }
    assert_eq!(post(&stack, &form(&body), Some(&basic)).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_session_ends_what_came_from_it() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let token = text(&redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?, "access_token");
    let unused = code(&visitor, &[]).await?;
    visitor.log_out().await?;
    assert_eq!(userinfo(&stack, &token).await?.status, 401);
    assert_eq!(error_of(&redeem(&stack, &unused, &[]).await?)?, (400, "invalid_grant".to_owned()));
    Ok(())
}

/// A grant opens with its session's pepper and no other: what is left of it when the session is gone is noise.
#[tokio::test]
async fn without_its_sessions_pepper_nothing_opens() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let tokens = redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?;
    let unused = code(&visitor, &[]).await?;
    for item in stack.sessions()?.into_iter().filter(|item| item.get("pepper").is_some()) {
        let item = with(item, "pepper", json!({ "B": STANDARD.encode([7; 32]) }));
        stack.database().put(stack.table("SessionsTable")?, &item)?;
    }
    for answer in
        [redeem(&stack, &unused, &[]).await?, refresh(&stack, &text(&tokens, "refresh_token")).await?]
    {
        assert_eq!(error_of(&answer)?, (400, "invalid_grant".to_owned()));
    }
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
    Ok(())
}
