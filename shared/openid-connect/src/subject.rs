//! Who a token is about: `sub`.
//!
//! It is decided once for a deployment and never falls from one to the other. A unionid is one for all apps of an Open
//! Platform account, so a person is the same inside WeChat and by QR code; but not every login knows it. An openid is
//! always known, and another one in each app. A provider that took the openid where the unionid is missing would give
//! the same person a second account on the day it is there.

use std::fmt;

use login::session::Session;
use serde::{Deserialize, Serialize};

/// What `sub` is in a deployment: always one for all clients, `public` of
/// [OpenID Connect Core §8](https://openid.net/specs/openid-connect-core-1_0.html#SubjectIDTypes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// The unionid, as WeChat spells it.
    UnionId,
    /// `<appid>.<openid>`: an openid means nothing without its app, and a second app may come later.
    OpenId,
}

impl SubjectKind {
    /// Reads a kind as the configuration spells it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "unionid" => Some(Self::UnionId),
            "openid" => Some(Self::OpenId),
            _ => None,
        }
    }

    /// The person of a session; `None` if the session does not know who that is among all apps.
    #[must_use]
    pub fn of(self, session: &Session) -> Option<Subject> {
        match self {
            Self::UnionId => session.unionid.as_ref().map(|unionid| Subject(unionid.expose().to_owned())),
            Self::OpenId => Some(Subject(format!("{}.{}", session.app.as_str(), session.openid.expose()))),
        }
    }
}

/// A person, as tokens name them: locally unique, never reassigned, at most 255 ASCII characters ([OpenID Connect Core
/// §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)). Personal, so no log has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject(String);

impl Subject {
    /// The text: for a token, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Subject([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use login::session::Refusals;
    use wechat::{AppId, GrantedScope, OpenId, UnionId};

    #[test]
    fn a_subject_never_falls_from_one_to_the_other() {
        let mut session = Session {
            app: AppId::parse("wx0000000000000aaa").unwrap(),
            openid: OpenId::new("oLin".to_owned()),
            unionid: None,
            scope: GrantedScope::new("snsapi_base"),
            access_token: None,
            refresh_token: None,
            profile: None,
            wants_profile: false,
            subscription: None,
            confirmed_at: None,
            refusals: Refusals::default(),
        };
        let of = |kind: SubjectKind, session: &Session| {
            kind.of(session).map(|subject| subject.expose().to_owned())
        };
        assert_eq!(of(SubjectKind::UnionId, &session), None);
        assert_eq!(of(SubjectKind::OpenId, &session).as_deref(), Some("wx0000000000000aaa.oLin"));
        session.unionid = Some(UnionId::new("uLin".to_owned()));
        assert_eq!(of(SubjectKind::UnionId, &session).as_deref(), Some("uLin"));
        assert_eq!(of(SubjectKind::OpenId, &session).as_deref(), Some("wx0000000000000aaa.oLin"));
        assert_eq!(format!("{:?}", SubjectKind::UnionId.of(&session).unwrap()), "Subject([redacted])");
    }

    #[test]
    fn a_kind_has_one_spelling() {
        assert_eq!(SubjectKind::parse("unionid"), Some(SubjectKind::UnionId));
        assert_eq!(SubjectKind::parse("openid"), Some(SubjectKind::OpenId));
        for other in ["", "UnionID", "openid ", "sub"] {
            assert_eq!(SubjectKind::parse(other), None, "{other}");
        }
    }
}
