//! How time passes for the functions, which read the clock of the machine: all that was written is rewritten as if it
//! had been written earlier.

use std::time::Duration;

use harness::{
    Failure, Result,
    database::{self, attribute, number},
    places::BROWSER_COOKIE,
};
use serde_json::{Value, json};

use crate::aged::aged;
use crate::oracle::digest;

use super::player::Player;

impl Player<'_> {
    /// Time passes for WeChat, for every browser, and for what is stored.
    pub fn pass(&mut self, seconds: u64) -> Result<()> {
        self.stack.simulator().advance(seconds);
        for browser in &self.browsers {
            browser.advance(Duration::from_secs(seconds));
        }
        let older = self.age_secrets(seconds)?;
        for table in ["LoginsTable", "SessionsTable"] {
            let table = self.stack.table(table)?;
            for mut item in self.stack.database().items(table)? {
                for name in ["expires_at", "created_at", "refreshed_at"] {
                    if item.get(name).is_some() {
                        let then = number(&item, name)?.saturating_sub(seconds);
                        item = database::with(item, name, json!({ "N": then.to_string() }));
                    }
                }
                let is_of = |(before, _): &&(String, String)| *before == attribute(&item, "browser");
                if let Some((_, after)) = older.iter().find(is_of) {
                    item = database::with(item, "browser", json!({ "S": after }));
                }
                if item.get("sealed").is_some() {
                    item = self.age_sealed(item, seconds)?;
                }
                self.stack.database().put(table, &item)?;
            }
        }
        Ok(())
    }

    /// A browser secret says itself when it was born, and the tables know it by its digest: it becomes the older
    /// one wherever it is. Of each, the digests before and after.
    fn age_secrets(&mut self, seconds: u64) -> Result<Vec<(String, String)>> {
        let mut digests = Vec::new();
        for secret in &mut self.secrets {
            let (born_at, rest) = secret.split_once('.').ok_or_else(|| Failure::new("born when?"))?;
            let older = format!("{}.{rest}", born_at.parse::<u64>()?.saturating_sub(seconds));
            for browser in &self.browsers {
                for cookie in browser.cookies() {
                    if (cookie.name.as_str(), &cookie.value) == (BROWSER_COOKIE, &*secret) {
                        browser.insert_cookie(harness::cookies::Cookie { value: older.clone(), ..cookie });
                    }
                }
            }
            digests.push((digest(secret), digest(&older)));
            *secret = older;
        }
        Ok(digests)
    }

    /// What is sealed says when it was read and confirmed. Only what sealed it can open it and seal it again.
    fn age_sealed(&self, item: Value, seconds: u64) -> Result<Value> {
        let token = self.tokens.iter().find(|token| digest(token) == attribute(&item, "id"));
        aged(item, token.ok_or_else(|| Failure::new("nobody's session"))?, seconds)
    }
}
