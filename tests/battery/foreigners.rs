//! B3: somebody else's browser brings a live state, before its owner does and after.
//!
//! The foreigner is one of three: a browser without a cookie, one with a secret of its own, one that is
//! logged in. It brings the owner's whole callback (a leaked address), or the owner's state with a code
//! of its own (login CSRF turned around). It gets nothing by either, and keeps what it had.
//!
//! The owner logs in all the same. One order costs a redirect more: a code that was shown by a foreign
//! browser *with* a secret is spent, because that browser could put it into a login of its own. So when
//! the owner comes second with that code, one automatic fresh login follows, with another code.

use fastrand::Rng;
use harness::{Answer, Options, Result, Stack};

use crate::{
    row::Run,
    visitors::{
        PEOPLE, SESSION_COOKIE, Visitor, callback, exchanges, is_fresh_login, parameter, sessions,
        side_by_side,
    },
};

/// How many pairs are served at once.
const AT_ONCE: usize = 4;
/// How many pairs begin before the first of them goes on; fewer than a login's ten minutes take.
const BATCH: usize = 100;

/// Who comes first with the owner's state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum First {
    Foreigner,
    Owner,
}

/// What the foreign browser has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Has {
    Nothing,
    Secret,
    Session,
}

/// Whose code the foreigner brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Code {
    Owners,
    Own,
}

/// An owner, a foreigner, and what the latter brings.
struct Pair {
    owner: Visitor,
    foreigner: Visitor,
    has: Has,
    code: Code,
    /// The owner's callback.
    owners: String,
    /// What the foreigner opens.
    brought: String,
    /// As whom the foreigner was logged in before.
    before: Option<String>,
}

/// B3.
pub async fn with_a_live_state(run: &Run) -> Result<String> {
    let each = run.size(12, 1000);
    for (number, first) in (0_u64..).zip([First::Foreigner, First::Owner]) {
        let mut done = 0;
        while done < each {
            let pairs = BATCH.min(each - done);
            let stack = run.stack(Options::default()).await?;
            let mut random = run.random(number << 32 | u64::try_from(done)?);
            meet(run, &stack, first, pairs, &mut random).await?;
            run.end(stack).await?;
            done += pairs;
            run.progress(usize::try_from(number)? * each + done, 2 * each);
        }
    }
    Ok(format!("{each} × 2"))
}

async fn meet(run: &Run, stack: &Stack, first: First, pairs: usize, random: &mut Rng) -> Result<()> {
    let plans: Vec<_> = (0..pairs)
        .map(|_| {
            let has = random.choice([Has::Nothing, Has::Secret, Has::Session]).unwrap_or(Has::Nothing);
            let code = random.choice([Code::Owners, Code::Own]).unwrap_or(Code::Own);
            let owner = random.usize(..PEOPLE.len());
            (has, code, owner)
        })
        .collect();
    let people = PEOPLE.iter().cycle();
    let begun = plans.into_iter().map(|(has, code, owner)| {
        let mut people = people.clone().skip(owner);
        let mut visitor = || Visitor::new(stack, people.next().copied().unwrap_or_default());
        let (owner, foreigner) = (visitor(), visitor());
        begin(owner, foreigner, has, code)
    });
    let pairs = side_by_side(AT_ONCE, begun.collect()).await?;
    let logged_in = pairs.iter().filter(|pair| pair.has == Has::Session).count();

    if first == First::Owner {
        let owners = pairs.iter().map(|pair| arrive(run, stack, first, pair));
        side_by_side(AT_ONCE, owners.collect()).await?;
    }
    let exchanged = exchanges(stack);
    let foreigners = pairs.iter().map(|pair| intrude(run, first, pair));
    side_by_side(AT_ONCE, foreigners.collect()).await?;
    run.require(exchanges(stack) == exchanged, || {
        format!("{first:?} first: a foreigner's code was exchanged")
    });
    let (now, before) = (sessions(stack)?, logged_in + if first == First::Owner { pairs.len() } else { 0 });
    run.require(now == before, || format!("{first:?} first: {now} sessions where there were {before}"));

    if first == First::Foreigner {
        let owners = pairs.iter().map(|pair| arrive(run, stack, first, pair));
        side_by_side(AT_ONCE, owners.collect()).await?;
    }
    let still = pairs.iter().map(|pair| async move {
        let (owner, foreigner) =
            (pair.owner.is_logged_in_as().await?, pair.foreigner.is_logged_in_as().await?);
        let as_before = pair.owner.is(owner.as_deref(), stack) && foreigner == pair.before;
        run.require(as_before, || {
            format!(
                "{first:?} first, {:?}, {:?}: {owner:?} and {foreigner:?} in the end",
                pair.has, pair.code
            )
        });
        Ok(())
    });
    side_by_side(AT_ONCE, still.collect()).await?;
    let (now, all) = (sessions(stack)?, logged_in + pairs.len());
    run.require(now == all, || format!("{first:?} first: {now} sessions in the end, not {all}"));
    let exchanged = exchanges(stack);
    for pair in &pairs {
        let count = |address: &str| exchanged.get(&parameter(address, "code")).copied().unwrap_or_default();
        let (owners, brought) = (count(&pair.owners), count(&pair.brought));
        let is_spent = is_spent(first, pair);
        let right = owners == usize::from(!is_spent) && (pair.code == Code::Owners || brought == 0);
        run.require(right, || {
            format!("{first:?} first, {:?}, {:?}: {owners} and {brought} exchanges", pair.has, pair.code)
        });
    }
    Ok(())
}

/// Whether the owner's code is spent before the owner comes with it.
fn is_spent(first: First, pair: &Pair) -> bool {
    first == First::Foreigner && pair.code == Code::Owners && pair.has != Has::Nothing
}

async fn begin(owner: Visitor, foreigner: Visitor, has: Has, code: Code) -> Result<Pair> {
    let owners = owner.begin("").await?;
    if has == Has::Session {
        let own = foreigner.begin("").await?;
        foreigner.browser.get(&own).await?;
    }
    let before = foreigner.is_logged_in_as().await?;
    let brought = match code {
        Code::Owners => owners.clone(),
        Code::Own => callback(&parameter(&foreigner.begin("").await?, "code"), &parameter(&owners, "state")),
    };
    match has {
        Has::Nothing => foreigner.browser.forget_cookies(),
        Has::Secret => drop(foreigner.begin("").await?),
        Has::Session => {}
    }
    Ok(Pair { owner, foreigner, has, code, owners, brought, before })
}

/// The foreigner's turn.
async fn intrude(run: &Run, first: First, pair: &Pair) -> Result<()> {
    let session = pair.foreigner.browser.cookie(SESSION_COOKIE);
    let answer: Answer = pair.foreigner.browser.get(&pair.brought).await?;
    let what = || format!("{first:?} first, {:?}, {:?}", pair.has, pair.code);
    run.require(is_fresh_login(&answer), || {
        format!("{}: the foreigner got {:?} {:?}", what(), answer.location(), answer.set_cookies())
    });
    let after = pair.foreigner.browser.cookie(SESSION_COOKIE);
    run.require(after == session, || format!("{}: the foreigner's session changed", what()));
    Ok(())
}

/// The owner's turn: logged in at once, or by one fresh login where the code was spent.
async fn arrive(run: &Run, stack: &Stack, first: First, pair: &Pair) -> Result<()> {
    let answer = pair.owner.browser.get(&pair.owners).await?;
    let what = || format!("{first:?} first, {:?}, {:?}", pair.has, pair.code);
    if is_spent(first, pair) {
        run.require(is_fresh_login(&answer), || {
            format!("{}: the spent code was answered {:?}", what(), answer.location())
        });
        pair.owner.go_on(&answer).await?;
    } else {
        run.require(pair.owner.browser.cookie(SESSION_COOKIE).is_some(), || {
            format!("{}: the owner was answered {:?}", what(), answer.location())
        });
    }
    let somebody = pair.owner.is_logged_in_as().await?;
    run.require(pair.owner.is(somebody.as_deref(), stack), || {
        format!("{}: the owner is {somebody:?}", what())
    });
    Ok(())
}
