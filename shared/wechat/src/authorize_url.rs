//! The address a login starts at, on WeChat's page host.
//!
//! WeChat has checked this link with a regular expression, so the parameters stand in the documented
//! order (`appid`, `redirect_uri`, `response_type`, `scope`, `state`, then the switches, and
//! `component_appid` last) and the fragment `#wechat_redirect` closes it. It is the authorization request of
//! [RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1) with `appid` for `client_id`.

use url::Url;

use super::{AppId, Lang, Scope};

/// What may stand behind `state` in an Official Account's link
/// ([网页授权, step 1](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches {
    /// `connect_redirect=1` keeps some clients from calling back twice.
    pub connect_redirect: bool,
    /// `forcePopup=true` asks for consent even where WeChat would not.
    pub force_popup: bool,
    /// `forceSnapShot=true` shows the snapshot page, for trying it out.
    pub force_snap_shot: bool,
}

/// The link that logs a person in inside WeChat's own browser:
/// [网页授权, step 1](https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html#0).
#[derive(Debug, Clone, Copy)]
pub struct OfficialAccount<'a> {
    /// The account.
    pub app: &'a AppId,
    /// Where WeChat sends the browser, with `code` and `state`: on the domain registered as 网页授权域名.
    pub redirect_uri: &'a str,
    /// What is asked for: [`Scope::Base`] or [`Scope::UserInfo`].
    pub scope: Scope,
    /// What comes back as it is: letters and digits, 128 at most.
    pub state: &'a str,
    /// What stands behind it.
    pub switches: Switches,
    /// The third-party platform that acts for the account, if one does
    /// ([代公众号发起网页授权](https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Official_Accounts/official_account_website_authorization.html)).
    pub component: Option<&'a AppId>,
}

impl OfficialAccount<'_> {
    /// The link, on WeChat's page host.
    #[must_use]
    pub fn on(&self, open_url: &Url) -> Url {
        let Self { app, redirect_uri, scope, state, switches, component } = *self;
        let mut url = begin(open_url, "/connect/oauth2/authorize", app, redirect_uri, scope, state);
        {
            let mut query = url.query_pairs_mut();
            for (name, value, is_on) in [
                ("forcePopup", "true", switches.force_popup),
                ("forceSnapShot", "true", switches.force_snap_shot),
                ("connect_redirect", "1", switches.connect_redirect),
            ] {
                query.extend_pairs(is_on.then_some((name, value)));
            }
            query.extend_pairs(component.map(|component| ("component_appid", component.as_str())));
        }
        url.set_fragment(Some("wechat_redirect"));
        url
    }
}

/// The link that shows a QR code to any other browser:
/// [网站应用微信登录](https://developers.weixin.qq.com/doc/oplatform/Website_App/WeChat_Login/Wechat_Login.html).
#[derive(Debug, Clone, Copy)]
pub struct WebsiteApp<'a> {
    /// The app.
    pub app: &'a AppId,
    /// Where WeChat sends the browser, with `code` and `state`: on the domain registered as 授权回调域.
    pub redirect_uri: &'a str,
    /// What comes back as it is: letters and digits, 128 at most.
    pub state: &'a str,
    /// The language of the page, which knows two: `cn` and `en`.
    pub lang: Option<Lang>,
    /// Whether the page stands in a frame, as `wxLogin.js` puts it there, and sends the page around it to the callback.
    pub embedded: bool,
}

impl WebsiteApp<'_> {
    /// The link, on WeChat's page host.
    #[must_use]
    pub fn on(&self, open_url: &Url) -> Url {
        let Self { app, redirect_uri, state, lang, embedded } = *self;
        let mut url = begin(open_url, "/connect/qrconnect", app, redirect_uri, Scope::Login, state);
        let lang = lang.map(|lang| if lang == Lang::En { "en" } else { "cn" });
        let frame = [("login_type", "jssdk"), ("self_redirect", "false")].into_iter().filter(|_| embedded);
        url.query_pairs_mut().extend_pairs(lang.map(|lang| ("lang", lang))).extend_pairs(frame);
        url.set_fragment(Some("wechat_redirect"));
        url
    }
}

fn begin(open_url: &Url, path: &str, app: &AppId, redirect_uri: &str, scope: Scope, state: &str) -> Url {
    let mut url = open_url.clone();
    url.set_path(path);
    url.query_pairs_mut()
        .append_pair("appid", app.as_str())
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("response_type", "code")
        .append_pair("scope", scope.as_str())
        .append_pair("state", state);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLBACK: &str = "https://login.example.com/callback";

    fn open_url() -> Url {
        Url::parse("https://open.weixin.qq.com").unwrap()
    }

    fn app(text: &str) -> AppId {
        AppId::parse(text).unwrap()
    }

    #[test]
    fn an_official_accounts_parameters_stand_in_the_documented_order() {
        let state = "0f".repeat(32);
        let begin = format!(
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0000000000000aaa\
             &redirect_uri=https%3A%2F%2Flogin.example.com%2Fcallback&response_type=code\
             &scope=snsapi_base&state={}",
            "0f".repeat(32)
        );
        let all = Switches { connect_redirect: true, force_popup: true, force_snap_shot: true };
        let component = app("wx0000000000000ccc");
        for (switches, component, end) in [
            (Switches::default(), None, ""),
            (Switches { connect_redirect: true, ..Switches::default() }, None, "&connect_redirect=1"),
            (
                all,
                Some(&component),
                "&forcePopup=true&forceSnapShot=true&connect_redirect=1&component_appid=wx0000000000000ccc",
            ),
        ] {
            let official = app("wx0000000000000aaa");
            let link = OfficialAccount {
                app: &official,
                redirect_uri: CALLBACK,
                scope: Scope::Base,
                state: &state,
                switches,
                component,
            };
            let url = link.on(&open_url());
            assert_eq!(url.as_str(), format!("{begin}{end}#wechat_redirect"));
        }
    }

    #[test]
    fn a_website_apps_link_names_its_language_and_whether_it_stands_in_a_frame() {
        let state = "0f".repeat(32);
        for (lang, embedded, end) in [
            (None, false, ""),
            (Some(Lang::En), false, "&lang=en"),
            (Some(Lang::ZhCn), false, "&lang=cn"),
            (Some(Lang::ZhTw), false, "&lang=cn"),
            (None, true, "&login_type=jssdk&self_redirect=false"),
            (Some(Lang::En), true, "&lang=en&login_type=jssdk&self_redirect=false"),
        ] {
            let website = app("wx0000000000000bbb");
            let link = WebsiteApp { app: &website, redirect_uri: CALLBACK, state: &state, lang, embedded };
            let url = link.on(&open_url());
            assert_eq!(
                url.as_str(),
                format!(
                    "https://open.weixin.qq.com/connect/qrconnect?appid=wx0000000000000bbb\
                     &redirect_uri=https%3A%2F%2Flogin.example.com%2Fcallback&response_type=code\
                     &scope=snsapi_login&state={}{end}#wechat_redirect",
                    "0f".repeat(32)
                )
            );
        }
    }
}
