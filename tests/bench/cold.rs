//! How long somebody waits for a process that was not there: start and first answer, in the share of a processor that
//! Lambda gives to a function of this size.
//!
//! The services are behind TLS and as far away as they are, so the first answer of a process holds its handshakes. All
//! of it happens in the share. Lambda is seen to start a function with more; so this is the worse case.

use std::{fmt::Write as _, time::Duration};

use harness::{Failure, Result, relying_party};

use crate::{
    figures::{Series, Table, judged_time, milliseconds},
    process::{Process, Program, Question},
    share::{MEMORY, Share},
    tokens::{DISCOVERY, JWKS, opened, page_token, redemptions, text, tokens, userinfo},
    world::World,
};

/// What nobody is to wait longer for, in milliseconds: API Gateway and Cognito give up on a provider soon after a
/// second.
const AIM: f64 = 500.0;

struct Subject {
    name: &'static str,
    program: Program,
    /// Two for each run.
    questions: std::vec::IntoIter<Question>,
    runs: Vec<Run>,
}

struct Run {
    start: Duration,
    first: Duration,
    second: Duration,
    /// Of the start and of the first answer.
    processor: [Duration; 2],
}

/// Starts every function so often in the share, and the table of how long it took.
pub async fn measure(world: &World, runs: usize) -> Result<String> {
    let share = match Share::of_memory(MEMORY) {
        Ok(share) => share,
        Err(error) => {
            return Ok(format!("Not measured: this machine lets no control group be made ({error}).\n"));
        }
    };
    let mut subjects = subjects(world, runs + 1).await?;
    for round in 0..=runs {
        for subject in &mut subjects {
            let run = run(world, &share, subject).await.map_err(|failure| failure.during(subject.name))?;
            // The first one finds its binary on disk.
            if round > 0 {
                subject.runs.push(run);
            }
        }
    }

    let mut table = Table::new([
        "",
        "start and first answer, 99th percentile",
        "median",
        "start",
        "first answer",
        "99th percentile",
        "the next answer",
        "processor at start",
        "in the first answer",
    ]);
    for subject in &subjects {
        let series = |figure: fn(&Run) -> Duration| {
            subject.runs.iter().map(|run| milliseconds(figure(run))).collect::<Series>()
        };
        let whole = series(|run| run.start + run.first);
        let first = series(|run| run.first);
        table.row([
            subject.name.to_owned(),
            judged_time(whole.percentile_99(), AIM),
            format!("{:.0}", whole.median()),
            format!("{:.0}", series(|run| run.start).median()),
            format!("{:.0}", first.median()),
            format!("{:.0}", first.percentile_99()),
            format!("{:.0}", series(|run| run.second).median()),
            format!("{:.1}", series(|run| run.processor[0]).median()),
            format!("{:.1}", series(|run| run.processor[1]).median()),
        ]);
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{runs} cold processes of each, in the share of {MEMORY} MB, and in milliseconds: medians, where nothing else is said. \
         The aim is {AIM} for start and first answer together.\n",
    );
    Ok(text + &table.text())
}

async fn subjects(world: &World, runs: usize) -> Result<Vec<Subject>> {
    let visitor = relying_party::visitor(&world.stack, "lin").logged_in().await?;
    let access_token = text(&tokens(world, &visitor).await?, "access_token");
    let count = 2 * runs;
    let always = |question: Question| vec![question; count];
    let (token, kms) = (world.function("token")?, world.with_kms(world.function("token")?));
    let subjects = [
        ("`/oauth2/token`, key in KMS", kms.clone(), redemptions(&visitor, count).await?),
        ("`/oauth2/token`, key at hand", token.clone(), redemptions(&visitor, count).await?),
        ("`/access-token`, key in KMS", kms.clone(), always(page_token(&visitor)?)),
        ("`/access-token`, key at hand", token.clone(), always(page_token(&visitor)?)),
        ("`/oauth2/userinfo`", world.function("userinfo")?, always(userinfo(&access_token)?)),
        ("`/.well-known/jwks.json`, key in KMS", kms, always(opened(JWKS)?)),
        ("`/.well-known/jwks.json`, key at hand", token, always(opened(JWKS)?)),
        ("discovery", world.function("site")?, always(opened(DISCOVERY)?)),
    ];
    let subject = |(name, program, questions): (_, _, Vec<_>)| Subject {
        name,
        program,
        questions: questions.into_iter(),
        runs: Vec::new(),
    };
    Ok(subjects.map(subject).into())
}

async fn run(world: &World, share: &Share, subject: &mut Subject) -> Result<Run> {
    let mut process = Process::start(&world.lambda, &subject.program, Some(share)).await?;
    let at_start = process.processor()?;
    let mut question = || subject.questions.next().ok_or_else(|| Failure::new("no question is left"));
    let (first, _) = process.ask(&question()?).await?;
    let after = process.processor()?;
    let (second, _) = process.ask(&question()?).await?;
    let start = process.start;
    process.end().await?;
    Ok(Run { start, first, second, processor: [at_start, after.saturating_sub(at_start)] })
}
