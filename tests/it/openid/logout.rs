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
