//! Keys in a secret, over the real SDK; and what is a key at all.

use harness::{
    Options,
    secrets_manager::{ARN, SecretsManager},
    signing_key,
};
use login::time::Timestamp;
use signer::{KeySource, LocalKeys, Proof, Signer};

use crate::support::{alarm, assert_problem, aws};

use super::{JWKS, ask, one_api, provider, published, start, token};

/// A provider whose keys are here.
fn held(secrets: &SecretsManager) -> Options {
    let options = provider(&one_api()).with("SIGNING_KEYS", ARN);
    options.with("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_read_once_and_kept() {
    let secrets = SecretsManager::start().await.unwrap();
    secrets.put(signing_key::of_this_process().unwrap());
    let stack = start(held(&secrets)).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    assert_eq!(secrets.reads(), 0, "nobody is asked at start");
    for _ in 0..3 {
        token(&stack, &visitor, "").await;
    }
    assert_eq!(secrets.reads(), 1);
    secrets.go_away();
    token(&stack, &visitor, "").await;
    let inline = super::stack().await;
    assert_eq!(published(&stack).await, published(&inline).await);
}

/// Where the start cannot see it, in a secret, a key that stands there twice is published once: libraries refuse a
/// token for which two keys have the right name.
#[tokio::test]
async fn a_key_is_published_once_however_often_it_stands_there() {
    let service = SecretsManager::start().await.unwrap();
    let aws = aws(&service.url()).await;
    let [one, two] = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    for (held, count, repeats) in [
        (format!("{one}{one}"), 1, true),
        (format!("{one}{two}{one}"), 2, true),
        (format!("{one}{two}"), 2, false),
    ] {
        service.put(held.clone());
        let signer = Signer::new(KeySource::parse(ARN).unwrap(), &aws);
        let keys = signer.keys(Timestamp::from_epoch_seconds(1_800_000_000)).await.unwrap();
        let keys = serde_json::to_value(keys).unwrap();
        assert_eq!(keys["keys"].as_array().unwrap().len(), count);
        // In the environment the start sees it.
        assert_eq!(KeySource::parse(&held).unwrap().repeats_a_key(), repeats);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_keys_there_is_no_token_and_the_next_request_asks_again() {
    let secrets = SecretsManager::start().await.unwrap();
    let stack = start(held(&secrets)).await;
    let visitor = stack.visitor("lin").logged_in().await.unwrap();
    assert_problem(&ask(&visitor, "").await, 503, "service_unavailable");
    assert_problem(&visitor.open(JWKS).await.unwrap(), 503, "service_unavailable");
    let line = alarm(&stack, "signing_unavailable").await.unwrap();
    assert!(line.text.contains("signing keys: the secret could not be read: "), "{}", line.text);
    for text in ["", "{}", "canary", "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"] {
        secrets.put(text);
        assert_problem(&ask(&visitor, "").await, 503, "service_unavailable");
    }
    secrets.put(signing_key::of_this_process().unwrap());
    token(&stack, &visitor, "").await;
    secrets.deny();
    token(&stack, &visitor, "").await;
    let log = stack.stop().await.text();
    assert!(!log.contains("canary") && !log.contains("PRIVATE"), "{log}");
}

/// By the clock that the signer is given: a quarter of an hour is not waited for.
#[tokio::test]
async fn keys_are_read_again_after_their_time_and_used_on_while_they_cannot_be() {
    let service = SecretsManager::start().await.unwrap();
    let aws = aws(&service.url()).await;
    let at = |minute: u64| Timestamp::from_epoch_seconds(1_800_000_000 + 60 * minute);
    let signer = Signer::new(KeySource::parse(ARN).unwrap(), &aws);
    let count = async |minute| {
        let keys = serde_json::to_value(signer.keys(at(minute)).await.unwrap()).unwrap();
        keys["keys"].as_array().map(Vec::len)
    };
    let [one, two] = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    service.put(one.clone());
    assert_eq!(count(0).await, Some(1));
    service.put(format!("{one}{two}"));
    assert_eq!(count(14).await, Some(1));
    service.go_away();
    assert_eq!(count(16).await, Some(1));
    service.put(format!("{one}{two}"));
    assert_eq!(count(17).await, Some(2));
}

/// By the clock that it is given, too: five minutes are not waited for, and another key set not at all.
#[tokio::test]
async fn a_signature_of_the_key_set_is_repeated_for_five_minutes() {
    let service = SecretsManager::start().await.unwrap();
    let aws = aws(&service.url()).await;
    let at = |second: u64| Timestamp::from_epoch_seconds(1_800_000_000 + second);
    let signer = Signer::new(KeySource::parse(ARN).unwrap(), &aws);
    let proof = Proof::default();
    // What failed is repeated for ten seconds, though the key is there by then.
    proof.of(&signer, "{}", at(0)).await.unwrap_err();
    service.put(signing_key::of_this_process().unwrap());
    proof.of(&signer, "{}", at(9)).await.unwrap_err();
    let first = proof.of(&signer, "{}", at(10)).await.unwrap();
    assert!(first.signature_input.contains(";created=1800000010;"), "{}", first.signature_input);
    assert_eq!(proof.of(&signer, "{}", at(309)).await.unwrap(), first);
    let second = proof.of(&signer, "{}", at(310)).await.unwrap();
    assert!(second.signature_input.contains(";created=1800000310;"), "{}", second.signature_input);
    // After a change of the keys the old signature is one of something else.
    let third = proof.of(&signer, "[]", at(311)).await.unwrap();
    assert_ne!((&third.content_digest, &third.signature), (&second.content_digest, &second.signature));
}

/// Consoles and files of variables lose the line breaks.
#[test]
fn a_key_is_read_however_its_lines_end() {
    let [one, two] = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    let both = format!("{one}{two}");
    for text in [
        both.clone(),
        both.replace('\n', "\r\n"),
        both.replace('\n', " "),
        both.replace('\n', "\\n"),
        both.replace('\n', ""),
        format!("\n\n  {both}\n\n"),
        format!("{one}\n\n{two}"),
    ] {
        assert!(LocalKeys::parse(&text).is_some(), "{text}");
    }
}

#[test]
fn what_is_no_rsa_key_is_refused() {
    let key = signing_key::of_this_process().unwrap();
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let four = key.repeat(4);
    for (text, what) in [
        ("", "nothing"),
        (" ", "a blank"),
        ("key", "a word"),
        (&*elliptic, "an elliptic curve's"),
        (&four, "four keys"),
        (&key.replace("PRIVATE", "PUBLIC"), "what calls itself public"),
        (&key.replace("BEGIN", "begin"), "another label"),
        (&key.replacen("END PRIVATE", "END RSA PRIVATE", 1), "another end than its beginning"),
        (&format!("{key}{elliptic}"), "a good one and another"),
        (&format!("{key}and more"), "a good one and words"),
        (&format!("# key\n{key}"), "words before it"),
        (key.trim_end().trim_end_matches('-'), "one without its end"),
    ] {
        assert!(LocalKeys::parse(text).is_none(), "{what}");
    }
    assert!(LocalKeys::parse(&key.repeat(3)).is_some());
    let shown = format!("{:?}", LocalKeys::parse(key).unwrap());
    let body: String = key.lines().nth(1).unwrap().to_owned();
    assert!(!shown.contains(&body) && shown.contains("LocalKey("), "{shown}");
}
