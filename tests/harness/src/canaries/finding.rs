//! What is looked for, and what is found.

use std::{collections::BTreeMap, fmt};

/// What is looked for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// The secret of an app, or the token of a third-party platform.
    AppSecret,
    /// WeChat's code for one login.
    Code,
    /// WeChat's token for one person.
    AccessToken,
    /// What renews it.
    RefreshToken,
    /// WeChat's token for an app.
    GlobalToken,
    /// A person within one app.
    OpenId,
    /// A person across apps.
    UnionId,
    /// What a person is called.
    Nickname,
    /// The address of a person's picture.
    Avatar,
    /// What ties the callback to a login.
    State,
    /// What ties a login to a browser.
    BrowserSecret,
    /// What opens a session.
    SessionToken,
    /// What picks up a login that a phone hands over.
    PickUpSecret,
    /// What a browser's first request of a client opens with.
    RequestSecret,
    /// A token for an API, or a client's access token.
    SignedToken,
    /// A token that tells a client who is logged in.
    IdToken,
    /// A code of ours, for a client.
    ClientCode,
    /// What renews a client's tokens.
    ClientRefreshToken,
    /// What a client shows who it is with.
    ClientSecret,
    /// What names a client's request in the address that a login comes back to.
    RequestHandle,
    /// The private key that signs such tokens.
    SigningKey,
    /// Something that a test planted, or of WeChat's that does not tell what it is.
    Planted,
}

impl Kind {
    /// Every kind that a battery of logins meets.
    pub const ALL: [Self; 19] = [
        Self::AppSecret,
        Self::Code,
        Self::AccessToken,
        Self::RefreshToken,
        Self::GlobalToken,
        Self::OpenId,
        Self::UnionId,
        Self::Nickname,
        Self::Avatar,
        Self::State,
        Self::BrowserSecret,
        Self::SessionToken,
        Self::SignedToken,
        Self::IdToken,
        Self::ClientCode,
        Self::ClientRefreshToken,
        Self::ClientSecret,
        Self::RequestHandle,
        Self::SigningKey,
    ];

    /// What the letter after the simulator's marker says.
    pub(super) fn of_letter(letter: Option<u8>) -> Self {
        match letter {
            Some(b'c') => Self::Code,
            Some(b'a') => Self::AccessToken,
            Some(b'r') => Self::RefreshToken,
            Some(b'g') => Self::GlobalToken,
            Some(b'o') => Self::OpenId,
            Some(b'u') => Self::UnionId,
            _ => Self::Planted,
        }
    }
}

/// Something that stands where it must not.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub place: String,
    /// Its beginning, and how it is written.
    pub shown: String,
}

impl fmt::Display for Hit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {} in {}", self.kind, self.shown, self.place)
    }
}

/// What a watch came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Answers that were searched.
    pub answers: u64,
    /// Lines of logs that were searched.
    pub lines: u64,
    /// Stored items that were searched.
    pub items: u64,
    /// How many different values of each kind were there to be found: a search finds nothing in nothing.
    pub canaries: BTreeMap<Kind, u64>,
    /// What stood where it must not; each once.
    pub hits: Vec<Hit>,
}
