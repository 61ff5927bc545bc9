//! A grant: that a person is logged in at a client. One item, from the code to the last token.
//!
//! ```text
//!   issued ──── redeemed ──── its session's end
//!     │             │
//!     │ 6 minutes   │ the code comes again, or another client brings it
//!     ▼             ▼
//!    over        revoked
//! ```
//!
//! What the grant says of the person is sealed under a key of its own (*DK*). That key is not stored: each code and
//! each token *wraps* it, together with the pepper of the session.
//!
//! ```text
//!   code ───────────┐
//!   access token ───┼─ HKDF with the pepper ─► wraps DK ─► opens the claims
//!   refresh token ──┘
//! ```
//!
//! So a copy of the table opens nothing; and when the session goes, its pepper goes with it, and no code and no token
//! opens what is left, though nobody can list the grants of a session.
//!
//! The id of the grant stands in every token as `sid`, which every API sees. It is therefore worth nothing: a code or a
//! token is compared by its digest before anything is written, and one that was never issued changes nothing. Of the
//! refresh tokens that gave way to another one there may be any number; they are known by what they have in common, of
//! which the grant has a digest too.

mod credential;
mod stored;
mod wrapping;

pub use credential::{
    ClientRefreshToken, Code, GrantId, GrantKey, RedemptionId, SUCCESSION, audience_of, scope_of, sid_of,
    sub_of,
};
pub use stored::{
    CODE_LIFETIME, IssuedGrant, Redemption, Renewal, SpentToken, StoredAccess, StoredGrant, StoredRefresh,
};
pub use wrapping::{DataKey, Granted, GrantedProfile, Wrapper};
