//! What a deployment has the pages say of the site: its name, its privacy policy, and what the name and the photo
//! of a person are for. Without any of them a page that says 微信登录 on a host nobody knows looks like a fake.
//!
//! The texts may be percent-encoded, since CloudFormation gives back letters outside ASCII as question marks.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use settings::{Settings, Wrong};
use url::Url;

use crate::request::Request;

settings::declare! {
    SITE_NAME, "a name of at most 40 characters, as it is or percent-encoded", "`%E9%9D%92%E7%A6%BE`", ["none", "无"], ["The site's name, on every page: [what the pages say of the site](../guide/deploy.md#what-the-pages-say-of-the-site)", "网站名称，显示在每个页面上，见[页面上的网站信息](../guide/deploy.md#页面上的网站信息)"];
    PRIVACY_URL, "an https URL", "`https://www.example.com/privacy`", ["none", "无"], ["The site's privacy policy; every page has a link to it", "网站的隐私政策，每个页面都有指向它的链接"];
    CONSENT_PURPOSE, "a sentence of at most 80 characters, as it is or percent-encoded", "`Shown beside your comments.`", ["`Your name and photo are only shown on this site.`", "`昵称和头像只用于在本网站显示。`"], ["What the name and the photo are for; stands below the buttons that ask for them. The default is a promise that the site has to keep", "昵称和头像的用途，显示在请求它们的按钮下面。默认的这句话是一个承诺，网站必须做到"];
}

/// The longest name, in characters: it stands in one or two lines of a phone.
const LONGEST_NAME: usize = 40;

/// The longest purpose, in characters.
const LONGEST_PURPOSE: usize = 80;

/// What the pages say of the site. Travels to them as an extension of the request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imprint {
    /// `SITE_NAME`.
    pub name: Option<String>,
    /// `PRIVACY_URL`.
    pub privacy_url: Option<String>,
    /// `CONSENT_PURPOSE`; without it the pages have a sentence of their own.
    pub consent_purpose: Option<String>,
}

impl Imprint {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`Wrong`] if a setting is wrong; each is noted.
    pub fn read(settings: &mut Settings<'_>) -> Result<Self, Wrong> {
        let name = settings.optional(&SITE_NAME, |text| words(text, LONGEST_NAME));
        let privacy_url = settings.optional(&PRIVACY_URL, privacy_url);
        let consent_purpose = settings.optional(&CONSENT_PURPOSE, |text| words(text, LONGEST_PURPOSE));
        Ok(Self { name: name?, privacy_url: privacy_url?, consent_purpose: consent_purpose? })
    }

    /// The one that came with a request; an empty one for a request that did not come through the runtime.
    #[must_use]
    pub fn of(request: &Request) -> Arc<Self> {
        request.extensions().get::<Arc<Self>>().cloned().unwrap_or_default()
    }
}

/// A text that a person can read: not empty, at most so many characters, none of them a control character.
fn words(text: &str, longest: usize) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    let is_right = text.trim() == text
        && (1..=longest).contains(&text.chars().count())
        && !text.contains(char::is_control);
    is_right.then(|| text.into_owned())
}

/// A page on the web. Written by a parser, so that it is safe in a page.
fn privacy_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_right = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    is_right.then(|| url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Imprint, String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let mut settings = Settings::new(&variable);
        let read = Imprint::read(&mut settings);
        settings.checked(read).map_err(|error| error.to_string())
    }

    #[test]
    fn a_site_need_not_name_itself() {
        assert_eq!(read(&[("SITE_NAME", ""), ("PRIVACY_URL", "")]), Ok(Imprint::default()));
    }

    #[test]
    fn a_text_is_taken_as_it_is_or_percent_encoded() {
        for text in ["青禾书店", "%E9%9D%92%E7%A6%BE%E4%B9%A6%E5%BA%97"] {
            assert_eq!(read(&[("SITE_NAME", text)]).unwrap().name.as_deref(), Some("青禾书店"));
        }
        let imprint =
            read(&[("CONSENT_PURPOSE", "100%25 private."), ("PRIVACY_URL", "https://a.example/隐私")]);
        let imprint = imprint.unwrap();
        assert_eq!(imprint.consent_purpose.as_deref(), Some("100% private."));
        assert_eq!(imprint.privacy_url.as_deref(), Some("https://a.example/%E9%9A%90%E7%A7%81"));
    }

    #[test]
    fn what_no_page_can_show_is_refused() {
        let long = "名".repeat(41);
        for (name, value) in [
            ("SITE_NAME", long.as_str()),
            ("SITE_NAME", "a\nb"),
            ("SITE_NAME", "a%00b"),
            ("SITE_NAME", " "),
            ("SITE_NAME", "%E9%9D"),
            ("CONSENT_PURPOSE", &"字".repeat(81)),
            ("PRIVACY_URL", "http://a.example/"),
            ("PRIVACY_URL", "javascript:alert(1)"),
            ("PRIVACY_URL", "/privacy"),
            ("PRIVACY_URL", "https://user@a.example/"),
        ] {
            assert!(read(&[(name, value)]).unwrap_err().contains(&format!("{name} is wrong")), "{value}");
        }
    }
}
