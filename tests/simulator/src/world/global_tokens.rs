//! The tokens of an app itself: `cgi-bin/token`, `cgi-bin/stable_token`, and what third-party platforms are given.
//!
//! The first two endpoints know nothing of each other. The first gives another token at every call, and the one before
//! it lives on for a grace of five minutes only, whoever holds it. The second gives the same token to everybody until
//! shortly before its end, unless it is forced; then the one before it is dead at once.

use std::collections::HashMap;

use super::World;
use crate::api::Errcode;

/// Which endpoint gave a token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Kind {
    /// `cgi-bin/token`
    Plain,
    /// `cgi-bin/stable_token`
    Stable,
    /// `cgi-bin/component/*`, whose tokens live side by side.
    Platform,
}

/// Seconds before its end in which a stable token is replaced.
const RENEWED_BEFORE_END: u64 = 300;

/// Every token given, and which is the latest.
#[derive(Default)]
pub(crate) struct GlobalTokens {
    given: HashMap<String, GlobalToken>,
    latest: HashMap<(String, Kind), String>,
    /// When an app forced a stable token.
    forced: HashMap<String, Vec<u64>>,
}

struct GlobalToken {
    appid: String,
    expires_at: u64,
    /// When a newer one takes its life, if that is before its end.
    superseded_at: Option<u64>,
}

impl World {
    /// A token of `cgi-bin/token`: always another one.
    pub(crate) fn give_token(&mut self, appid: &str) -> String {
        let end = self.now().saturating_add(self.knobs.token_grace_seconds);
        self.global_tokens.supersede(appid, Kind::Plain, end);
        self.draw_global_token(appid, Kind::Plain)
    }

    /// A token of `cgi-bin/stable_token`, and how long it still lives.
    pub(crate) fn give_stable_token(&mut self, appid: &str) -> (String, u64) {
        let (now, tokens) = (self.now(), &self.global_tokens);
        let latest = tokens.latest.get(&(appid.to_owned(), Kind::Stable));
        if let Some((text, token)) = latest.and_then(|text| tokens.given.get_key_value(text))
            && now.saturating_add(RENEWED_BEFORE_END) < token.expires_at
        {
            return (text.clone(), token.expires_at - now);
        }
        (self.draw_global_token(appid, Kind::Stable), self.knobs.global_token_lifetime)
    }

    /// Another stable token, and the death of the one before.
    pub(crate) fn force_stable_token(&mut self, appid: &str) -> String {
        let now = self.now();
        self.global_tokens.supersede(appid, Kind::Stable, now);
        self.global_tokens.forced.entry(appid.to_owned()).or_default().push(now);
        self.draw_global_token(appid, Kind::Stable)
    }

    /// A token of a third-party platform itself.
    pub(crate) fn give_component_token(&mut self, component: &str) -> String {
        self.draw_global_token(component, Kind::Platform)
    }

    /// A token of an account, for a platform that acts for it.
    pub(crate) fn give_authorizer_token(&mut self, appid: &str) -> String {
        self.draw_global_token(appid, Kind::Platform)
    }

    fn draw_global_token(&mut self, appid: &str, kind: Kind) -> String {
        let now = self.now();
        let text = self.identifiers.draw_global_token(now);
        let token = GlobalToken {
            appid: appid.to_owned(),
            expires_at: now.saturating_add(self.knobs.global_token_lifetime),
            superseded_at: None,
        };
        self.global_tokens.given.insert(text.clone(), token);
        self.global_tokens.latest.insert((appid.to_owned(), kind), text.clone());
        text
    }
}

impl GlobalTokens {
    /// When an app has forced a stable token, first to last.
    pub(crate) fn forced(&self, appid: &str) -> &[u64] {
        self.forced.get(appid).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whose token it is, if it lives.
    pub(crate) fn check(&self, text: &str, now: u64, unknown: Errcode) -> Result<&str, Errcode> {
        let token = self.given.get(text).ok_or(unknown)?;
        if token.superseded_at.is_some_and(|end| now >= end) {
            return Err(40001);
        }
        if now >= token.expires_at {
            return Err(42001);
        }
        Ok(&token.appid)
    }

    /// Ends the life of every token: 42001.
    pub(crate) fn expire(&mut self) {
        for token in self.given.values_mut() {
            token.expires_at = 0;
        }
    }

    fn supersede(&mut self, appid: &str, kind: Kind, end: u64) {
        if let Some(latest) = self.latest.get(&(appid.to_owned(), kind))
            && let Some(token) = self.given.get_mut(latest)
        {
            token.superseded_at = Some(end);
        }
    }
}
