//! What a token costs: the processor time of each answer that brings one, signed by a key of the process's own, beside
//! that of the bare signatures in it, which `floor-bare` makes on the same machine in the same run: as many in an
//! event, and nothing else. (In a loop a signature is cheaper, but no token is signed in a loop.)
//!
//! Every process answers a few events of its own kind in turn with the others, round after round, and a round's figure
//! is the mean of its answers.

use std::fmt::Write as _;

use harness::{
    Failure, Result, Visitor,
    places::SESSION_COOKIE,
    relying_party::{self, REDIRECT_URI, VERIFIER, code, form},
    stack::PAGE_ORIGIN,
};
use http::Request;
use serde_json::Value;

use crate::{
    figures::{Series, Table, milliseconds, number},
    process::{Process, Question},
    world::{World, posted, question},
};

/// Answers of each kind in a round.
const ANSWERS: u64 = 10;

/// What makes bare signatures.
const FLOOR: &str = "floor-bare";
/// The public keys.
pub const JWKS: &str = "/.well-known/jwks.json";
/// What the provider says of itself.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The most signatures that an answer has; the floor makes as many in an event, and fewer, and nothing else.
const MOST: u64 = 2;

struct Kind {
    name: &'static str,
    /// How many signatures are in an answer.
    signatures: u64,
    is_floor: bool,
    process: Process,
    rounds: Vec<f64>,
    /// Answers that will not be counted, and then those that will.
    questions: std::vec::IntoIter<Question>,
}

/// Asks for tokens in so many rounds, and the table of what they took.
pub async fn measure(world: &World, rounds: usize) -> Result<String> {
    let mut kinds = kinds(world, rounds).await?;
    for round in 0..=rounds {
        for kind in &mut kinds {
            let figure = kind.round().await.map_err(|failure| failure.during(kind.name))?;
            // In the first round connections are made.
            if round > 0 {
                kind.rounds.push(figure);
            }
        }
    }
    let median = |kind: &Kind| kind.rounds.iter().copied().collect::<Series>().median();
    let bare = |signatures: u64| {
        let alone = kinds.iter().find(|kind| kind.is_floor && kind.signatures == signatures);
        alone.map(median).unwrap_or_default()
    };

    let mut table = Table::new([
        "",
        "RSA's part of it",
        "beside bare signatures",
        "signatures",
        "processor, ms",
        "without RSA",
    ]);
    for kind in &kinds {
        let whole = median(kind);
        let of_rsa = bare(kind.signatures) - bare(0);
        let beside =
            if kind.is_floor { String::new() } else { format!("{:.2}", whole / bare(kind.signatures)) };
        table.row([
            kind.name.to_owned(),
            if kind.signatures == 0 { String::new() } else { format!("{:.0} %", of_rsa / whole * 100.0) },
            if kind.signatures == 0 { String::new() } else { beside },
            kind.signatures.to_string(),
            format!("{whole:.2}"),
            format!("{:.2}", whole - of_rsa),
        ]);
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "The medians of {rounds} rounds of {ANSWERS} answers each, by warm processes, over TLS; RSA-2048 by `ring`, the key in \
         the process's memory.\n",
    );
    Ok(text + &table.text())
}

impl Kind {
    /// The processor time of an answer, in milliseconds: the mean of a round.
    async fn round(&mut self) -> Result<f64> {
        let before = self.process.processor()?;
        for _ in 0..ANSWERS {
            let question = self.questions.next().ok_or_else(|| Failure::new("no question is left"))?;
            self.process.ask(&question).await?;
        }
        Ok(milliseconds(self.process.processor()?.saturating_sub(before)) / number(ANSWERS))
    }
}

async fn kinds(world: &World, rounds: usize) -> Result<Vec<Kind>> {
    let count = (rounds + 1) * usize::try_from(ANSWERS)?;
    let visitor = relying_party::visitor(&world.stack, "lin").logged_in().await?;
    let always = |question: Question| vec![question; count];
    let access_token = text(&tokens(world, &visitor).await?, "access_token");
    let token = world.function("token")?;
    let mut kinds = Vec::new();
    for (signatures, name) in (0..=MOST).zip(["an event and nothing else", "one signature", "two signatures"])
    {
        let question = question(Request::get(format!("/{signatures}")), "", 200)?;
        kinds.push((name, signatures, world.floor(FLOOR)?, always(question)));
    }
    kinds.extend([
        ("`/oauth2/token`, a code", 2, token.clone(), redemptions(&visitor, count).await?),
        ("`/oauth2/token`, a refresh token", 2, token.clone(), renewals(world, &visitor, count).await?),
        ("`/access-token`", 1, token, always(page_token(&visitor)?)),
        ("`/oauth2/userinfo`", 0, world.function("userinfo")?, always(userinfo(&access_token)?)),
        ("`/.well-known/jwks.json`", 0, world.function("token")?, always(opened(JWKS)?)),
        ("discovery", 0, world.function("site")?, always(opened(DISCOVERY)?)),
    ]);
    let mut started = Vec::new();
    for (name, signatures, program, questions) in kinds {
        let process = Process::start(&world.lambda, &program, None).await?;
        let is_floor = program.binary.ends_with(FLOOR);
        let questions = questions.into_iter();
        started.push(Kind { name, signatures, is_floor, process, rounds: Vec::new(), questions });
    }
    Ok(started)
}

/// A public document.
pub fn opened(path: &str) -> Result<Question> {
    question(Request::get(path), "", 200)
}

/// So many codes, each about to be redeemed.
pub async fn redemptions(visitor: &Visitor, count: usize) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for _ in 0..count {
        let code = code(visitor, &[]).await?;
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", "web"),
            ("code_verifier", VERIFIER),
        ]);
        questions.push(question(posted("/oauth2/token"), &body, 200)?);
    }
    Ok(questions)
}

/// So many refresh tokens, each about to be renewed for the first time.
pub async fn renewals(world: &World, visitor: &Visitor, count: usize) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for _ in 0..count {
        let token = text(&tokens(world, visitor).await?, "refresh_token");
        let body = form(&[("grant_type", "refresh_token"), ("refresh_token", &token), ("client_id", "web")]);
        questions.push(question(posted("/oauth2/token"), &body, 200)?);
    }
    Ok(questions)
}

/// A token for the script of a page.
pub fn page_token(visitor: &Visitor) -> Result<Question> {
    let session = visitor.session().ok_or_else(|| Failure::new("nobody is logged in"))?;
    let request = Request::post("/access-token").header("Origin", PAGE_ORIGIN);
    question(request.header("Cookie", format!("{SESSION_COOKIE}={session}")), "", 200)
}

/// Who it is, by an access token.
pub fn userinfo(access_token: &str) -> Result<Question> {
    let request = Request::get("/oauth2/userinfo");
    question(request.header("Authorization", format!("Bearer {access_token}")), "", 200)
}

/// The tokens of a new grant.
pub async fn tokens(world: &World, visitor: &Visitor) -> Result<Value> {
    let code = code(visitor, &[]).await?;
    relying_party::redeem(&world.stack, &code, &[]).await?.json()
}

/// A text in an answer.
pub fn text(answer: &Value, name: &str) -> String {
    relying_party::text(answer, name)
}
