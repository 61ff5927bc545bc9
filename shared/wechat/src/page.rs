//! What WeChat's own pages say to a login that begins, for who wants to know before a person does.
//!
//! The pages are made for people and documented for nobody. What is read here are the errors that WeChat shows in
//! place of a login, by their numbers and by the words of those that have none
//! ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0) lists the
//! numbers), and the two signs that a login would begin: the redirect back, and a QR code. Everything else says nothing,
//! and is not taken for an error.

/// A page as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The header `Location`.
    pub location: Option<String>,
    /// The header `Date`: the time of WeChat's clock.
    pub date: Option<String>,
    /// The body, as far as it is UTF-8.
    pub text: String,
}

/// What a page says of the app, the scope and the callback that it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// WeChat sends the browser back to the callback.
    ComesBack,
    /// WeChat shows a QR code.
    QrCode,
    /// An error that WeChat numbers, such as 10003.
    Numbered(u16),
    /// `AppID 参数错误`: there is no such app.
    AppUnknown,
    /// `Scope 参数错误或没有 Scope 权限`: the app is of the other kind, or lacks the scope.
    ScopeRefused,
    /// `redirect_uri 参数错误`: the callback is not on the registered domain.
    RedirectUriRefused,
    /// `请在微信客户端打开链接`, or anything that is not known.
    Nothing,
}

impl Page {
    /// What the page says to a login that is to come back to `redirect_uri`.
    #[must_use]
    pub fn verdict(&self, redirect_uri: &str) -> Verdict {
        let location = self.location.as_deref().unwrap_or_default();
        if (300..400).contains(&self.status) && location.starts_with(redirect_uri) {
            return Verdict::ComesBack;
        }
        // WeChat writes these with and without a blank beside the Latin words.
        let text: String = self.text.chars().filter(|letter| *letter != ' ').collect();
        if let Some(number) = number(&text) {
            return Verdict::Numbered(number);
        }
        let says = |words: &str| text.contains(words);
        if says("AppID参数错误") {
            Verdict::AppUnknown
        } else if says("redirect_uri参数错误") {
            Verdict::RedirectUriRefused
        } else if says("Scope参数错误") {
            Verdict::ScopeRefused
        } else if says("/connect/qrcode/") {
            Verdict::QrCode
        } else {
            Verdict::Nothing
        }
    }
}

/// The number of an error page, whose blanks were taken out: `错误码：10003`, or `Error code: 10003` to an English WeChat.
fn number(text: &str) -> Option<u16> {
    ["错误码", "Errorcode"].into_iter().find_map(|words| {
        let (_, after) = text.split_once(words)?;
        let digits = after.trim_start_matches([':', '：']);
        let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
        digits.get(..end)?.parse().ok().filter(|number| (10_000..11_000).contains(number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, location: Option<&str>, text: &str) -> Verdict {
        let page = Page { status, location: location.map(str::to_owned), date: None, text: text.to_owned() };
        page.verdict("https://auth.example.com/callback")
    }

    #[test]
    fn errors_are_read_by_number_and_by_word() {
        for (text, expected) in [
            ("redirect_uri域名与后台配置不一致，错误码：10003", Verdict::Numbered(10003)),
            ("redirect_uri协议与后台配置不一致，错误码:10039", Verdict::Numbered(10039)),
            ("<p>\"appid\" cannot be left blank. Error code: 10012</p>", Verdict::Numbered(10012)),
            ("Scope 参数错误或没有 Scope 权限", Verdict::ScopeRefused),
            ("Scope参数错误或没有Scope权限", Verdict::ScopeRefused),
            ("redirect_uri 参数错误", Verdict::RedirectUriRefused),
            ("AppID 参数错误", Verdict::AppUnknown),
            ("<img class=\"qrcode lightBorder\" src=\"/connect/qrcode/0a_1-b\">", Verdict::QrCode),
            ("请在微信客户端打开链接", Verdict::Nothing),
            ("错误码：", Verdict::Nothing),
            ("错误码：404", Verdict::Nothing),
            ("", Verdict::Nothing),
        ] {
            assert_eq!(verdict(200, None, text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_callback_is_a_way_back() {
        let back = Some("https://auth.example.com/callback?code=0a&state=b");
        assert_eq!(verdict(302, back, ""), Verdict::ComesBack);
        assert_eq!(verdict(200, back, ""), Verdict::Nothing);
        assert_eq!(verdict(302, Some("https://open.weixin.qq.com/"), ""), Verdict::Nothing);
        assert_eq!(verdict(302, None, ""), Verdict::Nothing);
    }
}
