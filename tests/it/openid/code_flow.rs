//! The code flow, as a relying party has it.

use harness::{
    Failure, Result, Stack,
    binaries::workspace,
    browser::Visit,
    database::with,
    places::CALLBACK,
    proxy::{Fault, Kind, Rule},
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP},
    time,
};
use serde_json::{Value, json};
use simulator::Denial;
use url::Url;

pub use harness::relying_party::*;

use super::{Token, published, verify};

use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};

/// Header and claims of a token whose signature is right by the published keys.
pub async fn verified(stack: &Stack, token: &str) -> Result<(Value, Value)> {
    let Token { header, claims } = verify(&published(stack).await, token).map_err(Failure::new)?;
    Ok((header, claims))
}

#[tokio::test]
async fn a_person_logs_in_at_a_client_and_is_who_he_is() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    for is_first in [true, false] {
        let hops = visitor.follow(&asked(&[])).await?;
        assert_eq!(hops.iter().any(|hop| hop.url.as_str().starts_with(CALLBACK)), is_first);
        let answer = brought(&hops)?;
        assert_eq!(parameter(&answer, "state").as_deref(), Some("a b&c=\u{5b57}"));
        assert_eq!(parameter(&answer, "iss").as_deref(), Some(PUBLIC_URL));
        assert_eq!(parameter(&answer, "tenant").as_deref(), Some("1"));

        let tokens = redeem(&stack, &parameter(&answer, "code").unwrap(), &[]).await?;
        assert_eq!(tokens.status, 200, "{}", tokens.text());
        assert_eq!(tokens.header("cache-control"), Some("no-store"));
        let tokens = tokens.json()?;
        assert_eq!(
            (text(&tokens, "token_type").as_str(), text(&tokens, "scope").as_str()),
            ("Bearer", "openid profile")
        );
        let (header, id_token) = verified(&stack, &text(&tokens, "id_token")).await?;
        let sub = format!("{OFFICIAL_ACCOUNT}.{}", visitor.openid());
        assert_eq!((text(&header, "typ"), text(&header, "alg")), ("JWT".to_owned(), "RS256".to_owned()));
        for (name, value) in [
            ("iss", PUBLIC_URL),
            ("aud", "web"),
            ("sub", &sub),
            ("nonce", "n-0S6"),
            ("acr", "urn:wechat-login:snsapi_base"),
        ] {
            assert_eq!(text(&id_token, name), value, "{name}");
        }
        let access_token = text(&tokens, "access_token");
        let digest = ring::digest::digest(&ring::digest::SHA256, access_token.as_bytes());
        assert_eq!(text(&id_token, "at_hash"), URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]));
        let (header, claims) = verified(&stack, &access_token).await?;
        assert_eq!(text(&header, "typ"), "at+jwt");
        for (name, value) in
            [("iss", PUBLIC_URL), ("aud", "https://api.example.com"), ("sub", &sub), ("client_id", "web")]
        {
            assert_eq!(text(&claims, name), value, "{name}");
        }
        assert_eq!(claims["sid"], id_token["sid"]);
        let shown = userinfo(&stack, &access_token).await?;
        assert_eq!(shown.status, 200, "{}", shown.text());
        assert_eq!(text(&shown.json()?, "sub"), sub);
        assert_eq!(text(&shown.json()?, "wechat_openid"), visitor.openid());
    }
    Ok(())
}

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

/// The log says for which client each request was, by a name of the deployment's own: what a stranger sends as one is not in it.
#[tokio::test]
async fn the_log_names_the_client() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let code_ = code(&visitor, &[]).await?;
    let tokens = redeem(&stack, &code_, &[]).await?.json()?;
    userinfo(&stack, &text(&tokens, "access_token")).await?;
    redeem(&stack, &code_, &[]).await?;
    userinfo(&stack, &text(&tokens, "access_token")).await?;
    redeem(&stack, "canary", &[("client_id", "canary-client")]).await?;
    visitor.follow(&asked(&[("scope", "canary-scope")])).await?;
    visitor.follow(&asked(&[("client_id", "canary-client")])).await?;

    let log = stack.stop().await;
    assert!(!log.text().contains("canary"), "{}", log.text());
    let lines = log.lines();
    let of = |name: &str| -> Vec<Option<String>> {
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
        let lines = lines.filter(|line| line["outcome"] == name);
        lines.map(|line| line["client"].as_str().map(str::to_owned)).collect()
    };
    let web = || Some("web".to_owned());
    for (outcome, clients) in [
        ("login_sent", vec![web()]),
        ("code_issued", vec![web()]),
        ("redeemed", vec![web()]),
        ("shown_to_client", vec![web()]),
        ("code_reused", vec![web()]),
        ("bearer_refused", vec![web()]),
        ("request_refused", vec![web()]),
        ("client_refused", vec![None]),
        ("logged_in", vec![None]),
    ] {
        assert_eq!(of(outcome), clients, "{outcome}");
    }
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

/// A second tab has half a minute; whoever comes later with a token that gave way has found it somewhere.
#[tokio::test]
async fn a_token_that_gave_way_leads_on_for_a_moment_only() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let first = redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?;
    let old = text(&first, "refresh_token");
    let second = refresh(&stack, &old).await?.json()?;
    assert_eq!(refresh(&stack, &old).await?.status, 200);
    for mut item in stack.sessions()?.into_iter().filter(|item| item.get("refresh").is_some()) {
        item["refresh"]["M"]["until"] = json!({ "N": time::now_seconds().to_string() });
        stack.database().put(stack.table("SessionsTable")?, &item)?;
    }
    for token in [old, text(&second, "refresh_token")] {
        assert_eq!(error_of(&refresh(&stack, &token).await?)?, (400, "invalid_grant".to_owned()));
    }
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
async fn a_duplicate_callback_gets_a_code_of_its_own() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let to_login = visitor.open(&asked(&[])).await?.redirect()?.unwrap();
    let callback = visitor.come_back(to_login.as_str()).await?;
    let mut codes = Vec::new();
    for _ in 0..2 {
        let back = visitor.call_back(&callback).await?;
        let answer = brought(&visitor.go_on(&back).await?)?;
        codes.push(parameter(&answer, "code").unwrap());
    }
    assert_ne!(codes[0], codes[1]);
    for code in codes {
        assert_eq!(redeem(&stack, &code, &[]).await?.status, 200);
    }
    Ok(())
}

/// A browser that opens yesterday's tabs: each tab's request comes without a cookie, and of the two browser secrets the
/// last one stays. Both arrive, and with either tab's secret the other one's request opens to nobody.
#[tokio::test]
async fn the_first_tabs_of_a_browser_both_arrive() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let mut logins = Vec::new();
    let mut requests = Vec::new();
    for state in ["one", "two"] {
        visitor.browser.forget_cookies();
        logins.push((state, visitor.open(&asked(&[("state", state)])).await?.redirect()?.unwrap()));
        let own = visitor.browser.cookies().into_iter().filter(|cookie| cookie.name.contains("request-"));
        requests.extend(own);
    }
    assert_eq!(requests.len(), 2);
    visitor.browser.forget_cookie(&requests[1].name);
    let alone = visitor.follow(logins[0].1.as_str()).await?;
    assert_eq!(alone.last().unwrap().status, 400);
    for cookie in requests {
        visitor.browser.insert_cookie(cookie);
    }
    for (state, to_login) in logins {
        let answer = brought(&visitor.follow(to_login.as_str()).await?)?;
        assert_eq!(parameter(&answer, "state").as_deref(), Some(state));
        let code = parameter(&answer, "code").unwrap();
        assert_eq!(redeem(&stack, &code, &[]).await?.status, 200);
    }
    // Whoever comes again has a secret, and is given no more cookies.
    let again = visitor.open(&asked(&[("prompt", "login")])).await?;
    assert!(
        again.set_cookies().iter().all(|cookie| !cookie.contains("request-")),
        "{:?}",
        again.set_cookies()
    );
    Ok(())
}

#[tokio::test]
async fn another_browsers_request_does_not_open() -> Result<()> {
    let stack = provider().await?;
    let (visitor, victim) = (visitor(&stack, "lin"), visitor(&stack, "mei").logged_in().await?);
    let to_login = visitor.open(&asked(&[])).await?.redirect()?.unwrap();
    let back = parameter(&to_login, "return_to").unwrap();
    let answer = victim.open(&back).await?;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.location().is_none());
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

#[tokio::test]
async fn who_declines_is_told_to_the_client() -> Result<()> {
    let stack = provider().await?;
    stack.simulator().knobs(|knobs| knobs.denial = Denial::StateOnly);
    let visitor = visitor(&stack, "lin");
    let to_login = visitor.open(&asked(&[("prompt", "consent")])).await?.redirect()?.unwrap();
    let page = visitor.begin(to_login.as_str()).await?;
    let callback = visitor.decide(&page, "deny").await?;
    let back = visitor.call_back(&callback).await?;
    let answer = brought(&visitor.go_on(&back).await?)?;
    assert_eq!(
        parameter(&answer, "error").as_deref(),
        Some("access_denied"),
        "{answer} {:?}",
        back.location()
    );
    assert_eq!(parameter(&answer, "state").as_deref(), Some("a b&c=\u{5b57}"));
    assert_eq!(parameter(&answer, "iss").as_deref(), Some(PUBLIC_URL));
    Ok(())
}

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
async fn none_never_leaves_for_wechat() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let error = async |changes: &[(&str, &str)]| {
        let answer = visitor.open(&asked(changes)).await?.redirect()?.unwrap();
        Ok::<_, Failure>(parameter(&answer, "error"))
    };
    assert_eq!(error(&[("prompt", "none")]).await?.as_deref(), Some("login_required"));
    visitor.log_in().await?;
    assert_eq!(error(&[("prompt", "none")]).await?, None);
    assert_eq!(error(&[("prompt", "none"), ("max_age", "10000")]).await?, None);
    let hint = text(&redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?, "id_token");
    assert_eq!(error(&[("prompt", "none"), ("id_token_hint", &hint)]).await?, None);
    let forged = format!("{hint}A");
    assert_eq!(
        error(&[("prompt", "none"), ("id_token_hint", &forged)]).await?.as_deref(),
        Some("login_required")
    );
    assert!(stack.requests("/connect/oauth2/authorize").len() <= 2, "only the login itself");
    Ok(())
}

#[tokio::test]
async fn a_new_login_is_another_session() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let before = visitor.session();
    for changes in [&[("prompt", "login")][..], &[("max_age", "0")]] {
        let hops = visitor.follow(&asked(changes)).await?;
        let is_asked = hops.iter().any(|hop| hop.url.as_str().starts_with(CALLBACK));
        // The clock has seconds: a login of this second is not older than none.
        assert!(is_asked || changes[0].0 == "max_age", "{changes:?}");
        assert!(parameter(&brought(&hops)?, "code").is_some());
    }
    assert_ne!(visitor.session(), before);
    Ok(())
}

/// Whoever goes back without having logged in is sent on once; the session that was to be replaced is nobody's.
#[tokio::test]
async fn a_new_login_is_not_skipped_by_going_back_at_once() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let to_login = visitor.open(&asked(&[("prompt", "login")])).await?.redirect()?.unwrap();
    let back = parameter(&to_login, "return_to").unwrap();
    let first = visitor.open(&back).await?.redirect()?.unwrap();
    assert_eq!(first.path(), "/authorize", "{first}");
    let second = visitor.open(&back).await?.redirect()?.unwrap();
    assert_eq!(parameter(&second, "error").as_deref(), Some("login_required"), "{second}");
    Ok(())
}

/// WeChat has called the person's grant gone: that session shows nobody, here as elsewhere.
#[tokio::test]
async fn what_wechat_has_ended_gives_nothing() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let tokens = redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?;
    let unused = code(&visitor, &[]).await?;
    for item in stack.sessions()?.into_iter().filter(|item| item.get("sealed").is_some()) {
        let item = with(item, "refused_at", json!({ "N": time::now_seconds().to_string() }));
        stack.database().put(stack.table("SessionsTable")?, &item)?;
    }
    let silent = visitor.open(&asked(&[("prompt", "none")])).await?.redirect()?.unwrap();
    assert_eq!(parameter(&silent, "error").as_deref(), Some("login_required"));
    for answer in
        [redeem(&stack, &unused, &[]).await?, refresh(&stack, &text(&tokens, "refresh_token")).await?]
    {
        assert_eq!(error_of(&answer)?, (400, "invalid_grant".to_owned()));
    }
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
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

/// DynamoDB forgets late, and a grant outlives its access tokens.
#[tokio::test]
async fn an_access_token_is_over_when_it_says_so() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let token = text(&redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?, "access_token");
    assert_eq!(userinfo(&stack, &token).await?.status, 200);
    for mut item in stack.sessions()?.into_iter().filter(|item| item.get("access").is_some()) {
        item["access"]["L"][0]["M"]["expires_at"] = json!({ "N": time::now_seconds().to_string() });
        stack.database().put(stack.table("SessionsTable")?, &item)?;
    }
    assert_eq!(userinfo(&stack, &token).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn another_client_gives_no_token_back_and_none_asks_for_more_than_it_was_given() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let asked_for = [("scope", "openid")];
    let tokens = redeem(&stack, &code(&visitor, &asked_for).await?, &[]).await?.json()?;
    let (access, renewal) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let body = form(&[("token", &renewal), ("client_id", "admin"), ("client_secret", SECRET)]);
    let answer = stack.browser().send(Visit::posted(&format!("{PUBLIC_URL}/oauth2/revoke"), &body)).await?;
    assert_eq!(answer.status, 200);
    assert_eq!(userinfo(&stack, &access).await?.status, 200);
    for scope in ["openid profile", "openid orders", "profile"] {
        let body = [("grant_type", "refresh_token"), ("refresh_token", &renewal), ("client_id", "web")];
        let wider = post(&stack, &form(&[&body[..], &[("scope", scope)]].concat()), None).await?;
        assert_eq!(error_of(&wider)?, (400, "invalid_scope".to_owned()), "{scope}");
    }
    assert_eq!(refresh(&stack, &renewal).await?.status, 200);
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

/// A client of one account never sees who is logged in at another one's app.
#[tokio::test]
async fn a_session_of_another_accounts_app_is_nobodys() -> Result<()> {
    let openid_connect = json!({ "subject": "openid", "clients": {
        "web": { "redirect_uris": [REDIRECT_URI], "account": "shop" },
    }});
    let accounts = json!({ "shop": { "official_account": WEBSITE_APP.replace("bbb", "aa2"),
        "allowed_origins": ["https://shop.example.com"] } });
    let options = options("openid")?
        .with("OPENID_CONNECT", &openid_connect.to_string())
        .with("ACCOUNTS", &accounts.to_string());
    let stack = Stack::start(options).await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let silent = visitor.open(&asked(&[("prompt", "none")])).await?.redirect()?.unwrap();
    assert_eq!(parameter(&silent, "error").as_deref(), Some("login_required"), "{silent}");
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

#[tokio::test]
async fn a_person_without_a_unionid_is_asked_once_and_never_somebody_else() -> Result<()> {
    let stack = Stack::start(options("unionid")?).await?;
    let visitor = visitor(&stack, "lin");
    let hops = visitor.follow(&asked(&[])).await?;
    let page = hops.last().unwrap();
    assert_eq!(page.status, 403, "{}", page.text());
    let link = page.text();
    let link = link.split("class=\"button\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let hops = visitor.follow(&link.replace("&#38;", "&")).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    let tokens = redeem(&stack, &code, &[]).await?.json()?;
    let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
    assert_eq!(claims["sub"], claims["wechat_unionid"]);
    assert!(!text(&claims, "nickname").is_empty(), "{claims}");
    Ok(())
}

#[tokio::test]
async fn two_tabs_that_renew_at_once_go_on_both_and_an_old_token_ends_the_grant() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let first = redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?;
    let one = text(&first, "refresh_token");
    let (left, right) = futures_util::future::join(refresh(&stack, &one), refresh(&stack, &one)).await;
    let (left, right) = (left?.json()?, right?.json()?);
    let two = text(&left, "refresh_token");
    assert_eq!(text(&right, "refresh_token"), two, "{right}");
    assert_ne!(one, two);
    for tokens in [&left, &right] {
        assert_eq!(userinfo(&stack, &text(tokens, "access_token")).await?.status, 200);
        let (_, claims) = verified(&stack, &text(tokens, "id_token")).await?;
        let (_, before) = verified(&stack, &text(&first, "id_token")).await?;
        assert!(claims["nonce"].is_null());
        for name in ["iss", "sub", "aud", "auth_time", "sid"] {
            assert_eq!(claims[name], before[name], "{name}");
        }
    }
    let three = refresh(&stack, &two).await?.json()?;
    assert_eq!(userinfo(&stack, &text(&three, "access_token")).await?.status, 200);
    assert_eq!(error_of(&refresh(&stack, &one).await?)?, (400, "invalid_grant".to_owned()));
    for token in [&left, &three] {
        assert_eq!(userinfo(&stack, &text(token, "access_token")).await?.status, 401);
    }
    assert_eq!(
        error_of(&refresh(&stack, &text(&three, "refresh_token")).await?)?,
        (400, "invalid_grant".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn a_guess_with_a_known_sid_writes_nothing() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let tokens = redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?;
    let (_, claims) = verified(&stack, &text(&tokens, "access_token")).await?;
    let sid = URL_SAFE_NO_PAD.decode(text(&claims, "sid")).unwrap();
    let guess = URL_SAFE_NO_PAD.encode([&sid[..], &[0; 32]].concat());
    let before = stack.sessions()?;
    for answer in [redeem(&stack, &guess, &[]).await?, refresh(&stack, &format!("r.{guess}")).await?] {
        assert_eq!(error_of(&answer)?, (400, "invalid_grant".to_owned()));
    }
    assert_eq!(stack.sessions()?, before);
    assert_eq!(refresh(&stack, &text(&tokens, "refresh_token")).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_logout_is_not_undone_by_a_refresh_and_a_token_given_back_is_worth_nothing() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let tokens = redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?;
    let revoke = async |token: &str| {
        let body = form(&[("token", token), ("client_id", "web")]);
        stack.browser().send(Visit::posted(&format!("{PUBLIC_URL}/oauth2/revoke"), &body)).await
    };
    assert_eq!(revoke("canary").await?.status, 200);
    assert_eq!(refresh(&stack, &text(&tokens, "refresh_token")).await?.status, 200);
    assert_eq!(revoke(&text(&tokens, "refresh_token")).await?.status, 200);
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);

    let tokens = redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?;
    visitor.log_out().await?;
    assert_eq!(
        error_of(&refresh(&stack, &text(&tokens, "refresh_token")).await?)?,
        (400, "invalid_grant".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn a_link_alone_logs_nobody_out() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin");
    let hint = text(&redeem(&stack, &code(&visitor, &[]).await?, &[]).await?.json()?, "id_token");
    let logout = |parameters: &[(&str, &str)]| format!("{PUBLIC_URL}/oauth2/logout?{}", form(parameters));
    let bye = ("post_logout_redirect_uri", "https://app.example.org/bye");
    for parameters in
        [&[][..], &[bye], &[("id_token_hint", "canary"), bye], &[("id_token_hint", &format!("{hint}A")), bye]]
    {
        let answer = visitor.open(&logout(parameters)).await?;
        assert_eq!((answer.status, answer.location()), (200, None), "{parameters:?}");
        assert!(answer.text().contains("action=\"/logout\""));
    }
    // An ID token of another session: the client means somebody else than who is here.
    let other = self::visitor(&stack, "zhou");
    let others = redeem(&stack, &code(&other, &[]).await?, &[]).await?.json()?;
    let answer = visitor.open(&logout(&[("id_token_hint", &text(&others, "id_token")), bye])).await?;
    assert_eq!((answer.status, answer.location()), (200, None));
    assert!(visitor.session().is_some());
    let elsewhere =
        [("id_token_hint", &*hint), ("post_logout_redirect_uri", "https://app.example.org/bye?a=1")];
    assert_eq!(visitor.open(&logout(&elsewhere)).await?.status, 400);
    assert!(visitor.session().is_some());

    let answer = visitor.open(&logout(&[("id_token_hint", &hint), bye, ("state", "s t")])).await?;
    assert_eq!(answer.location(), Some("https://app.example.org/bye?state=s+t"));
    assert!(visitor.session().is_none());
    // The other person's is still there.
    assert_eq!(stack.sessions()?.iter().filter(|item| item.get("sealed").is_some()).count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_made_by_the_command_logs_people_in() -> Result<()> {
    let script = workspace().join("functions/openid/client.py");
    let made = tokio::process::Command::new("python3")
        .arg(script)
        .args(["--name", "made", "--redirect", REDIRECT_URI, "--json"])
        .output()
        .await?;
    let client: Value = serde_json::from_slice(&made.stdout)?;
    let secret = String::from_utf8_lossy(&made.stderr).trim().to_owned();
    let openid_connect = json!({"subject": "openid", "clients": client});
    let options = options("openid")?.with("OPENID_CONNECT", &openid_connect.to_string());
    let stack = Stack::start(options).await?;
    let visitor = visitor(&stack, "lin");
    let code = code(&visitor, &[("client_id", "made")]).await?;
    let with = |secret: &str| {
        form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
            ("client_id", "made"),
            ("client_secret", secret),
        ])
    };
    assert_eq!(post(&stack, &with("canary"), None).await?.status, 401);
    assert_eq!(post(&stack, &with(&secret), None).await?.status, 200);
    Ok(())
}
