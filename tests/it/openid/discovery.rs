//! `GET /.well-known/…`: where everything is, and the keys.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use harness::{Answer, Options, Stack, browser::Visit, signing_key, stack::PUBLIC_URL, time::now_seconds};
use ring::{
    digest::{SHA256, digest},
    signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents},
};
use serde_json::{Value, json};

use crate::support::{allowances, assert_problem, assert_secured_but};

use super::{JWKS, one_api, published, stack, verify};

/// By OpenID Connect, and by RFC 8414.
const DOCUMENTS: [&str; 2] = [
    "https://login.example.com/.well-known/openid-configuration",
    "https://login.example.com/.well-known/oauth-authorization-server",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_where_everything_is() {
    let stack = stack().await;
    let mut documents = Vec::new();
    for url in DOCUMENTS {
        let answer = stack.browser().get(url).await.unwrap();
        assert_eq!(answer.status, 200, "{url}: {}", answer.text());
        documents.push(answer.json().unwrap());
    }
    assert_eq!(documents[0], documents[1]);
    let document = &documents[0];
    // What it must have is there (OpenID Connect Discovery §3).
    assert_eq!(document["issuer"], PUBLIC_URL);
    assert_eq!(document["jwks_uri"], JWKS);
    assert!(document["response_types_supported"].is_array());
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
    // Whatever is an address is one of this origin.
    for (name, value) in document.as_object().unwrap() {
        let is_address = name.ends_with("_endpoint") || name.ends_with("_uri");
        let is_own = value.as_str().is_some_and(|url| url.starts_with("https://login.example.com/"));
        assert!(!is_address || is_own, "{name}: {value}");
    }
}

/// Anybody may read it, from any page, and keep it for an hour.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_public() {
    let stack = stack().await;
    for url in DOCUMENTS.into_iter().chain([JWKS]) {
        for visit in [Visit::open(url), Visit::fetch(http::Method::GET, url, "https://evil.example")] {
            let answer = stack.browser().send(visit).await.unwrap();
            assert_eq!(answer.status, 200, "{url}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{url}");
            assert_secured_but(&answer.headers, &["cache-control", "cross-origin-resource-policy"], url);
            assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"), "{url}");
            assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"), "{url}");
            assert_eq!(allowances(&answer), [("access-control-allow-origin", "*")], "{url}");
            assert!(answer.set_cookies().is_empty(), "{url}");
        }
    }
}

/// What asks for the keys with a signature.
const ACCEPTED: &str = r#"keys=("@status" "content-digest");created"#;

/// The keys with a signature, as anybody gets them who asks for it.
pub async fn signed(stack: &Stack) -> Answer {
    stack.browser().send(Visit::open(JWKS).header("accept-signature", ACCEPTED)).await.unwrap()
}

/// Whether a key of this set signed this answer, by RFC 9421: built here from what the RFC says, and held against the
/// key by `ring`.
fn is_signed(keys: &Value, answer: &Answer) -> bool {
    let header = |name: &str| answer.header(name).unwrap().to_owned();
    let digest = format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, &answer.body)));
    assert_eq!(header("content-digest"), digest);
    let input = header("signature-input");
    let parameters = input.strip_prefix("keys=").unwrap();
    let base = format!(
        "\"@status\": {}\n\"content-digest\": {digest}\n\"@signature-params\": {parameters}",
        answer.status
    );
    let parts: Vec<&str> = parameters.split(';').collect();
    let covered = (parts.len(), parts[0], parts[3]);
    assert_eq!(covered, (4, r#"("@status" "content-digest")"#, r#"alg="rsa-v1_5-sha256""#));
    let created: u64 = parts[1].strip_prefix("created=").unwrap().parse().unwrap();
    assert!(now_seconds().abs_diff(created) < 300, "{created}");
    let mut known = keys["keys"].as_array().unwrap().iter();
    let key = known.find(|key| parts[2] == format!("keyid={}", key["kid"])).unwrap();
    let [n, e] = ["n", "e"].map(|name| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap());
    let signature = header("signature");
    let signature = signature.strip_prefix("keys=:").unwrap().strip_suffix(':').unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    let key = RsaPublicKeyComponents { n, e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, base.as_bytes(), &signature).is_ok()
}

/// Who wants to know whether the key signs needs no right of his own: the set comes with a signature of its first key.
/// What is signed is a line of text and no token, so nothing is worth anything that a stranger gets so.
#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_signed_for_who_asks_for_it() {
    let keys = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    let options = Options::default()
        .with("OPENID_CONNECT", &one_api().to_string())
        .with("SIGNING_KEYS", &keys.concat());
    let stack = Stack::start(options).await.unwrap();
    let usual = stack.browser().get(JWKS).await.unwrap();
    let answer = signed(&stack).await;
    assert_eq!((answer.status, &answer.body), (200, &usual.body), "{}", answer.text());
    let published = usual.json().unwrap();
    assert!(is_signed(&published, &answer), "{:?}", answer.headers);
    let first = published["keys"][0]["kid"].as_str().unwrap();
    assert!(answer.header("signature-input").unwrap().contains(first), "{:?}", answer.headers);
    // Kept by a proxy it would be no new one. The keys without it may be.
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), usual.header("content-type"));
    // It is the same for who asks a moment later.
    assert_eq!(signed(&stack).await.header("signature"), answer.header("signature"));
    // In no order are its parts a token.
    let [input, signature] = ["signature-input", "signature"].map(|name| answer.header(name).unwrap());
    for token in [format!("{input}.{signature}"), format!("{input}.{}.{signature}", answer.text())] {
        verify(&published, &token).unwrap_err();
    }
    // Nobody else gets one, and no other form is known.
    for asked in [None, Some(""), Some("keys=()"), Some(r#"keys=("@status" "content-digest" "@authority")"#)]
    {
        let visit = Visit::open(JWKS);
        let visit = match asked {
            Some(asked) => visit.header("accept-signature", asked),
            None => visit,
        };
        let answer = stack.browser().send(visit).await.unwrap();
        assert_eq!((answer.status, &answer.body), (200, &usual.body), "{asked:?}");
        assert!(answer.header("signature").is_none(), "{asked:?}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"), "{asked:?}");
    }
    let log = stack.stop().await.text();
    assert_eq!(log.matches(r#""outcome":"keys_signed""#).count(), 2, "{log}");
}

/// Whoever could have one of these kept with other addresses in it would be believed by every gateway.
#[tokio::test(flavor = "multi_thread")]
async fn the_host_decides_nothing() {
    let stack = stack().await;
    for url in DOCUMENTS.into_iter().chain([JWKS]) {
        let usual = stack.browser().get(url).await.unwrap();
        for (name, value) in [
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-port", "8443"),
            ("forwarded", "host=evil.example;proto=http"),
            ("x-original-url", "https://evil.example/"),
            ("origin", "https://evil.example"),
            ("accept", "text/html"),
            ("accept-language", "en"),
            ("cookie", "__Host-session=1"),
        ] {
            let answer = stack.browser().send(Visit::open(url).header(name, value)).await.unwrap();
            assert_eq!((answer.status, &answer.body), (200, &usual.body), "{url} {name}");
            assert_eq!(answer.header("vary"), usual.header("vary"), "{url} {name}");
        }
        for query in ["?issuer=https://evil.example", "?a=%zz"] {
            let answer = stack.browser().get(&format!("{url}{query}")).await.unwrap();
            assert_eq!((answer.status, &answer.body), (200, &usual.body), "{url}{query}");
        }
        assert!(!usual.text().contains("evil"), "{}", usual.text());
    }
}

/// A name of a key is computed from the key alone (RFC 7638).
fn thumbprint(key: &Value) -> String {
    let members = format!(r#"{{"e":{},"kty":{},"n":{}}}"#, key["e"], key["kty"], key["n"]);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_named_by_their_thumbprints_and_have_no_private_half() {
    let keys = [signing_key::of_this_process().unwrap().to_owned(), signing_key::generate().unwrap()];
    let options = Options::default()
        .with("OPENID_CONNECT", &one_api().to_string())
        .with("SIGNING_KEYS", &keys.concat());
    let published = published(&Stack::start(options).await.unwrap()).await;
    assert_eq!(published.as_object().unwrap().len(), 1);
    let published = published["keys"].as_array().unwrap();
    assert_eq!(published.len(), 2);
    for key in published {
        let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["kty", "use", "alg", "kid", "n", "e"]);
        assert_eq!((&key["kty"], &key["use"], &key["alg"]), (&"RSA".into(), &"sig".into(), &"RS256".into()));
        assert_eq!(key["kid"], thumbprint(key));
        let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
        assert!(modulus.len() == 256 && modulus[0] != 0, "{} bytes", modulus.len());
    }
    assert_ne!(published[0]["kid"], published[1]["kid"]);
    // The thumbprint of RFC 7638 §3.1, so that the test itself is right.
    let example = json!({ "kty": "RSA", "e": "AQAB", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" });
    assert_eq!(thumbprint(&example), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_there_is_no_document() {
    let stack = crate::support::stack().await.unwrap();
    for url in DOCUMENTS {
        let answer = stack.browser().get(url).await.unwrap();
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.header("access-control-allow-origin").is_none(), "{url}");
    }
    assert_problem(&stack.browser().get(JWKS).await.unwrap(), 404, "not_found");
}
