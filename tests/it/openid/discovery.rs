//! `GET /.well-known/…`: where everything is, and the keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use harness::{Options, Stack, browser::Visit, signing_key, stack::PUBLIC_URL};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::{allowances, assert_problem, assert_secured_but};

use super::{JWKS, one_api, published, stack};

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
