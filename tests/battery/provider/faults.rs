//! O3: each fault of DynamoDB and of KMS at each call that a relying party's login makes, and what follows it.
//!
//! Whatever is answered while the fault lasts is tokens, or a refusal that says something; no code brings tokens twice.
//! Once it is over, one more round is enough. KMS's faults have a promise more: a signature is made before anything is
//! stored, so none of them spends a code or a refresh token.

use std::time::Duration;

use harness::{
    Answer, Result, Stack, Visitor,
    browser::Visit,
    kms,
    proxy::{Fault, Kind, Rule},
    relying_party::{asked, brought, code, parameter, redeem, refresh, text, userinfo, visitor},
    stack::{PAGE_ORIGIN, PUBLIC_URL},
};
use http::Method;
use serde_json::Value;

use super::with_kms;
use crate::row::Run;

/// The calls that a relying party's login makes, and those of what follows it.
const CALLS: [Kind; 10] = [
    Kind::PutRequest,
    Kind::Request,
    Kind::SendOnOnce,
    Kind::Session,
    Kind::PutGrant,
    Kind::Grant,
    Kind::Redeem,
    Kind::Renew,
    Kind::RevokeGrant,
    Kind::DeleteSession,
];

/// The calls of KMS: the operation, and how many of it come before.
const KEY_CALLS: [(&str, usize); 3] = [("GetPublicKey", 0), ("Sign", 0), ("Sign", 1)];

const TROUBLES: [kms::Trouble; 10] = [
    // Slow, and not too slow: longer than usual, shorter than an attempt may take.
    kms::Trouble::Late(Duration::from_millis(300)),
    // Longer than an attempt, and than the whole operation.
    kms::Trouble::Late(Duration::from_millis(1200)),
    kms::Trouble::Silence,
    kms::Trouble::Error(400, "ThrottlingException"),
    kms::Trouble::Error(400, "AccessDeniedException"),
    kms::Trouble::Error(500, "KMSInternalException"),
    kms::Trouble::Error(503, "DependencyTimeoutException"),
    kms::Trouble::Garbage,
    kms::Trouble::Cut,
    kms::Trouble::Half,
];

/// One fault.
#[derive(Clone, Copy, Debug)]
enum Case {
    Table(Kind, Fault, usize),
    Key(kms::Fault),
}

/// O3: once, three times and for as long as it takes.
pub async fn at_every_call(run: &Run) -> Result<String> {
    let times = if run.is_full() { &[1, 3, usize::MAX][..] } else { &[3] };
    let seeds = run.size(1, 10);
    let tables = run.faults(&CALLS).into_iter();
    let tables = tables.map(|(call, fault, times)| Case::Table(call, fault, times));
    let keys = KEY_CALLS.into_iter().flat_map(|call| TROUBLES.map(|trouble| (call, trouble)));
    let keys = keys.flat_map(|((operation, after), trouble)| {
        times.iter().map(move |times| Case::Key(kms::Fault { operation, after, times: *times, trouble }))
    });
    let (tables, keys): (Vec<_>, Vec<_>) = (tables.collect(), keys.collect());
    let size = format!("DynamoDB {} × {seeds}, KMS {} × {seeds}", tables.len(), keys.len());
    let mut cases = [tables, keys].concat().repeat(seeds);
    run.random(0).shuffle(&mut cases);
    run.share(
        run.size(4, 8),
        async || with_kms(run).await,
        cases,
        async |stack, before, case| {
            // The SDK has only so many repetitions to spend in one process.
            if before % 8 == 0 {
                stack.functions().stop().await;
            }
            let broken = match case {
                Case::Table(call, fault, times) => of_table(stack, call, fault, times).await,
                Case::Key(fault) => of_key(stack, fault).await,
            };
            stack.proxy()?.heal();
            stack.kms()?.heal();
            for broken in broken.unwrap_or_else(|failure| vec![failure.to_string()]) {
                run.violated(format!("{case:?}: {broken}"));
            }
            Ok(())
        },
    )
    .await?;
    Ok(size)
}

/// A fault of DynamoDB, while somebody logs in and whatever follows.
async fn of_table(stack: &Stack, call: Kind, fault: Fault, times: usize) -> Result<Vec<String>> {
    let visitor = visitor(stack, "lin");
    let injection = stack.proxy()?.inject(Rule::at(call, fault).times(times));
    let during = match call {
        Kind::SendOnOnce => straight(stack, &visitor).await?,
        Kind::RevokeGrant => twice(stack, &visitor).await?,
        Kind::DeleteSession => leave(stack, &visitor).await?,
        _ => go(stack, &visitor).await?,
    };
    stack.proxy()?.heal();
    let mut broken = Vec::new();
    if injection.struck() == 0 {
        broken.push("it struck nothing".to_owned());
    }
    broken.extend(during.wrong());
    // The fault is over: whatever it left behind, one more round is enough.
    let after = match call {
        Kind::SendOnOnce => straight(stack, &visitor).await?,
        Kind::RevokeGrant => twice(stack, &visitor).await?,
        Kind::DeleteSession => leave(stack, &visitor).await?,
        _ => go(stack, &visitor).await?,
    };
    broken.extend(after.wrong());
    if !after.is_right {
        broken.push(format!("it is not right afterwards: {:?}", after.refused));
    }
    Ok(broken)
}

/// A fault of KMS, while a client redeems a code, renews its tokens, a page asks for one, and anybody for the keys.
async fn of_key(stack: &Stack, fault: kms::Fault) -> Result<Vec<String>> {
    let visitor = visitor(stack, "lin");
    let code = code(&visitor, &[]).await?;
    let mut broken = Vec::new();
    let (mut renewal, mut access) = (String::new(), String::new());
    for step in ["redeem", "renew", "page", "keys"] {
        if fault.operation == "GetPublicKey" {
            stack.functions().kill_all("token").await;
        }
        let ask = async || match step {
            "redeem" => redeem(stack, &code, &[]).await,
            "renew" => refresh(stack, &renewal).await,
            "page" => {
                let page = Visit::fetch(Method::POST, &format!("{PUBLIC_URL}/access-token"), PAGE_ORIGIN);
                visitor.send(page).await
            }
            _ => stack.browser().get(&format!("{PUBLIC_URL}/.well-known/jwks.json")).await,
        };
        let kms = stack.kms()?;
        kms.inject(fault);
        let during = ask().await?;
        kms.heal();
        // The key is there already, or one signature is all that is needed.
        let is_met = match (fault.operation, fault.after) {
            ("Sign", 0) => step != "keys",
            ("Sign", _) => ["redeem", "renew"].contains(&step),
            _ => true,
        };
        let is_harmless = match fault.trouble {
            kms::Trouble::Late(late) => late < Duration::from_millis(900),
            _ => !is_met,
        };
        let is_said = Refused::of(&during).is_sensible();
        if !(during.status == 200 || during.status == 503 && is_said && !is_harmless) {
            broken.push(format!("{step}: {} {}", during.status, during.text()));
        }
        if during.status == 503 && during.header("retry-after").is_none() {
            broken.push(format!("{step}: 503 without a time to come again"));
        }
        let after = if during.status == 200 { during } else { ask().await? };
        if after.status != 200 {
            broken.push(format!("{step}: spent by KMS's fault: {} {}", after.status, after.text()));
        }
        let after: Value = after.json().unwrap_or_default();
        if !text(&after, "refresh_token").is_empty() {
            (renewal, access) = (text(&after, "refresh_token"), text(&after, "access_token"));
        }
    }
    let status = userinfo(stack, &access).await?.status;
    if status != 200 {
        broken.push(format!("the token of it is answered {status}"));
    }
    Ok(broken)
}

/// What came of a visit, with all that follows.
#[derive(Default)]
struct Went {
    is_right: bool,
    most_tokens_of_a_code: usize,
    refused: Vec<Refused>,
}

impl Went {
    /// What must not be, whatever is broken.
    fn wrong(&self) -> Vec<String> {
        let senseless = self.refused.iter().filter(|refused| !refused.is_sensible());
        let mut wrong: Vec<_> = senseless.map(|refused| format!("{refused:?}")).collect();
        if self.most_tokens_of_a_code > 1 {
            wrong.push("a code gave tokens twice".to_owned());
        }
        wrong
    }
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

    /// Whether it says something to whoever reads it: a page, a problem, or OAuth's words.
    fn is_sensible(&self) -> bool {
        let is_page = self.text.contains("<h1>");
        let is_said = [
            "\"error\":\"temporarily_unavailable\"",
            "\"error\":\"invalid_grant\"",
            "\"type\":\"urn:wechat-login:service_unavailable\"",
        ];
        let is_said = is_said.iter().any(|words| self.text.contains(words));
        // `/oauth2/userinfo` speaks by its status alone.
        is_page || is_said || self.text.is_empty() && [401, 503].contains(&self.status)
    }
}

/// Goes through a login at a relying party as far as it leads: the code is redeemed twice if the first answer is none.
async fn go(stack: &Stack, visitor: &Visitor) -> Result<Went> {
    let hops = visitor.follow(&asked(&[])).await?;
    went(stack, &hops).await
}

/// The same, by the way back of another request, which no login lies behind.
async fn straight(stack: &Stack, visitor: &Visitor) -> Result<Went> {
    // Without a session: whoever has one is answered at once.
    let visitor = visitor.elsewhere();
    let sent_on = visitor.open(&asked(&[])).await?;
    let back = sent_on.redirect()?.and_then(|login| parameter(&login, "return_to")).unwrap_or_default();
    let hops = visitor.follow(&back).await?;
    let mut first = went(stack, &hops).await?;
    // Refused, or told to the client: then the client begins anew.
    if !first.is_right {
        let second = go(stack, &visitor).await?;
        first.is_right = second.is_right;
        first.refused.extend(second.refused);
    }
    Ok(first)
}

/// A client redeems a code twice: it gets nothing the second time, and what it got the first time is worth nothing.
async fn twice(stack: &Stack, visitor: &Visitor) -> Result<Went> {
    let code = code(visitor, &[]).await?;
    let first = redeem(stack, &code, &[]).await?;
    let second = redeem(stack, &code, &[]).await?;
    let status = userinfo(stack, &text(&first.json()?, "access_token")).await?.status;
    Ok(Went {
        is_right: first.status == 200 && second.status == 400 && status == 401,
        most_tokens_of_a_code: [&first, &second].iter().filter(|answer| answer.status == 200).count(),
        refused: vec![Refused::of(&second)],
    })
}

/// A client logs its person out.
async fn leave(stack: &Stack, visitor: &Visitor) -> Result<Went> {
    let tokens = redeem(stack, &code(visitor, &[]).await?, &[]).await?.json()?;
    let bye = "https%3A%2F%2Fapp.example.org%2Fbye";
    let hint = text(&tokens, "id_token");
    let link = format!("{PUBLIC_URL}/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri={bye}");
    let answer = visitor.open(&link).await?;
    let is_out = answer.location() == Some("https://app.example.org/bye") && visitor.session().is_none();
    // Who is not logged out keeps the cookie, and can try again.
    let is_kept = visitor.session().is_some() && answer.status == 503;
    let refused = if is_out { Vec::new() } else { vec![Refused::of(&answer)] };
    let mut went = Went { is_right: is_out, most_tokens_of_a_code: 1, refused };
    if !is_out && !is_kept {
        went.refused.push(Refused { status: answer.status, text: "neither in nor out".to_owned() });
    }
    Ok(went)
}

/// What a login at a relying party came to, and what follows it.
async fn went(stack: &Stack, hops: &[Answer]) -> Result<Went> {
    let mut went = Went::default();
    let answer = brought(hops).ok();
    if answer.as_ref().is_some_and(|answer| parameter(answer, "error").is_some()) {
        return Ok(went);
    }
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
    went.is_right = renewed.status == 200 && shown.status == 200;
    went.refused
        .extend([&renewed, &shown].into_iter().filter(|answer| answer.status != 200).map(Refused::of));
    Ok(went)
}
