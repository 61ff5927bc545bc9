//! Whether the session that is there answers a request, or only a login does.

use harness::{
    Answer, Failure, Result, Stack, Visitor,
    hand_off::{Waiting, form, scan, tap},
    places::{SESSION_COOKIE, authorize_to},
    stack::{OFFICIAL_ACCOUNT, PUBLIC_URL, WEBSITE_APP},
    time,
};
use serde_json::json;
use simulator::Settings;
use url::Url;

use crate::accounts;
use crate::support::{allow, button};

use super::code_flow::{
    REDIRECT_URI, answered, asked, brought, code, error_of, lin, logins, options, parameter, provider,
    redeem, refresh, refused, text, tokens_of, userinfo, verified, visitor,
};

/// What the client is told at once, at its own address: the error, or that there is a code.
async fn told(visitor: &Visitor, changes: &[(&str, &str)]) -> Result<String> {
    let answer = answered(visitor, changes).await?;
    assert!(answer.as_str().starts_with(REDIRECT_URI), "{changes:?}: {answer}");
    let code = parameter(&answer, "code").map(|_| "a code".to_owned());
    code.or_else(|| parameter(&answer, "error")).ok_or_else(|| Failure::new(answer))
}

#[tokio::test]
async fn none_never_leaves_for_wechat() -> Result<()> {
    let (stack, visitor) = lin().await?;
    assert_eq!(told(&visitor, &[("prompt", "none")]).await?, "login_required");
    visitor.log_in().await?;
    let asked_before = stack.requests("/connect/oauth2/authorize").len();
    assert_eq!(told(&visitor, &[("prompt", "none")]).await?, "a code");
    assert_eq!(told(&visitor, &[("prompt", "none"), ("max_age", "10000")]).await?, "a code");
    let hint = text(&tokens_of(&stack, &visitor, &[]).await?, "id_token");
    assert_eq!(told(&visitor, &[("prompt", "none"), ("id_token_hint", &hint)]).await?, "a code");
    let forged = format!("{hint}A");
    assert_eq!(told(&visitor, &[("prompt", "none"), ("id_token_hint", &forged)]).await?, "login_required");
    assert_eq!(stack.requests("/connect/oauth2/authorize").len(), asked_before, "only the login itself");
    Ok(())
}

#[tokio::test]
async fn a_new_login_is_another_session() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let before = visitor.session();
    for changes in [&[("prompt", "login")][..], &[("prompt", "select_account")], &[("max_age", "0")]] {
        let hops = visitor.follow(&asked(changes)).await?;
        assert_eq!(logins(&hops), 1, "{changes:?}");
        assert!(parameter(&brought(&hops)?, "code").is_some());
    }
    assert_ne!(visitor.session(), before);
    Ok(())
}

/// A new login is asked for where nobody is logged in: the first one is it, whatever the clock says meanwhile.
#[tokio::test]
async fn where_nobody_was_one_login_is_new_enough() -> Result<()> {
    let stack = provider().await?;
    for changes in [&[("prompt", "login")][..], &[("prompt", "select_account")], &[("max_age", "0")]] {
        let visitor = visitor(&stack, "lin");
        let hops = visitor.follow(&asked(changes)).await?;
        assert_eq!(logins(&hops), 1, "{changes:?}");
        assert!(parameter(&brought(&hops)?, "code").is_some(), "{changes:?}");
        // The clock went on between the login and the way back.
        let back = hops.iter().find(|hop| hop.url.path() == "/oauth2/continue").unwrap().url.to_string();
        let earlier = json!({ "N": (time::now_seconds() - 5).to_string() });
        stack.change_sessions("pepper", |session| session["created_at"] = earlier.clone())?;
        let again = visitor.open(&back).await?.redirect()?.unwrap();
        assert!(parameter(&again, "code").is_some(), "{changes:?} {again}");
    }
    Ok(())
}

/// The way back is open for an hour and more. A login that took place that long ago is none that just did: the session
/// is older than the client takes, however it came to be.
#[tokio::test]
async fn a_new_login_is_new_for_some_minutes() -> Result<()> {
    for changes in [&[("prompt", "login")][..], &[("max_age", "60")]] {
        for is_there in [true, false] {
            let (stack, visitor) = lin().await?;
            let age = |seconds: u64| {
                let earlier = json!({ "N": (time::now_seconds() - seconds).to_string() });
                stack.change_sessions("pepper", |session| session["created_at"] = earlier.clone())
            };
            if is_there {
                visitor.log_in().await?;
                age(100)?;
            }
            let hops = visitor.follow(&asked(changes)).await?;
            assert_eq!(logins(&hops), 1, "{changes:?} {is_there}");
            let back = hops.iter().find(|hop| hop.url.path() == "/oauth2/continue").unwrap().url.to_string();
            let again = async || -> Result<_> { Ok(visitor.open(&back).await?.redirect()?.unwrap()) };
            age(300)?;
            assert!(parameter(&again().await?, "code").is_some(), "{changes:?} {is_there}: a slow way back");
            age(3_600)?;
            assert_eq!(again().await?.path(), "/authorize", "{changes:?} {is_there}");
            let last = again().await?;
            assert_eq!(parameter(&last, "error").as_deref(), Some("login_required"), "{last}");
        }
    }
    Ok(())
}

/// The client expects somebody: another person who logs in anew is not whom it asked for
/// ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
#[tokio::test]
async fn a_new_login_of_another_person_than_the_expected_one_gives_no_code() -> Result<()> {
    let stack = provider().await?;
    let lin = visitor(&stack, "lin");
    let hint = text(&tokens_of(&stack, &lin, &[]).await?, "id_token");
    for is_there in [true, false] {
        let zhou = visitor(&stack, "zhou");
        if is_there {
            zhou.log_in().await?;
        }
        let hops = zhou.follow(&asked(&[("id_token_hint", &hint)])).await?;
        let way: Vec<_> = hops.iter().map(|hop| hop.url.as_str()).collect();
        assert_eq!(logins(&hops), 1, "{is_there}: {way:#?}");
        let answer = brought(&hops)?;
        assert_eq!(parameter(&answer, "error").as_deref(), Some("login_required"), "{is_there} {answer}");
        assert!(parameter(&answer, "code").is_none());
    }
    assert!(parameter(&brought(&lin.follow(&asked(&[("id_token_hint", &hint)])).await?)?, "code").is_some());
    Ok(())
}

/// The way back, opened twice by who has not logged in: once more to the login, then to the client.
async fn is_sent_on_once(visitor: &Visitor, back: &str) -> Result<()> {
    let first = visitor.open(back).await?.redirect()?.unwrap();
    assert_eq!(first.path(), "/authorize", "{first}");
    let second = visitor.open(back).await?.redirect()?.unwrap();
    assert_eq!(parameter(&second, "error").as_deref(), Some("login_required"), "{second}");
    Ok(())
}

/// Whoever goes back without having logged in is sent on once; the session that was to be replaced is nobody's.
#[tokio::test]
async fn a_new_login_is_not_skipped_by_going_back_at_once() -> Result<()> {
    let stack = provider().await?;
    let visitor = visitor(&stack, "lin").logged_in().await?;
    let to_login = answered(&visitor, &[("prompt", "login")]).await?;
    let back = parameter(&to_login, "return_to").unwrap();
    is_sent_on_once(&visitor, &back).await
}

/// A browser that loses its session each time before it comes back: the request remembers that it led to the login
/// twice, so nobody goes round in a circle between a client, WeChat and this stack.
#[tokio::test]
async fn a_request_leads_to_the_login_twice_at_the_most() -> Result<()> {
    for changes in [&[][..], &[("prompt", "login")], &[("max_age", "0")], &[("prompt", "consent")]] {
        let (_stack, visitor) = lin().await?;
        let mut target = answered(&visitor, changes).await?;
        let mut logins = 0;
        while target.path() == "/authorize" && logins < 5 {
            logins += 1;
            let back = visitor.call_back(&visitor.come_back(target.as_str()).await?).await?;
            let back = back.redirect()?.ok_or_else(|| Failure::new(back.text()))?;
            visitor.browser.forget_cookie(SESSION_COOKIE);
            let answer = visitor.open(back.as_str()).await?;
            target = answer.redirect()?.ok_or_else(|| Failure::new(answer.text()))?;
        }
        assert_eq!(logins, 2, "{changes:?} {target}");
        assert!(target.as_str().starts_with(REDIRECT_URI), "{target}");
        assert_eq!(parameter(&target, "error").as_deref(), Some("login_required"), "{changes:?}");
    }
    Ok(())
}

/// Who is to log in anew inside WeChat is to tap. A silent login by a link of one's own leads back to the same place,
/// and says whose WeChat it is, but not that anybody holds the phone.
#[tokio::test]
async fn a_silent_login_does_not_stand_in_for_one_with_a_tap() -> Result<()> {
    for (changes, is_there) in [
        (&[("prompt", "login")][..], false),
        (&[("prompt", "login")], true),
        (&[("prompt", "select_account")], true),
        (&[("max_age", "0")], true),
    ] {
        let (stack, visitor) = lin().await?;
        if is_there {
            visitor.log_in().await?;
        }
        let back = parameter(&answered(&visitor, changes).await?, "return_to").unwrap();
        let hops = visitor.follow(&authorize_to(&back)).await?;
        assert_eq!(logins(&hops), 2, "{changes:?}");
        let code = parameter(&brought(&hops)?, "code").unwrap();
        let tokens = redeem(&stack, &code, &[]).await?.json()?;
        let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
        assert_eq!(text(&claims, "acr"), "urn:wechat-login:snsapi_userinfo", "{changes:?}");
    }
    Ok(())
}

/// Of a login by a phone the tap is the one on the phone, however silently that was logged in.
#[tokio::test]
async fn a_login_by_a_phone_is_one_with_a_tap() -> Result<()> {
    let stack = Stack::start(options("openid")?.without("WEBSITE_APP_ID")).await?;
    let phone = stack.visitor("zhou").logged_in_with_profile().await?.logged_in().await?;
    let computer = visitor(&stack, "lin").at_a_computer();
    let to_login = answered(&computer, &[("prompt", "login")]).await?;
    let computer = Waiting::begin(computer, to_login.query().unwrap()).await?;
    let form = form(&scan(&phone, &computer.code).await?)?;
    tap(&phone, &form, Some(computer.number().await?)).await?;
    let picked_up = computer.open(None).await?;
    let hops = computer.visitor.go_on(&picked_up).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    let tokens = redeem(&stack, &code, &[]).await?.json()?;
    let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
    assert_eq!(text(&claims, "acr"), "urn:wechat-login:snsapi_base");
    Ok(())
}

/// A client whose every login asks for name and photo: without a page they cannot be asked for, and it is told what is
/// missing ([OpenID Connect Core §3.1.2.6](https://openid.net/specs/openid-connect-core-1_0.html#AuthError)).
#[tokio::test]
async fn without_a_page_nobody_is_asked_for_name_and_photo() -> Result<()> {
    let openid_connect = json!({ "subject": "openid", "clients": {
        "web": { "redirect_uris": [REDIRECT_URI], "profile": "ask" },
    }});
    let options = options("openid")?.with("OPENID_CONNECT", &openid_connect.to_string());
    let stack = Stack::start(options).await?;
    let visitor = visitor(&stack, "lin");
    let told = async |scope| told(&visitor, &[("prompt", "none"), ("scope", scope)]).await;
    assert_eq!(told("openid profile").await?, "login_required");
    visitor.log_in().await?;
    assert_eq!(told("openid profile").await?, "consent_required");
    assert_eq!(told("openid").await?, "a code");
    visitor.log_in_with_profile().await?;
    assert_eq!(told("openid profile").await?, "a code");
    Ok(())
}

/// WeChat has called the person's grant gone: that session shows nobody, here as elsewhere.
#[tokio::test]
async fn what_wechat_has_ended_gives_nothing() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let tokens = tokens_of(&stack, &visitor, &[]).await?;
    let unused = code(&visitor, &[]).await?;
    let now = json!({ "N": time::now_seconds().to_string() });
    stack.change_sessions("pepper", |session| session["refused_at"] = now.clone())?;
    let silent = answered(&visitor, &[("prompt", "none")]).await?;
    assert_eq!(parameter(&silent, "error").as_deref(), Some("login_required"));
    for answer in
        [redeem(&stack, &unused, &[]).await?, refresh(&stack, &text(&tokens, "refresh_token")).await?]
    {
        assert_eq!(error_of(&answer)?, refused("invalid_grant"));
    }
    assert_eq!(userinfo(&stack, &text(&tokens, "access_token")).await?.status, 401);
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
    let silent = answered(&visitor, &[("prompt", "none")]).await?;
    assert_eq!(parameter(&silent, "error").as_deref(), Some("login_required"), "{silent}");
    Ok(())
}

/// Nor is it one that a new login would take the place of: for the client nobody is there, and one login is new enough,
/// silent where nobody asked for a tap.
#[tokio::test]
async fn where_only_another_accounts_session_was_one_login_is_new_enough() -> Result<()> {
    let openid_connect = json!({ "subject": "openid", "clients": {
        "web": { "redirect_uris": [REDIRECT_URI], "account": "shop" },
    }});
    let options = options("openid")?
        .with("OPENID_CONNECT", &openid_connect.to_string())
        .with("ACCOUNTS", accounts::ACCOUNTS)
        .simulator(accounts::simulator());
    let stack = Stack::start(options).await?;
    for (changes, acr) in [
        (("max_age", "0"), "urn:wechat-login:snsapi_base"),
        (("prompt", "login"), "urn:wechat-login:snsapi_userinfo"),
    ] {
        let visitor = visitor(&stack, "lin").logged_in().await?;
        let hops = visitor.follow(&asked(&[changes])).await?;
        assert_eq!(logins(&hops), 1, "{changes:?}");
        let code = parameter(&brought(&hops)?, "code").unwrap();
        let tokens = redeem(&stack, &code, &[]).await?.json()?;
        let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
        assert_eq!(text(&claims, "acr"), acr, "{changes:?}");
    }
    Ok(())
}

/// Whether the apps of a stack are bound to an Open Platform account.
fn bind(stack: &Stack, is_bound: bool) {
    let bound = Settings::example().apps[0].open_account.clone();
    stack.simulator().settings(|settings| {
        for app in &mut settings.apps {
            app.open_account = bound.clone().filter(|_| is_bound);
        }
    });
}

/// Where the button of the page leads that asks WeChat once more.
fn ask_wechat(page: &Answer) -> Result<String> {
    let link = button(page).map(|(_, link)| link).filter(|_| page.status == 403);
    link.ok_or_else(|| Failure::new(format!("{} {}", page.status, page.text())))
}

/// Somebody agreed at an Official Account when it was bound to nothing. That session is no answer for its whole life:
/// who is asked again brings the unionid, if there is one now, and the client is told that there is none only then.
#[tokio::test]
async fn who_agreed_before_there_was_a_unionid_is_asked_once_more() -> Result<()> {
    for changes in [&[][..], &[("prompt", "consent")], &[("max_age", "10000")]] {
        for is_bound in [true, false] {
            let stack = Stack::start(options("unionid")?).await?;
            allow(&stack);
            bind(&stack, false);
            let visitor = visitor(&stack, "lin").logged_in_with_profile().await?;
            bind(&stack, is_bound);
            assert_eq!(told(&visitor, &[("prompt", "none")]).await?, "interaction_required");
            let page = visitor.open(&asked(changes)).await?;
            let hops = visitor.follow(&ask_wechat(&page)?).await?;
            assert_eq!(logins(&hops), 1, "{changes:?} {is_bound}");
            let answer = brought(&hops)?;
            if is_bound {
                let code = parameter(&answer, "code").unwrap();
                let tokens = redeem(&stack, &code, &[]).await?.json()?;
                let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
                assert_eq!(Some(text(&claims, "sub")), stack.simulator().unionid("lin", OFFICIAL_ACCOUNT));
                assert_eq!(told(&visitor, &[("prompt", "none")]).await?, "a code");
            } else {
                assert_eq!(parameter(&answer, "error").as_deref(), Some("access_denied"), "{answer}");
                assert_eq!(told(&visitor, &[("prompt", "none")]).await?, "interaction_required");
            }
        }
    }
    Ok(())
}

/// Whoever goes back from that page without having logged in has not been asked, and is sent on once.
#[tokio::test]
async fn a_session_that_was_asked_in_vain_is_no_answer_to_its_own_page() -> Result<()> {
    let stack = Stack::start(options("unionid")?).await?;
    allow(&stack);
    bind(&stack, false);
    let visitor = visitor(&stack, "lin").logged_in_with_profile().await?;
    let link = Url::parse(PUBLIC_URL)?.join(&ask_wechat(&visitor.open(&asked(&[])).await?)?)?;
    let back = parameter(&link, "return_to").unwrap();
    is_sent_on_once(&visitor, &back).await
}

/// One person is one `sub` at a client, however WeChat said who it is: by the QR code of the website app on a desktop,
/// silently inside WeChat as a follower, and inside WeChat after one tap.
#[tokio::test]
async fn a_person_has_one_sub_by_every_way_to_log_in() -> Result<()> {
    let stack = Stack::start(options("unionid")?.with("SILENT_UNIONID", "true")).await?;
    allow(&stack);
    let expected = stack.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap();
    let on_desktop = visitor(&stack, "lin").at_a_computer();
    let in_wechat = visitor(&stack, "lin");
    let mut openids = Vec::new();
    for (visitor, changes, acr) in [
        (on_desktop, &[][..], "urn:wechat-login:snsapi_login"),
        (in_wechat, &[], "urn:wechat-login:snsapi_base"),
        (visitor(&stack, "lin"), &[("prompt", "consent")], "urn:wechat-login:snsapi_userinfo"),
    ] {
        let hops = visitor.follow(&asked(changes)).await?;
        assert_eq!(logins(&hops), 1, "{acr}");
        let code = parameter(&brought(&hops)?, "code").ok_or_else(|| Failure::new(acr))?;
        let tokens = redeem(&stack, &code, &[]).await?.json()?;
        for token in ["id_token", "access_token"] {
            let (_, claims) = verified(&stack, &text(&tokens, token)).await?;
            assert_eq!((text(&claims, "sub"), text(&claims, "acr")), (expected.clone(), acr.to_owned()));
        }
        let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
        openids.push(text(&claims, "wechat_openid"));
        assert_eq!(text(&userinfo(&stack, &text(&tokens, "access_token")).await?.json()?, "sub"), expected);
    }
    // What would be `sub` by itself is another one at each app.
    assert!(openids[0] != openids[1] && openids[1] == openids[2], "{openids:?}");
    Ok(())
}

#[tokio::test]
async fn a_person_without_a_unionid_is_asked_once_and_never_somebody_else() -> Result<()> {
    let stack = Stack::start(options("unionid")?).await?;
    let visitor = visitor(&stack, "lin");
    let hops = visitor.follow(&asked(&[])).await?;
    let hops = visitor.follow(&ask_wechat(hops.last().unwrap())?).await?;
    let code = parameter(&brought(&hops)?, "code").unwrap();
    let tokens = redeem(&stack, &code, &[]).await?.json()?;
    let (_, claims) = verified(&stack, &text(&tokens, "id_token")).await?;
    assert_eq!(claims["sub"], claims["wechat_unionid"]);
    assert!(!text(&claims, "nickname").is_empty(), "{claims}");
    Ok(())
}
