//! The code flow, as a relying party has it: from the request to who the person is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::{
    Failure, Result, Stack,
    binaries::workspace,
    stack::{OFFICIAL_ACCOUNT, PUBLIC_URL},
};
use openid_connect::client::RedirectUri;
use serde_json::{Value, json};
use simulator::Denial;
use web::{language::Language, reason::Reason, words::elsewhere};

pub use harness::relying_party::*;

use super::{Token, published, verify};

/// Header and claims of a token whose signature is right by the published keys.
pub async fn verified(stack: &Stack, token: &str) -> Result<(Value, Value)> {
    let Token { header, claims } = verify(&published(stack).await, token).map_err(Failure::new)?;
    Ok((header, claims))
}

#[tokio::test]
async fn a_person_logs_in_at_a_client_and_is_who_he_is() -> Result<()> {
    let (stack, visitor) = lin().await?;
    for is_first in [true, false] {
        let hops = visitor.follow(&asked(&[])).await?;
        assert_eq!(logins(&hops), usize::from(is_first));
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

/// The log says for which client each request was, by a name of the deployment's own: what a stranger sends as one is
/// not in it.
#[tokio::test]
async fn the_log_names_the_client() -> Result<()> {
    let (stack, visitor) = lin().await?;
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
async fn a_duplicate_callback_gets_a_code_of_its_own() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let to_login = answered(&visitor, &[]).await?;
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
    let (stack, visitor) = lin().await?;
    let mut logins = Vec::new();
    let mut requests = Vec::new();
    for state in ["one", "two"] {
        visitor.browser.forget_cookies();
        logins.push((state, answered(&visitor, &[("state", state)]).await?));
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
    let to_login = answered(&visitor, &[]).await?;
    let back = parameter(&to_login, "return_to").unwrap();
    let answer = victim.open(&back).await?;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.location().is_none());
    // The way on is at the client, to which no login of ours would lead.
    let words = elsewhere::words(Language::Chinese, Reason::LoginExpired, true);
    assert!(answer.text().contains(words.next) && words.next.contains("网站"), "{}", answer.text());
    assert!(!answer.text().contains("href=\"/authorize"), "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn who_declines_is_told_to_the_client() -> Result<()> {
    let stack = provider().await?;
    stack.simulator().knobs(|knobs| knobs.denial = Denial::StateOnly);
    let visitor = visitor(&stack, "lin");
    let to_login = answered(&visitor, &[("prompt", "consent")]).await?;
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

/// What the functions would refuse at their start is refused where it is made, and no secret with it.
#[tokio::test]
async fn no_client_is_made_for_an_address_that_the_functions_refuse() -> Result<()> {
    let script = workspace().join("functions/openid/client.py");
    for (address, is_right) in [
        ("http://foo.example/cb", false),
        ("https://app.example.org/cb#a", false),
        ("https:///cb", false),
        ("cb", false),
        ("https://app.example.org", true),
        ("http://127.0.0.1/cb", true),
        ("com.example.app:/cb", true),
    ] {
        let made = tokio::process::Command::new("python3")
            .arg(&script)
            .args(["--name", "made", "--redirect", address, "--json"])
            .output()
            .await?;
        assert_eq!(made.status.success(), is_right, "{address}");
        assert_eq!(made.stdout.is_empty(), !is_right, "{address}");
        assert_eq!(RedirectUri::parse(address, false).is_some(), is_right, "{address}");
    }
    for path in ["", "/", "/callback", "/oauth2/authorize?a=1"] {
        let address = format!("{PUBLIC_URL}{path}");
        let made = tokio::process::Command::new("python3")
            .arg(&script)
            .args(["--name", "made", "--redirect", &address, "--issuer", PUBLIC_URL, "--json"])
            .output()
            .await?;
        assert!(!made.status.success() && made.stdout.is_empty(), "{address}");
    }
    Ok(())
}
