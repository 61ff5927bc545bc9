//! What is broken, and what the doctor has to say of it.

#![expect(clippy::indexing_slicing, reason = "JSON of our own, and a header that every request has")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ::doctor::finding::Finding as F;
use axum::{
    Json, Router,
    extract::Request,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, HOST},
    },
    middleware::{Next, from_fn},
    response::{AppendHeaders, IntoResponse as _},
    routing::get,
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use harness::{
    places::{CONSENT_PAGE, EXCHANGE, QR_PAGE, STABLE_TOKEN},
    signing_key,
    stack::{OFFICIAL_ACCOUNT, WEBSITE_APP, errcode, raw},
};
use login::origin::Origin;
use openid_connect::discovery::Metadata;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rsa::{
    PrivateKey,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
    traits::PublicKeyParts as _,
};
use serde_json::{Value, json};
use simulator::{App, Component, Simulator};

use super::patient::{CONFIRMED, Certificate, Front, Patient, Topic, Vault};

type Case = (&'static str, Patient, Vec<F>);

const COMPONENT: &str = "wx0000000000000ddd";
const COMPONENT_TOKENS: &str = r#"{"wx0000000000000ddd":"90_component0000000000000000000000000000"}"#;
/// An appid that WeChat never gave.
const NOBODY: &str = "wx0000000000000fff";
/// A port that no program is given.
const NOWHERE: &str = "http://127.0.0.1:9";

/// All of them.
pub fn all() -> Vec<Case> {
    let rooms = [
        settings(),
        secrets(),
        components(),
        pages(),
        domain(),
        certificates(),
        provider_settings(),
        provider(),
        tables(),
        alarms(),
    ];
    rooms.into_iter().flatten().collect()
}

fn well() -> Patient {
    Patient::new()
}

/// The Official Account is registered otherwise with WeChat.
fn account(change: impl FnOnce(&mut App) + Send + 'static) -> Patient {
    well().wechat(|simulator| simulator.settings(|settings| settings.apps.first_mut().map(change).unwrap()))
}

/// WeChat refuses one call so.
fn refused(path: &'static str, number: i64) -> Patient {
    well().arrange(move |stack| stack.script(path, errcode(number), 9))
}

fn settings() -> Vec<Case> {
    vec![
        ("nothing", well().with("SILENT_UNIONID", "true"), vec![]),
        (
            "unionids of silent logins, where there are none",
            well().with("SILENT_UNIONID", "true").with("OFFICIAL_ACCOUNT_APP_ID", ""),
            vec![F::SilentUnionidIdle],
        ),
        (
            "unionids of silent logins, where a platform acts",
            platform().with("SILENT_UNIONID", "true"),
            vec![F::SilentUnionidIdle],
        ),
        ("a switch that is no switch", well().with("SILENT_UNIONID", "maybe"), vec![F::ConfigurationWrong]),
        (
            "a topic that is none",
            well().with("ALARM_TOPIC_ARN", "canary"),
            vec![F::ConfigurationWrong, F::AlarmsNone],
        ),
    ]
}

fn secrets() -> Vec<Case> {
    let holds = |app: &str, secret: &str| {
        let website = "5ec2e7bbbbbbbbbbbbbbbbbbbbbbbbbb";
        well().with("APP_SECRETS", &json!({ app: secret, WEBSITE_APP: website }).to_string())
    };
    let holds_for_the_account = |secret: &str| holds(OFFICIAL_ACCOUNT, secret);
    vec![
        ("a secret that may not be read", well().vault(Vault::Locked), vec![F::SecretsUnreadable]),
        (
            "a secret that is no JSON",
            well().vault(Vault::Holds("5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa")),
            vec![F::SecretsMalformed],
        ),
        ("the secret as the stack makes it", well().vault(Vault::Holds("{}")), vec![F::SecretMissing]),
        ("something else that was pasted", holds_for_the_account("canary"), vec![F::SecretMisshapen]),
        (
            "a letter too few",
            holds_for_the_account("5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaa"),
            vec![F::SecretMisshapen],
        ),
        ("the secret before the reset", holds_for_the_account(&"0".repeat(32)), vec![F::SecretWrong]),
        ("40001 for a wrong secret", refused(EXCHANGE, 40001), vec![F::SecretWrong]),
        ("a frozen secret", refused(EXCHANGE, 40243), vec![F::SecretFrozen]),
        ("an interface that is banned", refused(EXCHANGE, 48004), vec![F::WechatRefuses]),
        ("an error that nobody knows", refused(EXCHANGE, 99999), vec![F::WechatRefuses]),
        ("WeChat is busy", refused(EXCHANGE, -1), vec![F::WechatSilent]),
        (
            "WeChat's server fails",
            well().arrange(|stack| stack.script(EXCHANGE, raw(502, ""), 9)),
            vec![F::WechatSilent],
        ),
        ("no way to WeChat's API", well().with("WECHAT_API_URL", NOWHERE), vec![F::WechatUnreachable]),
        (
            "an address that is not in the allow-list",
            well().with("SILENT_UNIONID", "true").wechat(|simulator| {
                simulator.knobs(|knobs| knobs.ip_allow_list = Some(vec!["203.0.113.9".to_owned()]));
            }),
            vec![F::AddressRefused],
        ),
        (
            "the daily quota is used up",
            refused(STABLE_TOKEN, 45009).with("SILENT_UNIONID", "true"),
            vec![F::WechatSilent],
        ),
        (
            "an appid of nobody",
            holds(NOBODY, "5ec2e7aaaaaaaaaaaaaaaaaaaaaaaaaa").with("OFFICIAL_ACCOUNT_APP_ID", NOBODY),
            vec![F::AppUnknown],
        ),
    ]
}

fn platform() -> Patient {
    well().with("COMPONENT_APP_ID", COMPONENT).with("COMPONENT_TOKENS", COMPONENT_TOKENS)
}

/// The platform is registered otherwise with WeChat.
fn of_platform(change: impl FnOnce(&mut Component) + Send + 'static) -> Patient {
    let changed = |simulator: &Simulator| {
        simulator.settings(|settings| settings.components.first_mut().map(change).unwrap());
    };
    platform().wechat(changed)
}

fn components() -> Vec<Case> {
    vec![
        ("a platform", platform(), vec![]),
        (
            "a platform without a place for its token",
            well().with("COMPONENT_APP_ID", COMPONENT),
            vec![F::ConfigurationWrong],
        ),
        (
            "a platform without a token",
            platform().with("COMPONENT_TOKENS", "{}"),
            vec![F::ComponentTokenMissing],
        ),
        (
            "a platform's old token",
            of_platform(|component| "90_newer".clone_into(&mut component.access_token)),
            vec![F::ComponentTokenRefused],
        ),
        (
            "an account that took its authorization back",
            of_platform(|component| component.authorizers.clear()),
            vec![F::ComponentUnauthorized],
        ),
    ]
}

fn domains(domains: &'static [&'static str]) -> impl FnOnce(&Simulator) + Send {
    move |simulator| {
        simulator.settings(|settings| {
            for app in &mut settings.apps {
                app.callback_domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
            }
        });
    }
}

fn pages() -> Vec<Case> {
    let page = |path, text: &'static str| well().arrange(move |stack| stack.script(path, raw(200, text), 9));
    vec![
        ("another domain is registered", well().wechat(domains(&["www.example.com"])), vec![F::PageDomain]),
        ("no domain is registered", well().wechat(domains(&[])), vec![F::PageDomain]),
        ("registered for http", well().wechat(domains(&["http://localhost"])), vec![F::PageScheme]),
        ("an account that is not verified", account(|app| app.scopes.clear()), vec![F::PageScope]),
        ("an account without the profile", account(|app| app.scopes.truncate(1)), vec![F::PageScope]),
        (
            "the appids exchanged",
            well().with("OFFICIAL_ACCOUNT_APP_ID", WEBSITE_APP).with("WEBSITE_APP_ID", OFFICIAL_ACCOUNT),
            vec![F::PageAppKind, F::PageScope],
        ),
        (
            "a banned account",
            well().wechat(|simulator| {
                simulator
                    .knobs(|knobs| knobs.banned_apps = [OFFICIAL_ACCOUNT.to_owned()].into_iter().collect());
            }),
            vec![F::PageBanned],
        ),
        (
            "a test account",
            account(|app| app.test_account = true)
                .wechat(|simulator| simulator.knobs(|knobs| knobs.current_person = Some("zhou".to_owned()))),
            vec![F::PageFollowers],
        ),
        (
            "logins that are too frequent",
            page(CONSENT_PAGE, "操作太频繁了，请稍后重试，错误码：10009"),
            vec![F::PageRefuses],
        ),
        ("a page that says nothing", page(CONSENT_PAGE, "请在微信客户端打开链接"), vec![F::PageUnclear]),
        ("a QR page that says nothing", page(QR_PAGE, "<html></html>"), vec![F::PageUnclear]),
        (
            "no way to WeChat's pages",
            well().with("WECHAT_OPEN_URL", NOWHERE),
            vec![F::WechatUnreachable, F::ClockUnknown],
        ),
        ("a clock that is slow", well().wechat(|simulator| simulator.advance(3600)), vec![F::ClockOff]),
    ]
}

/// A front page of this version, or of another one, and nothing behind it.
fn front_page(version: &'static str) -> Router {
    Router::new().route("/", get(move || async move { [("x-version", version)] }))
}

fn domain() -> Vec<Case> {
    let mine = env!("CARGO_PKG_VERSION");
    let failing = Router::new()
        .fallback(|| async { (StatusCode::SERVICE_UNAVAILABLE, [("x-version", env!("CARGO_PKG_VERSION"))]) });
    vec![
        (
            "a domain without a record",
            well()
                .with("PUBLIC_URL", "https://auth.doctor.invalid")
                .with("ALLOWED_ORIGINS", "https://www.doctor.invalid"),
            vec![F::DomainUnresolved, F::DomainNotAsked],
        ),
        (
            "a record that leads nowhere",
            well().front(Front::Nothing),
            vec![F::DomainUnreachable, F::DomainNotAsked],
        ),
        (
            "somebody else's page",
            well().front(Front::Other(Router::new())),
            vec![F::DomainForeign, F::DomainNotAsked],
        ),
        (
            "another version",
            well().front(Front::Other(front_page("0.0.9"))),
            vec![F::DomainOtherVersion, F::DomainNotAsked],
        ),
        ("a stack that fails", well().front(Front::Other(failing)), vec![F::DomainFails, F::DomainNotAsked]),
        (
            "a front that answers the front page only",
            well().front(Front::Other(front_page(mine))),
            vec![F::VerificationWrong, F::OriginRefused],
        ),
        ("no verification file", well().with("SITE_VERIFICATION", ""), vec![F::VerificationNone]),
        (
            "a page of another site",
            well()
                // Nobody can register a label with two hyphens in that place.
                .with("PUBLIC_URL", "https://auth.ab--doctor.co.uk")
                .with("ALLOWED_ORIGINS", "https://www.ab--other.co.uk"),
            vec![F::OriginForeign, F::DomainUnresolved, F::DomainNotAsked],
        ),
    ]
}

fn certificates() -> Vec<Case> {
    let with = |certificate| well().front(Front::Stack(certificate));
    vec![
        ("a certificate that was not renewed", with(Certificate::EndsIn(10)), vec![F::CertificateEndsSoon]),
        (
            "an expired certificate",
            with(Certificate::EndsIn(-1)),
            vec![F::CertificateExpired, F::DomainNotAsked],
        ),
        (
            "this machine, without a certificate",
            well().with("ALLOWED_ORIGINS", "http://localhost:9300").front(Front::Plain),
            vec![F::CertificateNone],
        ),
        (
            "another name's certificate",
            with(Certificate::OfAnother),
            vec![F::CertificateOfAnother, F::DomainNotAsked],
        ),
        (
            "a certificate of nobody's",
            with(Certificate::Untrusted),
            vec![F::CertificateUntrusted, F::DomainNotAsked],
        ),
    ]
}

/// An OpenID Provider, with what `change` makes of its settings.
fn provides(change: impl FnOnce(&mut Value)) -> Patient {
    let mut settings = json!({
        "subject": "unionid",
        "clients": { "web": { "redirect_uris": ["https://app.example.org/callback"] } },
        "apis": { "https://api.example.com": { "origins": ["https://localhost:9300"], "clients": ["web"] } },
    });
    change(&mut settings);
    well()
        .with("SILENT_UNIONID", "true")
        .with("OPENID_CONNECT", &settings.to_string())
        .with("SIGNING_KEYS", signing_key::of_this_process().unwrap())
}

fn provider_settings() -> Vec<Case> {
    let redirects = |uri: &'static str| {
        provides(move |settings| settings["clients"]["web"]["redirect_uris"] = json!([uri]))
    };
    let openid = |settings: &mut Value| settings["subject"] = "openid".into();
    vec![
        ("a provider", provides(|_| {}), vec![]),
        (
            "a provider without a subject",
            provides(|settings| settings["subject"] = Value::Null),
            // What the pages read stays what it is.
            vec![F::ConfigurationWrong],
        ),
        (
            "a provider without a key",
            provides(|_| {}).with("SIGNING_KEYS", ""),
            // Where the keys are, `token` alone is told; it says of itself that it cannot work.
            vec![F::KeysUnreadable, F::SigningFails],
        ),
        ("an app's own scheme", redirects("com.example.app:/callback"), vec![F::RedirectUnproven]),
        ("an app's loopback address", redirects("http://127.0.0.1/callback"), vec![F::RedirectUnproven]),
        (
            "unionids that are not asked for",
            provides(|_| {}).with("SILENT_UNIONID", "false"),
            vec![F::SubjectAsks],
        ),
        (
            "unionids of the QR code alone",
            provides(|_| {}).with("SILENT_UNIONID", "false").with("OFFICIAL_ACCOUNT_APP_ID", ""),
            vec![],
        ),
        ("openids of two apps", provides(openid), vec![F::SubjectDiffers]),
        ("openids of one app", provides(openid).with("WEBSITE_APP_ID", ""), vec![]),
    ]
}

/// Somebody else in front of a provider, who serves this as discovery and as keys, the former with the host's name in
/// it; the keys with a signature of this process's key, as it is asked for, if `signed` says how old it is.
fn impostor(discovery: Value, keys: Value, signed: Option<u64>) -> Router {
    let discovery = move |headers: HeaderMap| async move {
        let issuer = format!("https://{}", headers[HOST].to_str().unwrap());
        Json(serde_json::from_str::<Value>(&discovery.to_string().replace("{issuer}", &issuer)).unwrap())
    };
    let keys = move |headers: HeaderMap| async move {
        let body = keys.to_string();
        let asked = headers.get("accept-signature").is_some();
        let signature = signed.filter(|_| asked).map(|age| signature(body.as_bytes(), age));
        (AppendHeaders(signature.into_iter().flatten()), [(CONTENT_TYPE, "application/json")], body)
    };
    front_page(env!("CARGO_PKG_VERSION"))
        .route("/.well-known/openid-configuration", get(discovery.clone()))
        .route("/.well-known/oauth-authorization-server", get(discovery))
        .route("/.well-known/jwks.json", get(keys))
}

/// The same, with a member missing where RFC 8414 has the document.
fn forgets_a_member(front: Router) -> Router {
    front.layer(from_fn(|request: Request, next: Next| async move {
        if request.uri().path() == "/.well-known/oauth-authorization-server" {
            return Json(json!({ "issuer": "https://issuer.example" })).into_response();
        }
        next.run(request).await
    }))
}

/// The same, of a process that is only starting when it is asked for the first time: until a signature was asked for,
/// there are no keys.
fn starting(front: Router) -> Router {
    let has_started = Arc::new(AtomicBool::new(false));
    front.layer(from_fn(move |request: Request, next: Next| {
        let is_patient = request.headers().contains_key("accept-signature");
        let is_there = has_started.fetch_or(is_patient, Ordering::SeqCst) || is_patient;
        let asks_keys = request.uri().path() == "/.well-known/jwks.json";
        async move {
            if asks_keys && !is_there {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            next.run(request).await
        }
    }))
}

/// The same, with API Gateway's own answer of status 503 where a signature is asked for.
fn away_for_a_signature(front: Router) -> Router {
    front.layer(from_fn(|request: Request, next: Next| async move {
        if request.headers().contains_key("accept-signature") {
            return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "message": "Service Unavailable" })))
                .into_response();
        }
        next.run(request).await
    }))
}

/// The headers of a response of status 200 with this body that was signed with the key of this process, so many seconds
/// ago ([RFC 9421](https://www.rfc-editor.org/rfc/rfc9421)).
fn signature(body: &[u8], age: u64) -> [(&'static str, String); 3] {
    let pem = signing_key::of_this_process().unwrap();
    let mine = public_half(pem);
    let digest = format!("sha-256=:{}:", STANDARD.encode(digest(&SHA256, body)));
    let input = format!(
        "(\"@status\" \"content-digest\");created={};keyid={};alg=\"rsa-v1_5-sha256\"",
        harness::time::now_seconds() - age,
        mine["kid"]
    );
    let base = format!("\"@status\": 200\n\"content-digest\": {digest}\n\"@signature-params\": {input}");
    let der = PrivateKey::from_pkcs8_pem(pem).unwrap().to_pkcs8_der().unwrap();
    let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), base.as_bytes(), &mut signature).unwrap();
    [
        ("content-digest", digest),
        ("signature-input", format!("keys={input}")),
        ("signature", format!("keys=:{}:", STANDARD.encode(signature))),
    ]
}

/// The public half of a private key in PEM, as a [JWK](https://www.rfc-editor.org/rfc/rfc7517) with its
/// [thumbprint](https://www.rfc-editor.org/rfc/rfc7638) as its name.
fn public_half(pem: &str) -> Value {
    let key = PrivateKey::from_pkcs8_pem(pem).unwrap();
    let [e, n] = [key.e().to_be_bytes_trimmed_vartime(), key.n().to_be_bytes_trimmed_vartime()]
        .map(|number| URL_SAFE_NO_PAD.encode(number));
    let thumbprint = digest(&SHA256, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes());
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": URL_SAFE_NO_PAD.encode(thumbprint), "n": n, "e": e })
}

fn provider() -> Vec<Case> {
    let mine = public_half(signing_key::of_this_process().unwrap());
    let other = public_half(&signing_key::generate().unwrap());
    // Another key that goes by the name of the one that signs.
    let mut false_name = other.clone();
    false_name["kid"].clone_from(&mine["kid"]);
    let keys = |key: &Value| json!({ "keys": [key] });
    let right = Metadata::of(&Origin::parse("https://issuer.example").unwrap());
    let right = serde_json::to_string(&right).unwrap().replace("https://issuer.example", "{issuer}");
    let right: Value = serde_json::from_str(&right).unwrap();
    let with_member = |name: &str, value: Value| {
        let mut changed = right.clone();
        changed[name] = value;
        changed
    };
    let of_another = with_member("issuer", json!("{issuer}/"));
    let elsewhere = with_member("jwks_uri", json!("{issuer}/keys"));
    let token_elsewhere = with_member("token_endpoint", json!("https://evil.example/oauth2/token"));
    let more = with_member("registration_endpoint", json!("{issuer}/oauth2/register"));
    let signed = |discovery: &Value, keys, signed| {
        provides(|_| {}).front(Front::Other(impostor(discovery.clone(), keys, signed)))
    };
    let behind = |discovery: &Value, keys| signed(discovery, keys, Some(0));
    // What such a front does not serve.
    let with = |findings: &[F]| [findings, &[F::VerificationWrong, F::OriginRefused]].concat();
    let wrong_twice = [F::DiscoveryWrong, F::DiscoveryWrong];
    let kms = "arn:aws:kms:us-east-1:123456789012:key/1b2c3d4e-0000-4000-8000-000000000000";
    vec![
        (
            "a front that serves no discovery",
            provides(|_| {}).front(Front::Other(front_page(env!("CARGO_PKG_VERSION")))),
            with(&[F::DiscoveryWrong, F::DiscoveryWrong, F::KeysUnreadable]),
        ),
        ("another issuer", behind(&of_another, keys(&mine)), with(&wrong_twice)),
        ("keys elsewhere", behind(&elsewhere, keys(&mine)), with(&wrong_twice)),
        ("tokens from elsewhere", behind(&token_elsewhere, keys(&mine)), with(&wrong_twice)),
        ("discovery with more than there is", behind(&more, keys(&mine)), with(&wrong_twice)),
        (
            "another document by RFC 8414",
            provides(|_| {}).front(Front::Other(forgets_a_member(impostor(
                right.clone(),
                keys(&mine),
                Some(0),
            )))),
            with(&[F::DiscoveryWrong]),
        ),
        ("a key that is there twice", behind(&right, json!({ "keys": [mine, mine] })), with(&[F::KeyTwice])),
        ("the key before the change", behind(&right, keys(&other)), with(&[F::KeyUnpublished])),
        ("a key by a false name", behind(&right, keys(&false_name)), with(&[F::SignatureForeign])),
        (
            "a front that passes no signature on",
            signed(&right, keys(&mine), None),
            with(&[F::SignatureUnseen]),
        ),
        ("a signature of an hour ago", signed(&right, keys(&mine), Some(3600)), with(&[F::SignatureUnseen])),
        ("a front in health", behind(&right, keys(&mine)), with(&[])),
        (
            "keys of a process that was only starting",
            provides(|_| {}).front(Front::Other(starting(impostor(right.clone(), keys(&mine), Some(0))))),
            with(&[]),
        ),
        (
            "a front that has no function behind it when a signature is asked for",
            provides(|_| {}).front(Front::Other(away_for_a_signature(impostor(
                right.clone(),
                keys(&mine),
                Some(0),
            )))),
            with(&[F::SignatureUnseen]),
        ),
        (
            "KMS is away",
            provides(|_| {}).with("SIGNING_KEYS", kms).with("AWS_ENDPOINT_URL_KMS", NOWHERE),
            vec![F::SigningFails, F::KeysUnreadable],
        ),
        (
            "a provider that nobody reaches",
            provides(|_| {}).front(Front::Nothing),
            vec![F::DomainUnreachable, F::DomainNotAsked],
        ),
    ]
}

fn tables() -> Vec<Case> {
    vec![
        ("a table that is gone", well().with("LOGINS_TABLE", "Gone"), vec![F::TableMissing]),
        (
            "a table with another key",
            well().with("LOGINS_TABLE", "Bent").arrange(|stack| {
                stack.database().make_table("Bent", "key", Some("expires_at")).unwrap();
            }),
            vec![F::TableMisshapen],
        ),
        (
            "a table that forgets nothing",
            well().with("SESSIONS_TABLE", "Hoard").arrange(|stack| {
                stack.database().make_table("Hoard", "id", None).unwrap();
            }),
            vec![F::TableKeepsEverything],
        ),
        ("DynamoDB is away", well().with("AWS_ENDPOINT_URL_DYNAMODB", NOWHERE), vec![F::TableUnseen]),
    ]
}

fn alarms() -> Vec<Case> {
    let waiting = ["email", "new@example.com", "PendingConfirmation"];
    let both = CONFIRMED.into_iter().chain([waiting]).collect();
    vec![
        (
            "an e-mail that nobody confirmed",
            well().topic(Topic::Has(vec![waiting])),
            vec![F::AlarmsUnconfirmed],
        ),
        ("one of three is not confirmed", well().topic(Topic::Has(both)), vec![F::AlarmsUnconfirmed]),
        ("a topic that nobody reads", well().topic(Topic::Has(Vec::new())), vec![F::AlarmsUnheard]),
        ("no topic", well().with("ALARM_TOPIC_ARN", ""), vec![F::AlarmsNone]),
        ("another account's topic", well().topic(Topic::Denied), vec![F::AlarmsUnseen]),
        ("a check that hangs", well().topic(Topic::Hangs), vec![F::OutOfTime]),
    ]
}
