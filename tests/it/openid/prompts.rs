//! Whether the session that is there answers a request, or only a login does.

use harness::{Answer, Failure, Result, Stack, database::with, places::CALLBACK, stack::WEBSITE_APP, time};
use serde_json::json;

use super::code_flow::{
    REDIRECT_URI, asked, brought, code, error_of, options, parameter, provider, redeem, refresh, text,
    userinfo, verified, visitor,
};

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
    for changes in [&[("prompt", "login")][..], &[("prompt", "select_account")], &[("max_age", "0")]] {
        let hops = visitor.follow(&asked(changes)).await?;
        assert_eq!(logins(&hops), 1, "{changes:?}");
        assert!(parameter(&brought(&hops)?, "code").is_some());
    }
    assert_ne!(visitor.session(), before);
    Ok(())
}

/// How many logins came back from WeChat on the way.
fn logins(hops: &[Answer]) -> usize {
    hops.iter().filter(|hop| hop.url.as_str().starts_with(CALLBACK)).count()
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
        for item in stack.sessions()?.into_iter().filter(|item| item.get("sealed").is_some()) {
            let item = with(item, "created_at", json!({ "N": (time::now_seconds() - 5).to_string() }));
            stack.database().put(stack.table("SessionsTable")?, &item)?;
        }
        let again = visitor.open(&back).await?.redirect()?.unwrap();
        assert!(parameter(&again, "code").is_some(), "{changes:?} {again}");
    }
    Ok(())
}

/// The client expects somebody: another person who logs in anew is not whom it asked for
/// ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
#[tokio::test]
async fn a_new_login_of_another_person_than_the_expected_one_gives_no_code() -> Result<()> {
    let stack = provider().await?;
    let lin = visitor(&stack, "lin");
    let hint = text(&redeem(&stack, &code(&lin, &[]).await?, &[]).await?.json()?, "id_token");
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
