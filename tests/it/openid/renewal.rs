//! Tokens are renewed, given back, and over.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::{join, join_all};
use harness::{
    Failure, Result, Stack,
    kms::Kms,
    proxy::{Fault, Kind, Rule},
    signing_key, time,
};
use serde_json::{Value, json};

use super::code_flow::{
    REDIRECT_URI, SECRET, code, error_of, lin, options, provider_settings, redeem, refresh, refused, renew,
    revoke, text, tokens_of, userinfo, verified, visitor,
};

/// A second tab has half a minute; whoever comes later with a token that gave way has found it somewhere.
#[tokio::test]
async fn a_token_that_gave_way_leads_on_for_a_moment_only() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let first = tokens_of(&stack, &visitor, &[]).await?;
    let old = text(&first, "refresh_token");
    let second = refresh(&stack, &old).await?.json()?;
    assert_eq!(refresh(&stack, &old).await?.status, 200);
    let now = json!({ "N": time::now_seconds().to_string() });
    stack.change_sessions("refresh", |grant| {
        grant["refresh"]["M"]["spent"]["L"][0]["M"]["until"] = now.clone();
    })?;
    for token in [old, text(&second, "refresh_token")] {
        assert_eq!(error_of(&refresh(&stack, &token).await?)?, refused("invalid_grant"));
    }
    Ok(())
}

/// A refresh token that another version stored in another form renews nothing, as one that is over. The rest of the
/// grant is as good as before.
#[tokio::test]
async fn a_refresh_token_in_the_form_of_another_version_costs_the_renewal_alone() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    stack.change_sessions("refresh", |grant| {
        let refresh = &mut grant["refresh"]["M"];
        refresh.as_object_mut().map(|refresh| refresh.remove("family"));
        refresh["spent"]["L"] = json!([{ "S": "digest" }]);
    })?;
    let renewed = refresh(&stack, &text(&tokens, "refresh_token")).await?;
    assert_eq!(error_of(&renewed)?, refused("invalid_grant"));
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 200);
    // The way on is the one that it is for any client whose token is over.
    let again = tokens_of(&stack, &visitor, &[]).await?;
    assert_eq!(refresh(&stack, &text(&again, "refresh_token")).await?.status, 200);
    assert_eq!(revoke(&stack, &text(&tokens, "access_token"), &[]).await?.status, 200);
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
    Ok(())
}

/// A thief who has a token renews so often, and so fast, that no list would hold the owner's any more. The owner comes
/// with it, and ends what the thief has.
#[tokio::test]
async fn a_token_ends_the_grant_however_many_came_after_it() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let stolen = text(&tokens_of(&stack, &visitor, &[]).await?, "refresh_token");
    let mut thiefs = refresh(&stack, &stolen).await?.json()?;
    for _ in 0..18 {
        thiefs = refresh(&stack, &text(&thiefs, "refresh_token")).await?.json()?;
    }
    assert_eq!(userinfo(&stack, &text(&thiefs, "access_token")).await?.status, 200);
    assert_eq!(error_of(&refresh(&stack, &stolen).await?)?, refused("invalid_grant"));
    assert_eq!(userinfo(&stack, &text(&thiefs, "access_token")).await?.status, 401);
    assert_eq!(error_of(&refresh(&stack, &text(&thiefs, "refresh_token")).await?)?, refused("invalid_grant"));
    let log = stack.stop().await.lines();
    assert_eq!(log.iter().filter(|line| line.text.contains("\"refresh_reused\"")).count(), 1);
    Ok(())
}

/// Nor does it have to be one that is remembered to be given back.
#[tokio::test]
async fn a_token_that_gave_way_long_ago_is_given_back_as_any_other() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let old = text(&tokens_of(&stack, &visitor, &[]).await?, "refresh_token");
    let mut last = refresh(&stack, &old).await?.json()?;
    for _ in 0..18 {
        last = refresh(&stack, &text(&last, "refresh_token")).await?.json()?;
    }
    assert_eq!(revoke(&stack, &old, &[]).await?.status, 200);
    assert_eq!(userinfo(&stack, &text(&last, "access_token")).await?.status, 401);
    Ok(())
}

/// However many renewals lie between: a tab that slept for some seconds is nobody's thief. Nor is one whose renewal is
/// overtaken while it is stored.
#[tokio::test]
async fn each_token_that_gave_way_a_moment_ago_leads_on() -> Result<()> {
    let stack = Stack::start(options("openid")?.proxied()).await?;
    let visitor = visitor(&stack, "lin");
    let first = text(&tokens_of(&stack, &visitor, &[]).await?, "refresh_token");
    let mut all = vec![first.clone()];
    // Reads the first one as the one that is good, and finds two later ones when it looks again.
    let held = stack.proxy()?.inject(Rule::at(Kind::Renew, Fault::HoldBefore).times(1));
    let others = async {
        let waiting = held.held().await?;
        for _ in 0..3 {
            let last = all.last().cloned().unwrap_or_default();
            all.push(text(&refresh(&stack, &last).await?.json()?, "refresh_token"));
        }
        waiting.release();
        Ok::<_, Failure>(())
    };
    let (slow, others) = join(refresh(&stack, &first), others).await;
    others?;
    let slow = slow?;
    assert_eq!(slow.status, 200, "{}", slow.text());
    let good = all.last().cloned();
    assert_eq!(Some(text(&slow.json()?, "refresh_token")), good);
    for token in &all[..3] {
        let told = refresh(&stack, token).await?.json()?;
        assert_eq!(Some(text(&told, "refresh_token")), good);
        assert_eq!(userinfo(&stack, &text(&told, "access_token")).await?.status, 200);
    }
    // The first one's half minute is over, and the others' is not.
    let now = json!({ "N": time::now_seconds().to_string() });
    stack.change_sessions("refresh", |grant| {
        grant["refresh"]["M"]["spent"]["L"][0]["M"]["until"] = now.clone();
    })?;
    assert_eq!(refresh(&stack, &all[1]).await?.status, 200);
    assert_eq!(error_of(&refresh(&stack, &first).await?)?, refused("invalid_grant"));
    assert_eq!(error_of(&refresh(&stack, &all[1]).await?)?, refused("invalid_grant"));
    Ok(())
}

/// DynamoDB forgets late, and a grant outlives its access tokens.
#[tokio::test]
async fn an_access_token_is_over_when_it_says_so() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 200);
    let now = json!({ "N": time::now_seconds().to_string() });
    stack.change_sessions("access", |grant| grant["access"]["L"][0]["M"]["expires_at"] = now.clone())?;
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
    // What it wrapped goes with the next write, and costs none of its own.
    let keys = || -> Result<Vec<String>> {
        let grants = stack.sessions()?.into_iter().filter(|item| item.get("access").is_some());
        let access = grants.map(|grant| grant["access"]["L"].as_array().cloned().unwrap_or_default());
        Ok(access.flatten().map(|token| text(&token["M"]["digest"], "S")).collect())
    };
    let before = keys()?;
    assert_eq!(refresh(&stack, &text(&tokens, "refresh_token")).await?.status, 200);
    let after = keys()?;
    assert!(before.len() == 1 && after.len() == 1 && before != after, "{before:?} {after:?}");
    Ok(())
}

#[tokio::test]
async fn another_client_gives_no_token_back_and_none_asks_for_more_than_it_was_given() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[("scope", "openid")]).await?;
    let (access, renewal) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let admin = [("client_id", "admin"), ("client_secret", SECRET)];
    assert_eq!(revoke(&stack, &renewal, &admin).await?.status, 200);
    assert_eq!(userinfo(&stack, &access).await?.status, 200);
    for scope in ["openid profile", "openid orders", "profile"] {
        let wider = renew(&stack, &renewal, &[("scope", scope)]).await?;
        assert_eq!(error_of(&wider)?, refused("invalid_scope"), "{scope}");
    }
    assert_eq!(refresh(&stack, &renewal).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn two_tabs_that_renew_at_once_go_on_both_and_an_old_token_ends_the_grant() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let first = tokens_of(&stack, &visitor, &[]).await?;
    let one = text(&first, "refresh_token");
    let (left, right) = join(refresh(&stack, &one), refresh(&stack, &one)).await;
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
    let over = json!({ "N": time::now_seconds().to_string() });
    stack.change_sessions("refresh", |grant| {
        grant["refresh"]["M"]["spent"]["L"][0]["M"]["until"] = over.clone();
    })?;
    assert_eq!(error_of(&refresh(&stack, &one).await?)?, refused("invalid_grant"));
    for token in [&left, &three] {
        assert_eq!(userinfo(&stack, &text(token, "access_token")).await?.status, 401);
    }
    assert_eq!(error_of(&refresh(&stack, &text(&three, "refresh_token")).await?)?, refused("invalid_grant"));
    Ok(())
}

/// A client with a secret keeps its token since it renews from several places at once; a page may be open in as many
/// tabs. None of them is refused for the others.
#[tokio::test(flavor = "multi_thread")]
async fn as_many_renew_at_once_as_come() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let admin = [("client_id", "admin"), ("client_secret", SECRET)];
    let code_ = code(&visitor, &admin[..1]).await?;
    let kept = text(&redeem(&stack, &code_, &admin).await?.json()?, "refresh_token");
    let first = text(&tokens_of(&stack, &visitor, &[]).await?, "refresh_token");
    for (client, token) in [(&admin[..], &kept), (&[][..], &first)] {
        let answers = join_all((0..12).map(|_| renew(&stack, token, client))).await;
        let mut told = Vec::new();
        for answer in answers {
            let answer = answer?;
            assert_eq!(answer.status, 200, "{client:?}: {}", answer.text());
            let tokens = answer.json()?;
            assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 200, "{client:?}");
            told.push(text(&tokens, "refresh_token"));
        }
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), 1, "{client:?}");
        assert_eq!(told[0] == *token, !client.is_empty(), "only a public client's is replaced");
        assert_eq!(renew(&stack, &told[0], client).await?.status, 200);
    }
    Ok(())
}

/// Signatures cost money, and are limited for the whole account: what was signed once is put over whatever other
/// renewals have stored meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_meets_others_goes_on_and_signs_once() -> Result<()> {
    const OTHERS: usize = 6;
    let kms = Kms::start(&[signing_key::of_this_process()?]).await?;
    let stack = Stack::start(kms.hold(options("openid")?.proxied())).await?;
    let admin = [("client_id", "admin"), ("client_secret", SECRET)];
    let code_ = code(&visitor(&stack, "lin"), &admin[..1]).await?;
    let token = text(&redeem(&stack, &code_, &admin).await?.json()?, "refresh_token");
    let signatures = || kms.calls().iter().filter(|(operation, _)| operation == "Sign").count();
    signatures();
    let hold_next =
        || Ok::<_, Failure>(stack.proxy()?.inject(Rule::at(Kind::Renew, Fault::HoldBefore).times(1)));
    let mut next = hold_next()?;
    let others = async {
        for _ in 0..OTHERS {
            let waiting = next.held().await?;
            assert_eq!(renew(&stack, &token, &admin).await?.status, 200);
            next = hold_next()?;
            waiting.release();
        }
        next.held().await?.release();
        Ok::<_, Failure>(())
    };
    let (slow, others) = join(renew(&stack, &token, &admin), others).await;
    others?;
    let slow = slow?;
    assert_eq!(slow.status, 200, "{}", slow.text());
    assert_eq!(signatures(), 2 * (OTHERS + 1), "an access token and an ID token each");
    assert_eq!(userinfo(&stack, &text(&slow.json()?, "access_token")).await?.status, 200);
    Ok(())
}

/// Libraries send the scopes that they are set to with each request. What the authorization ignored is no reason to
/// refuse a renewal; what it would have granted is.
#[tokio::test]
async fn what_the_authorization_ignored_a_renewal_ignores_too() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let configured = [("scope", "openid profile email offline_access")];
    let tokens = tokens_of(&stack, &visitor, &configured).await?;
    assert_eq!(tokens["scope"], "openid profile");
    let renewed = renew(&stack, &text(&tokens, "refresh_token"), &configured).await?;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    let renewed = renewed.json()?;
    assert_eq!(renewed["scope"], "openid profile");
    for scope in ["openid email orders", "profile email", "email"] {
        let refused_ = renew(&stack, &text(&renewed, "refresh_token"), &[("scope", scope)]).await?;
        assert_eq!(error_of(&refused_)?, refused("invalid_scope"), "{scope}");
    }
    Ok(())
}

/// Whoever has another client's token ends its grant, and is counted as one who has a token that is not his: once for a
/// grant, however often he repeats himself. What nobody issued is counted as nothing.
#[tokio::test]
async fn an_alarm_counts_grants_and_not_how_often_somebody_comes() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    let token = text(&tokens, "refresh_token");
    let guess = format!("{}{}", &token[..26], "A".repeat(40));
    let admin = [("client_id", "admin"), ("client_secret", SECRET)];
    for brought in [&guess, &guess, &token, &token, &token] {
        assert_eq!(error_of(&renew(&stack, brought, &admin).await?)?, refused("invalid_grant"));
    }
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
    let code_ = code(&visitor, &[]).await?;
    assert_eq!(redeem(&stack, &code_, &[]).await?.status, 200);
    for _ in 0..3 {
        assert_eq!(error_of(&redeem(&stack, &code_, &[]).await?)?, refused("invalid_grant"));
    }
    let log = stack.stop().await;
    let outcomes = log.lines().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    let outcomes: Vec<_> = outcomes.map(|line| text(&line, "outcome")).collect();
    let count = |name: &str| outcomes.iter().filter(|outcome| *outcome == name).count();
    assert_eq!(["refresh_reused", "code_reused", "grant_refused"].map(count), [1, 1, 6], "{outcomes:?}");
    Ok(())
}

/// A token that was asked for with fewer scopes shows no more than they do, though the grant knows more.
#[tokio::test]
async fn a_narrowed_token_shows_less() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[("scope", "openid profile"), ("prompt", "consent")]).await?;
    let whole = userinfo(&stack, &text(&tokens, "access_token")).await?.json()?;
    assert_eq!(whole["nickname"], "小满🌾");
    let narrow = renew(&stack, &text(&tokens, "refresh_token"), &[("scope", "openid")]).await?.json()?;
    assert_eq!(narrow["scope"], "openid");
    let shown = userinfo(&stack, &text(&narrow, "access_token")).await?.json()?;
    assert_eq!(shown["sub"], whole["sub"]);
    assert!(["nickname", "name", "picture", "gender"].iter().all(|name| shown[name].is_null()), "{shown}");
    // The first token is what it was.
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.json()?["nickname"], "小满🌾");
    Ok(())
}

/// A deployment takes the API, or all renewals, away from a client: what it holds brings nothing more.
#[tokio::test]
async fn a_client_is_renewed_by_todays_configuration() -> Result<()> {
    let configuration = |of: &str, refresh: bool| {
        let clients = json!({
            "web": { "redirect_uris": [REDIRECT_URI], "refresh": refresh },
            "other": { "redirect_uris": ["https://other.example.org/cb"] },
        });
        let apis = json!({ "https://api.example.com": { "clients": [of] } });
        json!({ "subject": "openid", "clients": clients, "apis": apis }).to_string()
    };
    for (client, is_renewed) in [("other", true), ("web", false)] {
        let options = options("openid")?.with("OPENID_CONNECT", &configuration("web", true));
        let stack = Stack::start(options).await?;
        let visitor = visitor(&stack, "lin");
        let tokens = tokens_of(&stack, &visitor, &[]).await?;
        let (_, claims) = verified(&stack, &text(&tokens, "access_token")).await?;
        assert_eq!(claims["aud"], "https://api.example.com");
        let token = text(&tokens, "refresh_token");
        let token = text(&refresh(&stack, &token).await?.json()?, "refresh_token");
        let unused = code(&visitor, &[]).await?;
        stack.functions().deploy("token", "OPENID_CONNECT", &configuration(client, is_renewed));
        stack.functions().kill_all("token").await;
        let refused = refused("invalid_grant");
        assert_eq!(error_of(&refresh(&stack, &token).await?)?, refused, "{client}");
        if client == "other" {
            assert_eq!(error_of(&redeem(&stack, &unused, &[]).await?)?, refused);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_guess_with_a_known_sid_writes_nothing() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    let (_, claims) = verified(&stack, &text(&tokens, "access_token")).await?;
    let sid = URL_SAFE_NO_PAD.decode(text(&claims, "sid")).unwrap();
    let guess = URL_SAFE_NO_PAD.encode([&sid[..], &[0; 32]].concat());
    let before = stack.sessions()?;
    for answer in [redeem(&stack, &guess, &[]).await?, refresh(&stack, &format!("r.{guess}")).await?] {
        assert_eq!(error_of(&answer)?, refused("invalid_grant"));
    }
    assert_eq!(stack.sessions()?, before);
    assert_eq!(refresh(&stack, &text(&tokens, "refresh_token")).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_logout_is_not_undone_by_a_refresh_and_a_token_given_back_is_worth_nothing() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    assert_eq!(revoke(&stack, "canary", &[]).await?.status, 200);
    assert_eq!(refresh(&stack, &text(&tokens, "refresh_token")).await?.status, 200);
    assert_eq!(revoke(&stack, &text(&tokens, "refresh_token"), &[]).await?.status, 200);
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);

    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    visitor.log_out().await?;
    assert_eq!(error_of(&refresh(&stack, &text(&tokens, "refresh_token")).await?)?, refused("invalid_grant"));
    Ok(())
}

/// A deployment may have taken a scope from an API since, or given the client to another account. What was granted
/// before is granted no more, by a code that is still to be redeemed as by a renewal.
#[tokio::test]
async fn what_the_settings_give_no_more_is_in_no_token() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let asked = [("scope", "openid profile orders")];
    let first = tokens_of(&stack, &visitor, &asked).await?;
    assert_eq!(text(&first, "scope"), "openid orders profile");
    let renewal = text(&first, "refresh_token");
    let code_ = code(&visitor, &asked).await?;

    let accounts = json!({ "kiosk": { "official_account": "wx0000000000000aa3" } });
    let changed = async |change: &dyn Fn(&mut Value)| {
        let mut settings = provider_settings("openid");
        change(&mut settings);
        let options = options("openid")?.with("OPENID_CONNECT", &settings.to_string());
        let options = options.with("ACCOUNTS", &accounts.to_string());
        Stack::start(options.with("AWS_ENDPOINT_URL_DYNAMODB", &stack.database().url())).await
    };
    let without_scope =
        changed(&|settings| settings["apis"]["https://api.example.com"]["scopes"] = json!([])).await?;
    let renewed = refresh(&without_scope, &renewal).await?.json()?;
    let redeemed = redeem(&without_scope, &code_, &[]).await?.json()?;
    for tokens in [&renewed, &redeemed] {
        assert_eq!(text(tokens, "scope"), "openid profile", "{tokens}");
        let (_, claims) = verified(&without_scope, &text(tokens, "access_token")).await?;
        assert_eq!(claims["scope"], "openid profile");
    }
    let moved = changed(&|settings| settings["clients"]["web"]["account"] = json!("kiosk")).await?;
    let refused_ = refresh(&moved, &text(&renewed, "refresh_token")).await?;
    assert_eq!(error_of(&refused_)?, refused("invalid_grant"));
    // Given back, it goes on: the grant did not end.
    assert_eq!(refresh(&stack, &text(&renewed, "refresh_token")).await?.status, 200);
    Ok(())
}
