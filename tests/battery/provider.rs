//! O1, O3, O5: the OpenID Provider under races and faults, as a relying party meets them.

use std::time::Duration;

use futures_util::future::try_join_all;
use harness::{
    Answer, Result, Stack, Visitor,
    proxy::{Fault, Kind, Rule, Throttle},
    relying_party::{
        asked, brought, code, error_of, options, parameter, redeem, refresh, text, userinfo, visitor,
    },
};

use crate::row::Run;

/// O1: one code, redeemed by 25 processes at once.
pub async fn one_code(run: &Run) -> Result<String> {
    let (codes, copies) = (run.size(10, 200), 25_u64);
    let stack = run.stack(options("openid")?).await?;
    let visitor = visitor(&stack, "lin");
    for number in 1..=codes {
        let code = code(&visitor, &[]).await?;
        let answers = try_join_all((0..copies).map(|_| redeem(&stack, &code, &[]))).await?;
        let good: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        run.require(good.len() == 1, || format!("code {number} gave tokens {} times", good.len()));
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            let told = error_of(refused)?;
            run.require(told == (400, "invalid_grant".to_owned()), || format!("code {number}: {told:?}"));
        }
        // Somebody had it twice, so nobody keeps anything of it.
        for answer in good {
            let status = userinfo(&stack, &text(&answer.json()?, "access_token")).await?.status;
            run.require(status == 401, || format!("the tokens of code {number} live on: {status}"));
        }
        run.progress(number, codes);
    }
    let processes = stack.functions().cold_starts("token");
    run.require(processes >= copies, || format!("only {processes} processes raced"));
    run.end(stack).await?;
    Ok(format!("{codes} × {copies}"))
}

/// O5: WeChat calls back 25 times at once, and each time the relying party gets a code that is good.
pub async fn duplicates(run: &Run) -> Result<String> {
    let (logins, copies) = (run.size(5, 50), 25_usize);
    let stack = run.stack(options("openid")?).await?;
    for login in 1..=logins {
        let visitor = visitor(&stack, "lin");
        let to_login = visitor.open(&asked(&[])).await?.redirect()?.map(String::from).unwrap_or_default();
        let callback = visitor.come_back(&to_login).await?;
        let backs = try_join_all((0..copies).map(|_| visitor.call_back(&callback))).await?;
        let mut codes = Vec::new();
        for back in &backs {
            codes.extend(parameter(&brought(&visitor.go_on(back).await?)?, "code"));
        }
        codes.sort_unstable();
        codes.dedup();
        run.require(codes.len() == copies, || format!("login {login}: {} codes of {copies}", codes.len()));
        for code in codes {
            let status = redeem(&stack, &code, &[]).await?.status;
            run.require(status == 200, || {
                format!("login {login}: a code of a duplicate is answered {status}")
            });
        }
        run.progress(login, logins);
    }
    run.end(stack).await?;
    Ok(format!("{logins} × {copies}"))
}

/// The calls that a relying party's login makes, and those of what follows it.
const CALLS: [Kind; 7] =
    [Kind::PutRequest, Kind::Request, Kind::Session, Kind::PutGrant, Kind::Grant, Kind::Redeem, Kind::Renew];

const FAULTS: [Fault; 7] = [
    Fault::DropBefore,
    Fault::DropAfter,
    Fault::Truncate,
    Fault::Delay(Duration::from_secs(1)),
    Fault::Throttle(Throttle::Throttling),
    Fault::InternalServerError,
    Fault::Unavailable,
];

/// O3: every fault of DynamoDB at every call, once, three times and for as long as it takes.
pub async fn faults(run: &Run) -> Result<String> {
    let times = if run.is_full() { &[1, 3, usize::MAX][..] } else { &[3] };
    let seeds = run.size(1, 10);
    let cases: Vec<_> = (0..seeds)
        .flat_map(|_| CALLS)
        .flat_map(|call| FAULTS.map(|fault| (call, fault)))
        .flat_map(|(call, fault)| times.iter().map(move |times| (call, fault, *times)))
        .collect();
    let count = cases.len();
    let open = async || run.stack(options("openid")?.proxied()).await;
    run.share(run.size(4, 8), open, cases, async |stack, before, (call, fault, times)| {
        // The SDK has only so many repetitions to spend in one process.
        if before % 8 == 0 {
            stack.functions().stop().await;
        }
        let visitor = visitor(stack, "lin");
        let broken = stack.proxy()?.inject(Rule::at(call, fault).times(times));
        let during = go(stack, &visitor).await?;
        stack.proxy()?.heal();
        drop(broken);
        let told = format!("{call:?} {fault:?} × {times}");
        for refused in &during.refused {
            run.require(refused.is_sensible(), || format!("{told}: {refused:?}"));
        }
        run.require(during.most_tokens_of_a_code <= 1, || format!("{told}: a code gave tokens twice"));
        // The fault is over: whatever it left behind, one more round is enough.
        let after = go(stack, &visitor).await?;
        run.require(after.is_in, || format!("{told}: nobody gets in afterwards: {:?}", after.refused));
        Ok(())
    })
    .await?;
    Ok(format!("{count} logins"))
}

/// What came of a login at a relying party, with all that follows.
#[derive(Default)]
struct Went {
    is_in: bool,
    most_tokens_of_a_code: usize,
    refused: Vec<Refused>,
}

/// An answer that is not what was wanted.
#[derive(Debug)]
struct Refused {
    status: u16,
    text: String,
}

impl Refused {
    fn of(answer: &Answer) -> Self {
        Self { status: answer.status, text: answer.text() }
    }

    /// Whether it says something to whoever reads it: a page, or OAuth's words.
    fn is_sensible(&self) -> bool {
        let is_page = self.text.contains("<h1>");
        let is_said = self.text.contains("\"error\":\"temporarily_unavailable\"")
            || self.text.contains("\"error\":\"invalid_grant\"");
        // `/oauth2/userinfo` speaks by its status alone.
        is_page || is_said || self.text.is_empty() && [401, 503].contains(&self.status)
    }
}

/// Goes through a login at a relying party as far as it leads: the code is redeemed twice if the first answer is none.
async fn go(stack: &Stack, visitor: &Visitor) -> Result<Went> {
    let mut went = Went::default();
    let hops = visitor.follow(&asked(&[])).await?;
    let answer = brought(&hops).ok().filter(|answer| parameter(answer, "code").is_some());
    let Some(code) = answer.and_then(|answer| parameter(&answer, "code")) else {
        went.refused.extend(hops.last().map(Refused::of));
        return Ok(went);
    };
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let answer = redeem(stack, &code, &[]).await?;
        if answer.status == 200 {
            tokens.push(answer.json()?);
            break;
        }
        went.refused.push(Refused::of(&answer));
    }
    went.most_tokens_of_a_code = tokens.len();
    let Some(tokens) = tokens.first() else { return Ok(went) };
    let renewed = refresh(stack, &text(tokens, "refresh_token")).await?;
    let shown = userinfo(stack, &text(tokens, "access_token")).await?;
    went.is_in = renewed.status == 200 && shown.status == 200;
    went.refused
        .extend([&renewed, &shown].into_iter().filter(|answer| answer.status != 200).map(Refused::of));
    Ok(went)
}
