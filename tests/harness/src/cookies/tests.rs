use super::*;

const HERE: &str = "https://login.example.com/callback?code=1";
const NAVIGATION: Situation = Situation { same_site: false, navigation: true, safe_method: true };
const OWN_FETCH: Situation = Situation { same_site: true, navigation: false, safe_method: true };
const FOREIGN_FETCH: Situation = Situation { same_site: false, ..OWN_FETCH };
const FOREIGN_FORM: Situation = Situation { safe_method: false, ..NAVIGATION };

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// What a jar with these cookies, set by a navigation to `HERE`, sends.
fn sent(cookies: &[&str], to: &str, situation: Situation) -> Option<String> {
    let mut jar = Jar::default();
    for cookie in cookies {
        jar.set(&url(HERE), NAVIGATION, cookie);
    }
    assert_eq!(jar.rejections(), []);
    jar.header(&url(to), situation)
}

/// Why a jar refuses a cookie that a navigation to an address sets.
fn refused(from: &str, cookie: &str) -> Option<&'static str> {
    let mut jar = Jar::default();
    jar.set(&url(from), NAVIGATION, cookie);
    assert_eq!(jar.cookies().len() + jar.rejections().len(), 1, "{cookie}");
    jar.rejections().first().map(|rejection| rejection.reason)
}

#[test]
fn enforces_the_host_prefix() {
    let good = "__Host-browser=b; Secure; HttpOnly; SameSite=Lax; Path=/";
    assert_eq!(refused(HERE, good), None);
    for cookie in [
        "__Host-browser=b; Path=/",
        "__Host-browser=b; Secure",
        "__Host-browser=b; Secure; Path=/callback",
        "__Host-browser=b; Secure; Path=",
        "__Host-browser=b; Secure; Path=/; Domain=login.example.com",
        "__Host-browser=b; Secure; Path=/; Domain=example.com",
        "__host-browser=b; Path=/",
        "__HOST-browser=b; Secure; Path=/; Domain=example.com",
        "__Secure-browser=b; Path=/",
        "__Host-browser; Secure; Path=/",
        "=__Host-browser=b; Secure; Path=/",
    ] {
        assert!(refused(HERE, cookie).is_some(), "{cookie}");
    }
    assert!(refused("http://localhost:9000/callback", good).is_some());
    assert_eq!(refused(HERE, "__Secure-a=b; Secure; Domain=example.com"), None);
}

#[test]
fn refuses_what_a_browser_refuses() {
    let long = format!("a={}", "x".repeat(4096));
    for cookie in [
        "",
        "=",
        "; Path=/",
        "a=b\u{1}",
        &long,
        "a=b; Domain=other.com",
        "a=b; Domain=www.example.com",
        "a=b; Domain=com",
        "a=b; SameSite=None",
    ] {
        assert!(refused(HERE, cookie).is_some(), "{cookie}");
    }
    assert!(refused("http://login.example.com/", "a=b; Secure").is_some());
    assert!(refused("http://127.0.0.1/", "a=b; Domain=0.0.1").is_some());
}

#[test]
fn sends_by_host_path_and_scheme() {
    for (cookie, to, is_sent) in [
        ("a=b", "https://login.example.com/", true),
        ("a=b", "https://login.example.com:8443/", true),
        ("a=b", "http://login.example.com/", true),
        ("a=b", "https://www.example.com/", false),
        ("a=b", "https://x.login.example.com/", false),
        ("a=b; Secure", "http://login.example.com/", false),
        ("a=b; Secure", "https://login.example.com/", true),
        ("a=b; Domain=.Example.com", "https://www.example.com/", true),
        ("a=b; Domain=example.com", "https://notexample.com/", false),
        ("a=b; Path=/callback", "https://login.example.com/callback", true),
        ("a=b; Path=/callback", "https://login.example.com/callback/x", true),
        ("a=b; Path=/callback", "https://login.example.com/callbacks", false),
        ("a=b; Path=/callback/", "https://login.example.com/callback", false),
        ("a=b; Path=callback", "https://login.example.com/", true),
    ] {
        let header = sent(&[cookie], to, NAVIGATION);
        assert_eq!(header.as_deref(), is_sent.then_some("a=b"), "{cookie} {to}");
    }
}

#[test]
fn keeps_same_site_cookies_from_other_sites() {
    let cookies = ["s=1; SameSite=Strict", "l=2; SameSite=Lax", "d=3", "n=4; SameSite=None; Secure"];
    let sent = |situation| sent(&cookies, "https://login.example.com/", situation);
    assert_eq!(sent(OWN_FETCH).as_deref(), Some("s=1; l=2; d=3; n=4"));
    assert_eq!(sent(NAVIGATION).as_deref(), Some("l=2; d=3; n=4"));
    assert_eq!(sent(FOREIGN_FORM).as_deref(), Some("n=4"));
    assert_eq!(sent(FOREIGN_FETCH).as_deref(), Some("n=4"));

    let mut jar = Jar::default();
    jar.set(&url(HERE), FOREIGN_FETCH, "a=b; SameSite=Lax");
    assert_eq!(jar.cookies(), []);
    jar.set(&url(HERE), FOREIGN_FETCH, "a=b; SameSite=None; Secure");
    assert_eq!(jar.cookies().len(), 1);
}

#[test]
fn replaces_and_removes_a_cookie_of_the_same_place_only() {
    assert_eq!(sent(&["a=1", "b=2", "a=3"], HERE, NAVIGATION).as_deref(), Some("a=3; b=2"));
    for removal in ["a=; Max-Age=0", "a=x; Max-Age=-1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
        assert_eq!(sent(&["a=1", removal], HERE, NAVIGATION), None, "{removal}");
    }
    for miss in ["a=; Max-Age=0; Path=/callback", "a=; Max-Age=0; Domain=example.com"] {
        assert_eq!(sent(&["a=1", miss], HERE, NAVIGATION).as_deref(), Some("a=1"), "{miss}");
    }
    assert_eq!(
        sent(&["a=1; Max-Age=soon", "b=2; Max-Age=", "c=3; Max-Age=+9"], HERE, NAVIGATION).as_deref(),
        Some("a=1; b=2; c=3")
    );
    assert_eq!(
        sent(&["a=1; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], HERE, NAVIGATION).as_deref(),
        Some("a=1")
    );
}

#[test]
fn ends_a_cookie_when_its_time_is_over() {
    let mut jar = Jar::default();
    jar.set(&url(HERE), NAVIGATION, "a=1; Max-Age=60");
    jar.set(&url(HERE), NAVIGATION, "b=2");
    jar.advance(Duration::from_secs(59));
    assert_eq!(jar.header(&url(HERE), NAVIGATION).as_deref(), Some("a=1; b=2"));
    jar.advance(Duration::from_secs(2));
    assert_eq!(jar.header(&url(HERE), NAVIGATION).as_deref(), Some("b=2"));
    assert_eq!(jar.cookies().len(), 1);
}

#[test]
fn guards_a_secure_cookie_from_plain_http() {
    let mut jar = Jar::default();
    jar.set(&url(HERE), NAVIGATION, "a=1; Secure");
    jar.set(&url("http://login.example.com/"), NAVIGATION, "a=2");
    assert_eq!(jar.header(&url(HERE), NAVIGATION).as_deref(), Some("a=1"));
    assert_eq!(jar.rejections().len(), 1);
}

#[test]
fn orders_longer_paths_first() {
    let cookies = ["a=1; Path=/", "b=2; Path=/callback", "c=3; Path=/"];
    assert_eq!(sent(&cookies, HERE, NAVIGATION).as_deref(), Some("b=2; a=1; c=3"));
}

#[test]
fn tells_sites_apart() {
    let same = |one, other| same_site(&url(one), &url(other));
    assert!(same("https://www.example.com/", "https://login.example.com/"));
    assert!(same("https://example.com/", "https://login.example.com:8443/"));
    assert!(!same("http://www.example.com/", "https://login.example.com/"));
    assert!(!same("https://example.com/", "https://notexample.com/"));
    assert!(!same("https://open.weixin.qq.com/", "https://login.example.com/"));
    assert!(same("http://localhost:1/", "http://localhost:2/"));
    assert!(!same("http://127.0.0.1/", "http://127.1.0.1/"));
}
