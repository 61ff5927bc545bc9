//! What WeChat's own pages say to a login that begins, for whoever wants to know before a person does.
//!
//! The pages are made for people and documented for nobody. What is read here are the errors that WeChat shows in place
//! of a login, by their numbers and by the words of those that have none
//! ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0) lists the
//! numbers), and the two signs that a login would begin: the redirect back, and a QR code. Everything else says
//! nothing, and is not taken for an error.

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

/// What a page says of the app, the scope and the callback that it was asked for
/// ([网页授权](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0) has the
/// numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageAnswer {
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
    pub fn answer(&self, redirect_uri: &str) -> PageAnswer {
        let location = self.location.as_deref().unwrap_or_default();
        if (300..400).contains(&self.status) && location.starts_with(redirect_uri) {
            return PageAnswer::ComesBack;
        }
        // WeChat writes these with and without a blank beside the Latin words.
        let text: String = self.text.chars().filter(|letter| *letter != ' ').collect();
        if let Some(number) = number(&text) {
            return PageAnswer::Numbered(number);
        }
        let says = |words: &str| text.contains(words);
        if says("AppID参数错误") {
            PageAnswer::AppUnknown
        } else if says("redirect_uri参数错误") {
            PageAnswer::RedirectUriRefused
        } else if says("Scope参数错误") {
            PageAnswer::ScopeRefused
        } else if says("/connect/qrcode/") {
            PageAnswer::QrCode
        } else {
            PageAnswer::Nothing
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

    fn answer(status: u16, location: Option<&str>, text: &str) -> PageAnswer {
        let page = Page { status, location: location.map(str::to_owned), date: None, text: text.to_owned() };
        page.answer("https://auth.example.com/callback")
    }

    #[test]
    fn errors_are_read_by_number_and_by_word() {
        for (text, expected) in [
            ("redirect_uri域名与后台配置不一致，错误码：10003", PageAnswer::Numbered(10003)),
            ("redirect_uri协议与后台配置不一致，错误码:10039", PageAnswer::Numbered(10039)),
            ("<p>\"appid\" cannot be left blank. Error code: 10012</p>", PageAnswer::Numbered(10012)),
            ("Scope 参数错误或没有 Scope 权限", PageAnswer::ScopeRefused),
            ("Scope参数错误或没有Scope权限", PageAnswer::ScopeRefused),
            ("redirect_uri 参数错误", PageAnswer::RedirectUriRefused),
            ("AppID 参数错误", PageAnswer::AppUnknown),
            ("<img class=\"qrcode lightBorder\" src=\"/connect/qrcode/0a_1-b\">", PageAnswer::QrCode),
            ("请在微信客户端打开链接", PageAnswer::Nothing),
            ("错误码：", PageAnswer::Nothing),
            ("错误码：404", PageAnswer::Nothing),
            ("", PageAnswer::Nothing),
        ] {
            assert_eq!(answer(200, None, text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_callback_is_a_way_back() {
        let back = Some("https://auth.example.com/callback?code=0a&state=b");
        assert_eq!(answer(302, back, ""), PageAnswer::ComesBack);
        assert_eq!(answer(200, back, ""), PageAnswer::Nothing);
        assert_eq!(answer(302, Some("https://open.weixin.qq.com/"), ""), PageAnswer::Nothing);
        assert_eq!(answer(302, None, ""), PageAnswer::Nothing);
    }
}
