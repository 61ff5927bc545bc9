//! O1 to O5: the OpenID Provider under races, kills and faults, as a relying party meets them.

mod faults;
mod kills;
mod rotation;

use futures_util::future::try_join_all;
use harness::{
    Result, Stack,
    kms::Kms,
    relying_party::{asked, brought, code, error_of, options, parameter, redeem, text, userinfo, visitor},
    signing_key,
};

pub use faults::at_every_call;
pub use rotation::under_load;

use crate::row::Run;

/// A provider whose keys are in KMS, and whose every call to DynamoDB passes a proxy.
async fn with_kms(run: &Run) -> Result<Stack> {
    let kms = Kms::start(&[signing_key::of_this_process()?]).await?;
    let stack = run.stack(options("openid")?.proxied().kms(kms)).await?;
    // All at once, so many cold starts would take each other the time in which a table must answer.
    for function in ["openid", "token", "authorize", "callback", "userinfo"] {
        stack.functions().warm(function).await?;
    }
    Ok(stack)
}

/// O2.
pub async fn kills(run: &Run) -> Result<String> {
    kills::everywhere(run, async || with_kms(run).await).await
}

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
