//! Keys in KMS, over the real SDK.

use std::time::Duration;

use harness::{
    Stack, Visitor,
    kms::{Kms, Trouble},
    signing_key,
    stack::PAGE_ORIGIN,
};
use rcgen::{KeyPair, PublicKeyData};

use crate::support::{alarm, assert_problem};

use super::{JWKS, ask, discovery::signed, one_api, provider, published, request, start, token};

/// A stack that signs with these keys in KMS, and somebody who is logged in there.
async fn with(keys: &[&str]) -> (Kms, Stack, Visitor) {
    let kms = Kms::start(keys).await.unwrap();
    let stack = start(kms.hold(provider(&one_api()))).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    (kms, stack, visitor)
}

/// What KMS was asked since the last time.
fn calls(kms: &Kms) -> Vec<String> {
    kms.calls().into_iter().map(|(operation, key)| format!("{operation} {key}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_takes_one_signature_and_a_key_is_fetched_once() {
    let [one, two] = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    let (kms, stack, visitor) = with(&[&one, &two]).await;
    // Nobody is asked at start, nor for who gets nothing: signatures cost money and are counted for the whole account.
    for visit in [
        request("", "https://evil.example"),
        request("?resource=x", PAGE_ORIGIN),
        request("", PAGE_ORIGIN).header("cookie", "__Host-session=x"),
    ] {
        assert!(visitor.send(visit).await.unwrap().status >= 400);
    }
    assert_eq!(calls(&kms), Vec::<String>::new());
    assert_eq!(ask(&visitor, "").await.status, 200);
    assert_eq!(calls(&kms), ["GetPublicKey 0", "Sign 0"]);
    let said = token(&stack, &visitor, "").await;
    assert_eq!(calls(&kms), ["Sign 0", "GetPublicKey 1"]);
    let keys = published(&stack).await;
    assert_eq!(calls(&kms), Vec::<String>::new());
    // A key is called the same wherever it lies.
    let local = super::stack().await;
    assert_eq!(published(&local).await["keys"][0], keys["keys"][0]);
    assert_eq!((keys["keys"].as_array().unwrap().len(), &said.header["kid"]), (2, &keys["keys"][0]["kid"]));
}

/// Signatures are limited for the whole account: then there is no token, never half an answer, and later there is one.
#[tokio::test(flavor = "multi_thread")]
async fn throttled() {
    let (kms, stack, visitor) = with(&[signing_key::of_this_process().unwrap()]).await;
    assert_eq!(ask(&visitor, "").await.status, 200);
    for trouble in [
        Trouble::Error(400, "ThrottlingException"),
        Trouble::Error(400, "AccessDeniedException"),
        Trouble::Error(400, "DisabledException"),
        Trouble::Error(400, "KMSInvalidStateException"),
        Trouble::Error(500, "KMSInternalException"),
        Trouble::Silence,
        Trouble::Late(Duration::from_secs(3)),
        Trouble::Garbage,
        Trouble::Cut,
        Trouble::Half,
    ] {
        kms.trouble(0, Some(trouble));
        let answer = ask(&visitor, "").await;
        assert_problem(&answer, 503, "service_unavailable");
        assert!(answer.header("access-control-allow-origin").is_some(), "the page could not read it");
        let line = alarm(&stack, answer.header("x-correlation-id").unwrap()).await.unwrap();
        assert!(line.text.contains(r#""outcome":"signing_unavailable""#), "{}", line.text);
        // What passes is tried again; KMS's own error is the last one, or the end of the two seconds comes before it.
        let causes = match trouble {
            Trouble::Error(_, code @ ("ThrottlingException" | "KMSInternalException")) => {
                vec![code, "Timeout"]
            }
            Trouble::Error(_, code) => vec![code],
            Trouble::Silence | Trouble::Late(_) => vec!["Timeout"],
            Trouble::Garbage => vec!["ServiceError"],
            Trouble::Cut | Trouble::Half => vec!["DispatchFailure", "ResponseError", "Timeout"],
        };
        let is_told = |code: &&str| line.text.contains(&format!("KMS: Sign failed: {code}\""));
        assert!(causes.iter().any(is_told), "{causes:?}: {}", line.text);
        kms.trouble(0, None);
        assert_eq!(ask(&visitor, "").await.status, 200);
    }
    // KMS's own words name accounts and roles.
    assert!(!stack.stop().await.text().contains("CanaryRole"));
}

/// Anybody may ask whether the key signs. It is tried once in five minutes, and what failed not again at once: nobody
/// has KMS called as often as he likes.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_has_the_key_set_signed_once() {
    let (kms, stack, visitor) = with(&[signing_key::of_this_process().unwrap()]).await;
    kms.calls();
    for _ in 0..5 {
        assert_eq!(signed(&stack).await.status, 200);
    }
    assert_eq!(calls(&kms), ["GetPublicKey 0", "Sign 0"]);
    assert_eq!(ask(&visitor, "").await.status, 200);
    // A process that has the key, which then cannot sign.
    let (kms, stack, visitor) = with(&[signing_key::of_this_process().unwrap()]).await;
    published(&stack).await;
    kms.trouble(0, Some(Trouble::Error(400, "DisabledException")));
    kms.calls();
    for _ in 0..5 {
        let answer = signed(&stack).await;
        assert_problem(&answer, 503, "service_unavailable");
        let line = alarm(&stack, answer.header("x-correlation-id").unwrap()).await.unwrap();
        assert!(line.text.contains(r#""outcome":"signing_unavailable""#), "{}", line.text);
        assert!(line.text.contains("KMS: Sign failed: DisabledException"), "{}", line.text);
    }
    assert_eq!(calls(&kms), ["Sign 0"]);
    // The keys themselves are there all the same, and a token is another matter.
    published(&stack).await;
    kms.trouble(0, None);
    assert_eq!(ask(&visitor, "").await.status, 200);
    assert_eq!(calls(&kms), ["Sign 0"]);
}

/// A set that lacks a key would have good tokens refused for as long as it is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_without_one_of_its_keys_is_not_published() {
    let [one, two] = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    let (kms, stack, visitor) = with(&[&one, &two]).await;
    kms.trouble(1, Some(Trouble::Error(400, "DisabledException")));
    let answer = visitor.open(JWKS).await.unwrap();
    assert_problem(&answer, 503, "service_unavailable");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    alarm(&stack, "KMS: GetPublicKey failed: DisabledException").await.unwrap();
    // The first one signs all the same.
    assert_eq!(ask(&visitor, "").await.status, 200);
    kms.trouble(1, None);
    assert_eq!(published(&stack).await["keys"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_rsa_signs_nothing() {
    let (kms, stack, visitor) = with(&[signing_key::of_this_process().unwrap()]).await;
    kms.calls();
    let elliptic = KeyPair::generate().unwrap().subject_public_key_info();
    for public in [elliptic, vec![], vec![0x30, 0x82, 0xff, 0xff]] {
        kms.show(0, &public);
        assert_problem(&ask(&visitor, "").await, 503, "service_unavailable");
        assert_problem(&visitor.open(JWKS).await.unwrap(), 503, "service_unavailable");
    }
    alarm(&stack, "a signing key is no RSA key of at least 2048 bits").await.unwrap();
    assert!(calls(&kms).iter().all(|call| call.starts_with("GetPublicKey")));
}
