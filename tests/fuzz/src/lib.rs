//! Hostile input: targets for a fuzzer, each held against something that shares no code with it.
//!
//! A target is a function that takes any bytes and panics if a promise is broken. It runs in two ways:
//!
//! * under libFuzzer (`fuzz_targets/`, with the feature `libfuzzer`), which looks for inputs that
//!   reach code no input reached before: `make fuzz TARGET=cookies`, and the full run of the battery;
//! * from `main.rs`, with nothing but the seeds and random changes of them: the battery's sample.
//!
//! Seeds are in `seeds/`, a file each; those of `events` are the requests in the project's `events/`
//! besides. What a fuzzer finds on top of them is kept under `target/`, and a defect it finds becomes a
//! seed, so that the sample keeps it fixed.

pub mod authorization_request;
pub mod basic;
pub mod bodies;
pub mod cookies;
pub mod events;
pub mod mutate;
pub mod openid_connect;
mod provider;
pub mod query;
pub mod redirect_uri;
pub mod return_to;
pub mod token_form;

use std::path::PathBuf;
use std::{fs, io};

use fastrand::Rng;
use template::workspace::workspace;

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: of the module, of the directory of seeds, of the fuzzer's binary.
    pub name: &'static str,
    /// Tries one input, and panics if a promise is broken.
    pub run: fn(&[u8]),
    /// What an input may be made of.
    words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "return_to", run: return_to::run, words: return_to::WORDS },
    Target { name: "cookies", run: cookies::run, words: cookies::WORDS },
    Target { name: "events", run: events::run, words: &[] },
    Target { name: "bodies", run: bodies::run, words: bodies::WORDS },
    Target { name: "query", run: query::run, words: query::WORDS },
    Target { name: "openid_connect", run: openid_connect::run, words: openid_connect::WORDS },
    Target {
        name: "authorization_request",
        run: authorization_request::run,
        words: authorization_request::WORDS,
    },
    Target { name: "token_form", run: token_form::run, words: token_form::WORDS },
    Target { name: "basic", run: basic::run, words: basic::WORDS },
    Target { name: "redirect_uri", run: redirect_uri::run, words: redirect_uri::WORDS },
];

impl Target {
    /// The target of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// Its seeds, in the order of their names.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn seeds(self) -> io::Result<Vec<Vec<u8>>> {
        let mut directories = vec![workspace().join("tests/fuzz/seeds").join(self.name)];
        if self.name == "events" {
            directories.push(workspace().join("events"));
        }
        let mut files: Vec<PathBuf> = Vec::new();
        for directory in directories {
            for entry in directory.read_dir()? {
                files.push(entry?.path());
            }
        }
        files.sort();
        files.into_iter().map(fs::read).collect()
    }

    /// Another input, made of one that there is.
    #[must_use]
    pub fn mutate(self, input: &[u8], others: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
        let text = |random: &mut Rng, text| mutate::text(text, self.words, others, random);
        let mut input = input.to_vec();
        for _ in 0..=random.u8(..4) {
            let mut inner = random.fork();
            let event = (self.name == "events")
                .then(|| events::mutate::mutate(&input, random, |old| text(&mut inner, old)));
            input = event.flatten().unwrap_or_else(|| text(random, input));
        }
        input
    }
}
