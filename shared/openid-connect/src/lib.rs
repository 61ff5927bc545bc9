//! What an OpenID Provider says: keys, tokens, and for whom. Pure.
//!
//! Backends, gateways and load balancers do not read the session cookie; they read a signed token, by
//! [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html) and
//! [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068). The provider is a client of the login: it adds nothing to how
//! a person is logged in, and says what the session says.
//!
//! The names here are OAuth's own. What WeChat calls the same (`AccessToken`, `RefreshToken`, `UserInfo`) is another
//! thing, in the crate `wechat`, and no token of WeChat's ever leaves through here: so what is ours says of whom it is,
//! a client's or a page's ([`grant::ClientRefreshToken`], [`access_token::PageAccessToken`]).
//!
//! Signing is somebody else's: this crate writes what is signed ([`jws`], [`message_signature`]) and reads public keys
//! ([`jwk`]). Nothing here verifies a token; the libraries of those who receive it do.

pub mod access_token;
pub mod api;
pub mod authorization;
pub mod client;
pub mod discovery;
pub mod grant;
pub mod id_token;
pub mod jwk;
pub mod jws;
pub mod message_signature;
pub mod parameter;
pub mod pending;
pub mod pkce;
pub mod provider;
pub mod subject;

pub use provider::Provider;
