//! §6.3, login by QR code.

use super::*;
use crate::{Action, Denial, Fault, QrFragment, QrProgress};

const POLL: &str = "/connect/l/qrconnect";

/// A simulator whose polls do not wait, and the uuid of the QR code it shows.
async fn shown() -> (Simulator, String) {
    let simulator = wechat_with(|knobs| knobs.qr_poll_milliseconds = 0);
    let uuid = uuid_in(&get(&simulator, &qr_url(WEBSITE_APPID)).await);
    (simulator, uuid)
}

fn uuid_in(page: &Reply) -> String {
    let (_, rest) = page.text().split_once("src=\"/connect/qrcode/").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

async fn poll(simulator: &Simulator, uuid: &str, last: &str) -> String {
    let reply = get(simulator, &format!("{POLL}?uuid={uuid}{last}&_=1")).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "text/javascript"));
    reply.text().to_owned()
}

fn answered(errcode: i64) -> String {
    format!("window.wx_errcode={errcode};window.wx_code='';")
}

fn scan(person: &str) -> Action {
    Action::Scan { uuid: None, person: Some(person.to_owned()) }
}

#[tokio::test]
async fn q1_a_page_with_a_picture() {
    let (simulator, uuid) = shown().await;
    assert!(
        uuid.len() == 16 && uuid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    assert_eq!(last(&simulator).outcome, Outcome::QrCode { uuid: uuid.clone() });
    let picture = get(&simulator, &format!("/connect/qrcode/{uuid}")).await;
    assert_eq!(picture.header("content-type"), "image/png");
    assert!(picture.body.starts_with(b"\x89PNG\r\n\x1a\n") && picture.body.ends_with(b"IEND\xaeB`\x82"));
    let mut reader = png::Decoder::new(std::io::Cursor::new(&picture.body)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let line = reader.next_frame(&mut pixels).unwrap().line_size;
    // Behind four modules of white, the upper edge of the first corner: seven dark ones, and a light one.
    let edge = [&[0xff; 4][..], &[0; 7], &[0xff]].concat();
    assert!(pixels[..4 * 8 * line].iter().all(|byte| *byte == 0xff));
    assert!(pixels[4 * 8 * line..].chunks(line).take(8).all(|row| row.starts_with(&edge)));
    assert_eq!(get(&simulator, "/connect/qrcode/unknown").await.status, StatusCode::NOT_FOUND);

    let page = get(&simulator, &qr_url(WEBSITE_APPID)).await;
    for text in ["微信登录", "使用微信扫一扫登录", "青禾书店网站", "class=\"impowerBox\""]
    {
        assert!(page.text().contains(text), "{text}");
    }
    assert_ne!(uuid_in(&page), uuid);
}

#[tokio::test]
async fn q1_in_english_embedded_and_with_all_it_may_be_asked() {
    let url = qr_url(WEBSITE_APPID).replace("&response_type=code", "");
    let legacy = "&login_type=jssdk&self_redirect=true&styletype=&sizetype=&bgcolor=&rst=&style=white&href=x";
    let page = get(&wechat(), &format!("{url}{legacy}&stylelite=1&fast_login=0&lang=en")).await;
    for text in ["WeChat Login", "Scan with WeChat to log in", "data-self-redirect=\"true\"", "lang=\"en\""] {
        assert!(page.text().contains(text), "{text}");
    }
    assert!(!page.text().contains("微信登录"));
    let page = get(&wechat(), &format!("{url}&lang=cn&self_redirect=default")).await;
    assert!(page.text().contains("data-self-redirect=\"false\"") && page.text().contains("微信登录"));
}

#[tokio::test]
async fn q2_waiting_scanned_confirmed() {
    let (simulator, uuid) = shown().await;
    assert_eq!(poll(&simulator, &uuid, "").await, answered(408));
    simulator.attempt(&scan("zhou")).unwrap();
    assert_eq!(poll(&simulator, &uuid, "").await, answered(404));
    assert_eq!(poll(&simulator, &uuid, "&last=404").await, answered(408));

    simulator.attempt(&Action::Confirm { uuid: None }).unwrap();
    let confirmed = poll(&simulator, &uuid, "&last=404").await;
    let entry = last(&simulator);
    let code = entry.code.unwrap();
    assert_eq!(confirmed, format!("window.wx_errcode=405;window.wx_code='{code}';"));
    assert_eq!(entry.person.as_deref(), Some("zhou"));
    assert_eq!(entry.openid, Some(simulator.openid("zhou", WEBSITE_APPID)));
    let location = format!("https://login.example.com/callback?code={code}&state=abc123");
    assert_eq!(
        simulator.qr_codes()[0].progress,
        QrProgress::Confirmed { person: "zhou".to_owned(), code: code.clone(), location }
    );

    let tokens = get(&simulator, &of_website(&exchange_url(&code))).await;
    assert_eq!(tokens.string("scope"), "snsapi_login");
    assert_eq!(tokens.string("unionid"), simulator.unionid("zhou", APPID).unwrap());
}

#[tokio::test]
async fn q2_a_poll_is_answered_when_there_is_news() {
    let (simulator, uuid) = shown().await;
    simulator.knobs(|knobs| knobs.qr_poll_milliseconds = 3_600_000);
    let polling = |last: &'static str| {
        let (simulator, uuid) = (simulator.clone(), uuid.clone());
        tokio::spawn(async move { poll(&simulator, &uuid, last).await })
    };
    let waiting = async |count: usize| {
        let polls = |entries: &[Entry]| entries.iter().filter(|entry| entry.path == POLL).count() == count;
        simulator.until(polls).await;
    };
    let first = polling("");
    waiting(1).await;
    assert_eq!(last(&simulator).outcome, Outcome::Pending);
    simulator.attempt(&scan("lin")).unwrap();
    assert_eq!(first.await.unwrap(), answered(404));

    let second = polling("&last=404");
    waiting(2).await;
    simulator.attempt(&Action::Confirm { uuid: Some(uuid.clone()) }).unwrap();
    assert!(second.await.unwrap().starts_with("window.wx_errcode=405;"));
}

#[tokio::test]
async fn q3_cancelled() {
    let (simulator, uuid) = shown().await;
    simulator.attempt(&scan("lin")).unwrap();
    simulator.attempt(&Action::Cancel { uuid: None }).unwrap();
    assert_eq!(poll(&simulator, &uuid, "").await, answered(403));
    assert_eq!(
        simulator.attempt(&Action::Confirm { uuid: None }).unwrap_err(),
        "the QR code was used already"
    );

    // Until 2018, the callback was told.
    for (denial, location) in [
        (Denial::None, ""),
        (Denial::StateOnly, "https://login.example.com/callback?state=abc123"),
        (Denial::Authdeny, "https://login.example.com/callback?code=authdeny&#38;state=abc123"),
    ] {
        simulator.knobs(|knobs| knobs.denial = denial);
        let page = get(&simulator, &qr_url(WEBSITE_APPID)).await;
        assert!(page.text().contains(&format!("data-denial=\"{location}\"")), "{}", page.text());
    }
}

#[tokio::test]
async fn q3_too_old() {
    let (simulator, uuid) = shown().await;
    simulator.advance(299);
    assert_eq!(poll(&simulator, &uuid, "").await, answered(408));
    simulator.advance(1);
    assert_eq!(poll(&simulator, &uuid, "").await, answered(402));
    assert_eq!(simulator.attempt(&scan("lin")).unwrap_err(), "the QR code is too old");
    assert_eq!(poll(&simulator, "unknown", "").await, answered(402));

    get(&simulator, &qr_url(WEBSITE_APPID)).await;
    simulator.attempt(&scan("lin")).unwrap();
    simulator.attempt(&Action::ExpireQrCodes).unwrap();
    assert_eq!(simulator.attempt(&Action::Cancel { uuid: None }).unwrap_err(), "the QR code is too old");
    simulator.knobs(|knobs| knobs.script(POLL, Fault::Errcode { errcode: 500, errmsg: None }));
    assert_eq!(poll(&simulator, &uuid, "").await, answered(500));
}

#[tokio::test]
async fn q4_q5_what_is_not_the_apps_own() {
    let url = qr_url(WEBSITE_APPID);
    let cases = [
        (qr_url(APPID), "Scope 参数错误或没有 Scope 权限"),
        (url.replace("snsapi_login", "snsapi_userinfo"), "Scope 参数错误或没有 Scope 权限"),
        (url.replace("snsapi_login", ""), "Scope 参数错误或没有 Scope 权限"),
        // Not percent-encoded, though its query has to be.
        (
            url.replace("%3A", ":").replace("%2F", "/").replace("callback", "callback?a=1"),
            "Scope 参数错误或没有 Scope 权限",
        ),
        (url.replace("snsapi_login", "snsapi_login,openid"), "Scope 参数错误或没有 Scope 权限"),
        (url.replace("login.example.com", "evil.example"), "redirect_uri 参数错误"),
        (url.replace("https%3A%2F%2Flogin.example.com%2Fcallback", ""), "redirect_uri 参数错误"),
        (url.replace("response_type=code", "response_type=token"), "该链接无法访问"),
        // Q5: an unknown app, and none.
        (qr_url("wx0000000000000ccc"), "AppID 参数错误"),
        (qr_url(""), "AppID 参数错误"),
    ];
    for (url, error) in cases {
        let simulator = wechat();
        refuses(&simulator, &url, error).await;
        assert!(simulator.qr_codes().is_empty());
    }
}

#[tokio::test]
async fn a_plain_callback_and_two_scopes_are_taken() {
    let url = qr_url(WEBSITE_APPID);
    for url in [
        url.replace("%3A", ":").replace("%2F", "/"),
        url.replace("snsapi_login", "snsapi_login,snsapi_userinfo"),
        url.replace("snsapi_login", "snsapi_login%2Csnsapi_userinfo"),
    ] {
        let (simulator, _) = shown().await;
        uuid_in(&get(&simulator, &url).await);
        simulator.attempt(&scan("lin")).unwrap();
        simulator.attempt(&Action::Confirm { uuid: None }).unwrap();
        let code = simulator.qr_codes().pop().map(|shown| shown.progress);
        let Some(QrProgress::Confirmed { code, location, .. }) = code else { panic!("{url}") };
        assert_eq!(location, format!("{CALLBACK}?code={code}&state=abc123"));
        let tokens = get(&simulator, &of_website(&exchange_url(&code))).await;
        let profile = get(&simulator, &profile_url(&tokens)).await;
        assert_eq!(profile.string("nickname"), "小满🌾");
    }
}

#[tokio::test]
async fn a_state_that_is_empty_or_absent_logs_in() {
    let url = qr_url(WEBSITE_APPID);
    for (url, end) in [(url.replace("=abc123", "="), "&#38;state="), (url.replace("&state=abc123", ""), "")] {
        let page = get(&wechat(), &url).await;
        assert!(page.text().contains(&format!("data-after=\"{end}\"")), "{}", page.text());
    }
}

#[tokio::test]
async fn page_10039_another_scheme_than_registered() {
    let simulator = wechat();
    simulator.settings(|settings| {
        settings.apps[1].callback_domains = vec!["https://login.example.com".to_owned()];
    });
    let url = qr_url(WEBSITE_APPID);
    refuses(&simulator, &url.replace("https%3A", "http%3A"), "错误码:10039").await;
    assert!(get(&simulator, &url).await.text().contains("/connect/qrcode/"));
}

#[tokio::test]
async fn any_order_any_browser_and_a_long_state_will_do() {
    let state = "s".repeat(300);
    let redirect_uri = encode("https://h/x?a=1");
    let url = format!(
        "/connect/qrconnect?response_type=code&state={state}&scope=snsapi_login&redirect_uri={redirect_uri}&appid={WEBSITE_APPID}"
    );
    let simulator = wechat();
    let page = send(&simulator, Request::get(&url).body(Body::empty()).unwrap()).await;
    assert!(
        page.text().contains(&format!(
            "data-before=\"https://h/x?a=1&#38;code=\" data-after=\"&#38;state={state}\""
        ))
    );
}

#[tokio::test]
async fn a_fragment_comes_before_the_code_or_after_it() {
    let url = qr_url(WEBSITE_APPID).replace("%2Fcallback", "%2F%23%2Fp");
    for (place, expected) in [
        (QrFragment::Within, "https://login.example.com/#/p?code=CODE&state=abc123"),
        (QrFragment::Before, "https://login.example.com/?code=CODE&state=abc123#/p"),
    ] {
        let simulator = wechat_with(|knobs| knobs.qr_fragment = place);
        get(&simulator, &url).await;
        simulator.attempt(&scan("lin")).unwrap();
        simulator.attempt(&Action::Confirm { uuid: None }).unwrap();
        let QrProgress::Confirmed { code, location, .. } = simulator.qr_codes().remove(0).progress else {
            panic!("{place:?}")
        };
        assert_eq!(location.replace(&code, "CODE"), expected);
    }
}

#[tokio::test]
async fn the_phone_scans_and_decides() {
    let (simulator, uuid) = shown().await;
    let phone = format!("/_simulator/phone?uuid={uuid}");
    let tap = async |form: String| {
        let reply = post(&simulator, "/_simulator/phone", &form).await;
        assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, phone.as_str()));
        get(&simulator, &phone).await.text().to_owned()
    };
    let waiting = get(&simulator, &phone).await;
    assert!(waiting.text().contains("扫码") && waiting.text().contains("value=\"mallory\""));
    assert!(!waiting.text().contains("<script>alert"));
    let scanned = tap(format!("uuid={uuid}&step=scan&person=mallory")).await;
    assert!(scanned.contains("确认登录") && scanned.contains("青禾书店网站"));
    assert!(tap(format!("uuid={uuid}&step=confirm")).await.contains("已确认登录"));

    // Once is enough.
    let again = post(&simulator, "/_simulator/phone", &format!("uuid={uuid}&step=confirm")).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.text().contains("the QR code was used already"));
    assert!(get(&simulator, "/_simulator/phone?uuid=unknown").await.text().contains("二维码不存在"));
}

#[tokio::test]
async fn what_cannot_happen_is_said() {
    let simulator = wechat();
    let confirm = Action::Confirm { uuid: None };
    assert_eq!(simulator.attempt(&confirm).unwrap_err(), "no QR code was shown yet");
    get(&simulator, &qr_url(WEBSITE_APPID)).await;
    assert_eq!(simulator.attempt(&confirm).unwrap_err(), "nobody has scanned the QR code");
    assert_eq!(simulator.attempt(&scan("nobody")).unwrap_err(), "there is no person \"nobody\"");
    simulator.attempt(&scan("lin")).unwrap();
    assert_eq!(simulator.attempt(&scan("zhou")).unwrap_err(), "the QR code was scanned already");
    let other = Action::Cancel { uuid: Some("other".to_owned()) };
    assert_eq!(simulator.attempt(&other).unwrap_err(), "there is no QR code \"other\"");
}
