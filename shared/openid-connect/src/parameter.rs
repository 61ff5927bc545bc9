//! What a client sends with its authorization request, and gets back as it came, or finds in its tokens.
//!
//! Nothing here means anything to this provider. `state` and `nonce` tie an answer to a browser, and a hint is an ID
//! token of somebody's: they print nothing of themselves. Each is written inside a seal, and nowhere else.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares a text of the client's that is not to be printed, how long it may be, and of which bytes.
macro_rules! opaque_text {
    ($(#[$meta:meta])* $name:ident, $longest:literal, $bytes:pat) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// The longest one, in bytes.
            pub const LONGEST: usize = $longest;

            /// Takes a text; `None` if it is too long, or of other bytes.
            #[must_use]
            pub fn parse(text: String) -> Option<Self> {
                let is_right = text.len() <= Self::LONGEST && text.bytes().all(|byte| matches!(byte, $bytes));
                is_right.then_some(Self(text))
            }

            /// The text: for the wire, never for a log.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

opaque_text! {
    /// A client's `state` ([RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)): 4096 bytes at
    /// most, for load balancers send long ones. Another one than the login's own ([`login::pending::State`]).
    ClientState, 4096, _
}
opaque_text! {
    /// A client's `nonce` ([OpenID Connect Core
    /// §15.5.2](https://openid.net/specs/openid-connect-core-1_0.html#NonceNotes)), which it looks for in the ID token:
    /// 512 bytes at most, of the visible ones. Written as JSON, another byte would be six, and the token longer than
    /// what a key signs.
    Nonce, 512, b' '..=b'~'
}
opaque_text! {
    /// `id_token_hint` ([OpenID Connect Core
    /// §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)): an ID token of whom the client
    /// expects, or anything else; 4096 bytes at most.
    IdTokenHint, 4096, _
}

/// The scopes of a request or of a grant: names, separated by blanks
/// ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeList(String);

impl ScopeList {
    /// The scopes of these names, each once and in their order.
    #[must_use]
    pub fn new(mut names: Vec<&str>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self(names.join(" "))
    }

    /// The list, as `scope` spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scopes, each by its name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// Whether this scope is one of them.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|scope| scope == name)
    }
}
