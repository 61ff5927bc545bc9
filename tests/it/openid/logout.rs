//! A client has its person logged out.

use harness::{Result, browser::Visit, stack::PUBLIC_URL, time};
use serde_json::json;

use super::code_flow::{APP, BYE, asked, form, lin, logins, text, tokens_of, visitor};
use crate::support::{LABELS, button};

#[tokio::test]
async fn a_link_alone_logs_nobody_out() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let hint = text(&tokens_of(&stack, &visitor, &[]).await?, "id_token");
    let logout = |parameters: &[(&str, &str)]| format!("{PUBLIC_URL}/oauth2/logout?{}", form(parameters));
    let bye = ("post_logout_redirect_uri", BYE);
    for parameters in
        [&[][..], &[bye], &[("id_token_hint", "canary"), bye], &[("id_token_hint", &format!("{hint}A")), bye]]
    {
        let answer = visitor.open(&logout(parameters)).await?;
        assert_eq!((answer.status, answer.location()), (200, None), "{parameters:?}");
        assert!(answer.text().contains("action=\"/logout\""));
    }
    // An ID token of another session: the client means somebody else than who is here.
    let other = self::visitor(&stack, "zhou");
    let others = tokens_of(&stack, &other, &[]).await?;
    let answer = visitor.open(&logout(&[("id_token_hint", &text(&others, "id_token")), bye])).await?;
    assert_eq!((answer.status, answer.location()), (200, None));
    assert!(visitor.session().is_some());
    let elsewhere =
        [("id_token_hint", &*hint), ("post_logout_redirect_uri", "https://app.example.org/bye?a=1")];
    let refused = visitor.open(&logout(&elsewhere)).await?;
    // Who is logged in is offered no login.
    assert_eq!((refused.status, button(&refused)), (400, Some((LABELS.go_home, "/".to_owned()))));
    assert!(visitor.session().is_some());

    let answer = visitor.open(&logout(&[("id_token_hint", &hint), bye, ("state", "s t")])).await?;
    assert_eq!(answer.location(), Some("https://app.example.org/bye?state=s+t"));
    assert!(visitor.session().is_none());
    // The other person's is still there.
    assert_eq!(stack.sessions()?.iter().filter(|item| item.get("pepper").is_some()).count(), 1);
    Ok(())
}

/// A client's own session may be longer than the one here, and its ID token is of a grant that is gone.
#[tokio::test]
async fn who_is_logged_in_no_more_goes_back_to_the_client_that_is_named() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let hint = text(&tokens_of(&stack, &visitor, &[]).await?, "id_token");
    visitor.log_out().await?;
    stack.forget_everything()?;
    let logout = |parameters: &[(&str, &str)]| format!("{PUBLIC_URL}/oauth2/logout?{}", form(parameters));
    let (bye, elsewhere) = (BYE, "https://app.example.org/bye?a=1");
    for (hint, client, uri, status, location) in [
        (Some(&*hint), Some("web"), bye, 303, Some("https://app.example.org/bye?state=s")),
        (None, Some("web"), bye, 303, Some("https://app.example.org/bye?state=s")),
        // Some libraries send the ID token alone. It proves as much as the name of the client: nothing.
        (Some(&*hint), None, bye, 303, Some("https://app.example.org/bye?state=s")),
        (Some("canary"), None, bye, 200, None),
        (None, Some("unknown"), bye, 200, None),
        // Another client's, though the address is registered for both.
        (Some(&*hint), Some("admin"), bye, 200, None),
        (Some("canary"), Some("web"), bye, 200, None),
        // Registered for others.
        (None, Some("phone"), bye, 400, None),
        (None, Some("web"), elsewhere, 400, None),
    ] {
        let hint = hint.map(|hint| ("id_token_hint", hint));
        let client = client.map(|client| ("client_id", client));
        let parameters = [("post_logout_redirect_uri", uri), ("state", "s")];
        let parameters: Vec<_> = parameters.into_iter().chain(hint).chain(client).collect();
        let answer = visitor.open(&logout(&parameters)).await?;
        assert_eq!((answer.status, answer.location()), (status, location), "{parameters:?}");
        // A login in another tab goes on.
        assert!(answer.set_cookies().is_empty(), "{parameters:?}");
    }
    // Whoever is logged in is asked, whatever a link says, and ends on a page of this stack.
    tokens_of(&stack, &visitor, &[]).await?;
    for named in [("client_id", "web"), ("id_token_hint", &hint)] {
        let answer = visitor.open(&logout(&[named, ("post_logout_redirect_uri", BYE)])).await?;
        assert_eq!((answer.status, answer.location()), (200, None));
        assert!(answer.text().contains("action=\"/logout\""));
        assert!(visitor.session().is_some());
    }
    // But for who is logged in no more, since WeChat says so, though the browser still has the cookie.
    let now = json!({ "N": time::now_seconds().to_string() });
    stack.change_sessions("pepper", |session| session["refused_at"] = now.clone())?;
    let answer = visitor.open(&logout(&[("client_id", "web"), ("post_logout_redirect_uri", BYE)])).await?;
    assert_eq!(answer.location(), Some(BYE));
    // What is left of it is erased, so that no slower request brings it back. A login in another tab goes on.
    assert!(!stack.sessions()?.iter().any(|item| item.get("pepper").is_some()));
    assert!(answer.set_cookies().is_empty());
    Ok(())
}

/// The client's ID token may be older than the session: the person logged in anew at another client meanwhile
/// ([RP-Initiated Logout §2](https://openid.net/specs/openid-connect-rpinitiated-1_0.html#RPLogout)).
#[tokio::test]
async fn an_id_token_of_a_session_before_logs_the_same_person_out() -> Result<()> {
    let (stack, visitor) = lin().await?;
    let hint = text(&tokens_of(&stack, &visitor, &[]).await?, "id_token");
    let before = visitor.session();
    assert_eq!(logins(&visitor.follow(&asked(&[("prompt", "login")])).await?), 1);
    assert_ne!(visitor.session(), before);
    let parameters = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BYE), ("state", "s")];
    let logout = format!("{PUBLIC_URL}/oauth2/logout?{}", form(&parameters));
    let answer = visitor.open(&logout).await?;
    assert_eq!(answer.location(), Some("https://app.example.org/bye?state=s"));
    assert!(visitor.session().is_none());
    Ok(())
}

/// An ID token of somebody else shows which client asks, and not that it means who is here: a person presses the
/// button, and it leads on to the client.
#[tokio::test]
async fn who_is_not_meant_is_asked_and_goes_on_to_the_client() -> Result<()> {
    let (stack, visitor) = lin().await?;
    visitor.log_in().await?;
    let other = self::visitor(&stack, "zhou");
    let hint = text(&tokens_of(&stack, &other, &[]).await?, "id_token");
    let parameters = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BYE), ("state", "s")];
    let logout = format!("{PUBLIC_URL}/oauth2/logout?{}", form(&parameters));
    let page = visitor.open(&logout).await?;
    assert_eq!((page.status, page.location()), (200, None));
    // The page says where to by being where it is, and its policy lets the form lead there.
    assert!(page.text().contains("<form method=\"post\">"), "{}", page.text());
    assert!(!page.text().contains("app.example.org") && !page.text().contains(&*hint));
    let policy = page.header("content-security-policy").unwrap_or_default().to_owned();
    assert!(policy.contains("form-action 'self' https:;"), "{policy}");
    assert!(visitor.session().is_some());
    // A form of another page is no tap.
    let posted = visitor.send(Visit::form(&logout, APP, &[])).await?;
    assert_ne!(posted.location(), Some("https://app.example.org/bye?state=s"));
    assert!(visitor.session().is_some());
    let tapped = visitor.send(Visit::form(&logout, PUBLIC_URL, &[])).await?;
    assert_eq!(tapped.location(), Some("https://app.example.org/bye?state=s"));
    assert!(visitor.session().is_none());
    // An address that is not registered is refused before anybody is asked.
    visitor.log_in().await?;
    let elsewhere = [("id_token_hint", &*hint), ("post_logout_redirect_uri", "https://app.example.org/")];
    let refused = visitor.open(&format!("{PUBLIC_URL}/oauth2/logout?{}", form(&elsewhere))).await?;
    assert_eq!((refused.status, refused.location()), (400, None));
    assert!(visitor.session().is_some());
    Ok(())
}
