//! A client has its person logged out.

use harness::{Result, stack::PUBLIC_URL};

use super::code_flow::{BYE, form, lin, text, tokens_of, visitor};
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
        (Some(&*hint), None, bye, 200, None),
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
    // Whoever is logged in is asked, whatever a link says.
    tokens_of(&stack, &visitor, &[]).await?;
    let answer = visitor.open(&logout(&[("client_id", "web"), ("post_logout_redirect_uri", BYE)])).await?;
    assert_eq!((answer.status, answer.location()), (200, None));
    assert!(visitor.session().is_some());
    Ok(())
}
