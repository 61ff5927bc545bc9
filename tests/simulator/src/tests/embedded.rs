//! `wxLogin.js`, and the page with the QR code as it looks inside of another.

use super::*;

const SCRIPT: &str = "/connect/zh_CN/htmledition/js/wxLogin.js";

/// What `wxLogin.js` asks for, with more behind it.
async fn page(more: &str) -> String {
    let url = qr_url(WEBSITE_APPID).replace("&response_type=code", "");
    let url =
        format!("{url}&login_type=jssdk&self_redirect=default&styletype=&sizetype=&bgcolor=&rst={more}");
    get(&wechat(), &url).await.text().to_owned()
}

#[tokio::test]
async fn the_script_opens_the_page_where_it_comes_from() {
    let simulator = wechat();
    for (host, origin) in [
        ("127.0.0.1:9001", "http://127.0.0.1:9001"),
        // Where WeChat has it, the pages are elsewhere.
        ("res.wx.qq.com", "http://open.weixin.qq.com"),
    ] {
        let script = get_with(&simulator, SCRIPT, &[("host", host)]).await;
        assert_eq!(script.header("content-type"), "application/javascript");
        assert!(script.text().contains(&format!("\"{origin}/connect/qrconnect\"")), "{}", script.text());
        for option in ["self_redirect", "style", "href", "stylelite", "fast_login", "onReady", "lang"] {
            assert!(script.text().contains(&format!("options.{option}")), "{option}");
        }
    }
    let sandboxed = wechat_with(|knobs| knobs.wx_login_sandbox = true);
    for (simulator, sandbox) in
        [(&simulator, ""), (&sandboxed, "allow-scripts allow-same-origin allow-top-navigation")]
    {
        let expected = format!("sandbox = \"{sandbox}\";");
        assert!(get(simulator, SCRIPT).await.text().contains(&expected), "{expected}");
    }
    assert_eq!(get(&simulator, &SCRIPT.replace("zh_CN", "en_US")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_apps_own_looks() {
    let looks = "&style=white&href=https%3A%2F%2Flogin.example.com%2Fqr.css";
    let link = "<link rel=\"stylesheet\" href=\"https://login.example.com/qr.css\">";
    let older = page(looks).await;
    for text in [link, "class=\"impowerBox\"", "main,main .note{color:#fff}", "wxReady"] {
        assert!(older.contains(text), "{text}");
    }
    // The newer looks are WeChat's own.
    let newer = page(&format!("{looks}&stylelite=1")).await;
    assert!(newer.contains("class=\"web_qrcode_panel\"") && !newer.contains("impowerBox"));
    assert!(!newer.contains("<link"));
    assert!(!newer.contains("main,main .note{color:#fff}"));
    // From an address, or within the address itself.
    let inline = page("&href=data%3Atext%2Fcss%3Bbase64%2CLmE%3D").await;
    assert!(inline.contains("href=\"data:text/css;base64,LmE=\""));
    for href in ["http%3A%2F%2Flogin.example.com%2Fqr.css", "javascript%3Aalert(1)", "data%3Atext%2Fhtml%2Cx"]
    {
        assert!(!page(&format!("&href={href}")).await.contains("<link"), "{href}");
    }
}

#[tokio::test]
async fn what_programs_that_read_the_page_look_for() {
    let simulator = wechat();
    for (host, poll) in [
        ("127.0.0.1:9001", "http://127.0.0.1:9001"),
        ("open.weixin.qq.com", "http://long.open.weixin.qq.com"),
    ] {
        let page = get_with(&simulator, &qr_url(WEBSITE_APPID), &[("host", host)]).await;
        let uuid = &simulator.qr_codes().pop().unwrap().uuid;
        for text in [
            format!("<img class=\"js_qrcode_img web_qrcode_img\" src=\"/connect/qrcode/{uuid}\""),
            format!("fordevtool = \"{poll}/connect/l/qrconnect?uuid={uuid}\""),
            format!("G=\"{uuid}\""),
        ] {
            assert!(page.text().contains(&text), "{text}");
        }
    }
}
