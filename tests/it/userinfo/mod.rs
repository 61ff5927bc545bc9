//! `GET /userinfo`: what is shown, to whom, and in which form. How a session is kept up to date with
//! WeChat is in [`refresh`], who may ask from another page in [`cors`], what opens a session and what

mod cors;
mod refresh;
mod sessions;

use harness::{
    Options, Stack,
    browser::Visit,
    database::number,
    places::{AUTHORIZE, AUTHORIZE_PROFILE, PROFILE, USERINFO},
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, raw},
};
use serde_json::json;
use simulator::{DirtyJson, ProfileEra};
use web::{language::Language, words::Labels};

use crate::support::{
    LABELS, assert_secured, logged_in, logged_in_with_profile, only_session, stack, visited,
};

/// Mallory's nickname, as she chose it.
const HOSTILE: &str = r#"<script>alert("马洛")</script>'"&\"#;
/// Where Lin's picture is.
const AVATAR: &str = "https://thirdwx.qlogo.cn/mmopen/vi_32/Q0j4TwGTfTLinXiaoMan/132";

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_login_shows_the_openid_and_no_more() {
    let (stack, visitor) = logged_in().await.unwrap();
    let answer = visitor.userinfo().await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_secured(&answer.headers, "userinfo");
    let expires_at = number(&only_session(&stack).unwrap(), "expires_at").unwrap();
    let openid = stack.simulator().openid("lin", OFFICIAL_ACCOUNT);
    assert_eq!(
        answer.json().unwrap(),
        json!({ "openid": openid, "scope": "snsapi_base", "expires_at": expires_at })
    );
    assert!(answer.set_cookies().is_empty());
    assert!(stack.requests(PROFILE).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_consent_shows_wechats_own_fields() {
    let (stack, visitor) = logged_in_with_profile().await.unwrap();
    let answer = visitor.userinfo().await.unwrap();
    let expires_at = number(&only_session(&stack).unwrap(), "expires_at").unwrap();
    assert_eq!(
        answer.json().unwrap(),
        json!({
            "openid": stack.simulator().openid("lin", OFFICIAL_ACCOUNT),
            "unionid": stack.simulator().unionid("lin", OFFICIAL_ACCOUNT),
            "nickname": "小满🌾",
            "sex": 0,
            "province": "",
            "city": "",
            "country": "",
            "headimgurl": AVATAR,
            "privilege": [],
            "scope": "snsapi_userinfo",
            "expires_at": expires_at,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_before_2021_is_shown_as_it_is() {
    let (stack, visitor) = visited().await.unwrap();
    stack.simulator().knobs(|knobs| {
        knobs.user_profile_era = ProfileEra::Legacy;
        knobs.sex_as_string = true;
    });
    visitor.follow(&format!("{AUTHORIZE_PROFILE}&lang=zh_TW")).await.unwrap();
    let profile = visitor.shown().await.unwrap();
    assert_eq!(profile["sex"], 2);
    assert_eq!((&profile["country"], &profile["province"]), (&json!("中國"), &json!("廣東")));
    // The picture is where it was, but never fetched without TLS.
    assert_eq!(profile["headimgurl"], "https://thirdwx.qlogo.cn/mmopen/Q0j4TwGTfTLinXiaoMan/0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_deleted_is_shown_without_a_picture() {
    let stack = stack().await.unwrap();
    let visitor = stack.visitor("gone").logged_in_with_profile().await.unwrap();
    let profile = visitor.shown().await.unwrap();
    assert_eq!((&profile["nickname"], &profile["headimgurl"]), (&json!("用户已经注销"), &json!("")));
    let page = visitor.userinfo_page().await.unwrap().text();
    assert!(page.contains("用户已经注销") && !page.contains("<img"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_shown_a_page() {
    let (stack, visitor) = logged_in_with_profile().await.unwrap();
    let answer = visitor.userinfo_page().await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_secured(&answer.headers, "the page");
    let page = answer.text();
    let expires_at = number(&only_session(&stack).unwrap(), "expires_at").unwrap();
    let openid = stack.simulator().openid("lin", OFFICIAL_ACCOUNT);
    let unionid = stack.simulator().unionid("lin", OFFICIAL_ACCOUNT).unwrap();
    let until = harness::time::in_china(expires_at);
    for part in [
        "<html lang=\"zh-CN\">",
        "<h1>小满🌾</h1>",
        &format!("<img src=\"{AVATAR}\""),
        "referrerpolicy=\"no-referrer\"",
        &format!("<dt>{}</dt><dd class=\"id\">{openid}</dd>", LABELS.openid),
        &format!("<dt>{}</dt><dd class=\"id\">{unionid}</dd>", LABELS.unionid),
        &format!("<dt>{}</dt><dd>{until}</dd>", LABELS.logged_in_until),
        &format!("href=\"/\">{}</a>", LABELS.go_home),
        "<form method=\"post\" action=\"/logout\">",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    // What is for scripts is not on it.
    for name in ["scope", "privilege", "snsapi_userinfo", LABELS.gender, LABELS.add_profile] {
        assert!(!page.contains(name), "{name} is in {page}");
    }
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "img-src https://*.qlogo.cn", "form-action 'self'"] {
        assert!(policy.contains(part), "{policy}");
    }
    let english = visitor.reading("en-GB,en").userinfo_page().await.unwrap().text();
    assert!(
        english.contains("<html lang=\"en\">") && english.contains(Labels::of(Language::English).log_out),
        "{english}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_a_profile_offers_to_add_one() {
    let (_stack, visitor) = logged_in().await.unwrap();
    let page = visitor.userinfo_page().await.unwrap().text();
    for part in ["href=\"/authorize?scope=snsapi_userinfo\"", LABELS.add_profile, LABELS.consent_purpose] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("<img"), "{page}");
}

/// The element on a page says the same below its own links.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_told_what_name_and_photo_are_for_with_each_link_that_may_ask_for_them() {
    let options = Options::default().with("CONSENT_PURPOSE", "For the guest book.");
    let stack = Stack::start(options).await.unwrap();
    let visitor = stack.visitor("lin");
    let nobody = visitor.userinfo().await.unwrap().json().unwrap();
    assert!(nobody["authorize_url"].is_string(), "{nobody}");
    assert_eq!(nobody["consent_purpose"], "For the guest book.");
    for (query, is_told) in [("", false), ("?scope=auto", true), ("?scope=snsapi_userinfo", false)] {
        visitor.follow(&format!("{AUTHORIZE}{query}")).await.unwrap();
        let shown = visitor.shown().await.unwrap();
        assert_eq!(shown["upgrade_url"].is_string(), is_told, "{shown}");
        assert_eq!(shown["consent_purpose"] == "For the guest book.", is_told, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accept_header_decides_between_page_and_data() {
    let (_stack, visitor) = logged_in().await.unwrap();
    for (accept, kind) in [
        ("text/html", "text/html"),
        ("application/xhtml+xml, text/html;q=0.9", "text/html"),
        ("TEXT/HTML", "text/html"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("", "application/json"),
    ] {
        let visit = Visit::fetch(http::Method::GET, USERINFO, PAGE_ORIGIN).header("accept", accept);
        let answer = visitor.send(visit).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some(format!("{kind}; charset=utf-8").as_str()),
            "{accept}"
        );
        assert!(answer.header("vary").unwrap().contains("Accept"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_nickname_stays_text() {
    let stack = stack().await.unwrap();
    let visitor = stack.visitor("mallory").logged_in_with_profile().await.unwrap();
    let answer = visitor.userinfo().await.unwrap();
    assert_eq!(answer.json().unwrap()["nickname"], HOSTILE);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let page = visitor.userinfo_page().await.unwrap().text();
    let escaped = "&#60;script&#62;alert(&#34;马洛&#34;)&#60;/script&#62;&#39;&#34;&#38;\\";
    assert!(page.contains(&format!("<h1>{escaped}</h1>")), "{page}");
    assert!(page.contains(&format!("<dd>{escaped}</dd>")), "{page}");
    assert!(!page.contains("<script") && !page.contains("alert(\""), "{page}");
}

/// One on any of WeChat's hosts is, and is fetched with TLS.
#[tokio::test(flavor = "multi_thread")]
async fn a_picture_from_anywhere_else_is_not_in_the_page() {
    let stack = stack().await.unwrap();
    let openid = stack.simulator().openid("lin", OFFICIAL_ACCOUNT);
    for (told, shown, is_seen) in [
        ("http://wx.qlogo.cn/mmopen/x/46", "https://wx.qlogo.cn/mmopen/x/46", true),
        ("http://thirdwx.qlogo.cn/mmopen/x/0", "https://thirdwx.qlogo.cn/mmopen/x/0", true),
        (AVATAR, AVATAR, true),
        ("", "", false),
        // Nor in the JSON: pages put it into an `<img>` without looking.
        ("https://evil.example/x.png", "", false),
        ("javascript:alert(1)", "", false),
        ("https://qlogo.cn.evil.example/", "", false),
        ("\" onerror=\"x", "", false),
    ] {
        let body = json!({ "openid": openid, "nickname": "小满", "headimgurl": told }).to_string();
        stack.script(PROFILE, raw(200, &body), 1);
        let visitor = stack.visitor("lin").logged_in_with_profile().await.unwrap();
        assert_eq!(visitor.shown().await.unwrap()["headimgurl"], shown);
        let page = visitor.userinfo_page().await.unwrap().text();
        assert!(page.contains("小满") && page.contains("<img") == is_seen, "{page}");
        assert!(!is_seen || page.contains(&format!("<img src=\"{shown}\"")), "{page}");
        assert!(!page.contains("evil") && !page.contains("onerror"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_no_json_is_mended() {
    let (stack, visitor) = visited().await.unwrap();
    stack.simulator().knobs(|knobs| knobs.dirty_json = DirtyJson::Both);
    visitor.log_in_with_profile().await.unwrap();
    let profile = visitor.shown().await.unwrap();
    assert_eq!(profile["nickname"], "小 满🌾");
    assert_eq!(profile["province"], "广\u{fffd}\u{fffd}(");
    let page = visitor.userinfo_page().await.unwrap();
    assert!(page.text().contains("<h1>小 满🌾</h1>"), "{}", page.text());
}
