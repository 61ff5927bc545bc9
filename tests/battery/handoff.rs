//! H1, H2, H3: a browser that a phone logs in, under rival scans, taps and pick-ups, under faults of DynamoDB, and
//! under deaths (`kills.rs`).

mod kills;

use futures_util::future::{join_all, try_join_all};
use harness::{
    Failure, Options, Result, Stack, Visitor,
    database::attribute,
    hand_off::{CHOICE, Form, Waiting, form, is_titled, number, scan, take_back, tap},
    proxy::{Kind, Rule},
};

use login::session::SessionToken;

use crate::row::Run;

/// The people whose phones scan the same code.
const PEOPLE: [&str; 5] = ["zhou", "lin", "zhou", "lin", "zhou"];

fn options() -> Options {
    Options::default().without("WEBSITE_APP_ID")
}

/// The sessions that were picked up.
fn picked_up(stack: &Stack) -> Result<usize> {
    let sessions = stack.sessions()?;
    Ok(sessions.iter().filter(|item| attribute(item, "login").starts_with("handoff#")).count())
}

/// A choice that no other script makes.
fn another_choice(number: usize) -> String {
    format!("{number:064x}")
}

/// H1: each ticket is scanned ten times at once by five phones, waited for three times at once, approved five times at
/// once, and picked up five times at once; every other one is also waited for by somebody who has the browser's secret
/// and the state, and every third one is taken back three times at the moment of its pick-ups. While the one phone
/// approves, another one that scanned sends the same form, once under that phone's session and once under its own: with
/// the right number, with a wrong one, with a no, and to take it back. Each time it is told that it was too late, and
/// nothing comes of it.
pub async fn rivals(run: &Run) -> Result<String> {
    let tickets = run.size(6, 200);
    let stack = run.stack(options()).await?;
    for ticket in 1..=tickets {
        let has_thief = ticket % 2 == 0;
        let phones: Vec<Visitor> = PEOPLE.iter().map(|person| stack.visitor(person)).collect();
        for phone in &phones {
            phone.log_in().await?;
        }
        let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "").await?;
        let thief = computer.visitor.thief();
        let before = picked_up(&stack)?;

        let scans =
            try_join_all(phones.iter().chain(&phones).map(|phone| scan(phone, &computer.code))).await?;
        let asked: Vec<(usize, Form)> = scans
            .iter()
            .enumerate()
            .filter_map(|(at, page)| Some((at % phones.len(), form(page).ok()?)))
            .collect();
        let first = asked.first().and_then(|(winner, form)| Some((winner, form, phones.get(*winner)?)));
        let Some((winner, asked_form, phone)) = first else {
            run.require(false, || format!("ticket {ticket}: no phone was asked"));
            continue;
        };
        let is_one = asked.iter().all(|(phone, form)| phone == winner && form.numbers == asked_form.numbers);
        run.require(is_one, || {
            format!("ticket {ticket}: two phones were asked, or two sets of numbers drawn")
        });
        // Who waits: the page's own script, three times over, and the thief at the same moment.
        let own = (0..3).map(|_| (&computer.visitor, CHOICE.to_owned()));
        let rival = has_thief.then(|| (&thief, another_choice(ticket)));
        let waits =
            join_all(own.chain(rival).map(async |(visitor, choice)| {
                visitor.open(&format!("{}&choice={choice}", computer.url)).await
            }))
            .await;
        let numbers: Vec<Option<u8>> = waits.into_iter().map(|page| number(&page.ok()?).ok()).collect();
        let (own, rival) = numbers.split_at(3.min(numbers.len()));
        let (own, rival) = (own.iter().flatten(), rival.iter().flatten());
        // The number is one for a ticket; who sees it is the question. Of two that wait one is told it, or none.
        run.require(own.clone().next().is_none() || rival.clone().next().is_none(), || {
            format!("ticket {ticket}: both browsers were shown the number")
        });
        let shown: Vec<u8> = own.chain(rival).copied().collect();
        let right = shown.first().copied();
        run.require(has_thief || shown.len() == 3, || {
            format!("ticket {ticket}: the one browser was shown the number {} times of 3", shown.len())
        });
        run.require(right.is_none_or(|right| asked_form.numbers.contains(&right)), || {
            format!("ticket {ticket}: a number was shown that the phone does not offer")
        });

        let approvals = try_join_all(
            (0..5).map(|_| tap(phone, asked_form, right.or(asked_form.numbers.first().copied()))),
        );
        let rival = phones.get((winner + 1) % phones.len()).ok_or_else(|| Failure::new("one phone"))?;
        let (approved, refused) = futures_util::join!(approvals, rival_answers(rival, asked_form, right));
        approved?;
        run.require(refused?, || format!("ticket {ticket}: the phone that came second was heard"));
        let pick_ups = [&computer.visitor; 5].into_iter().chain(has_thief.then_some(&thief));
        let pick_ups = join_all(pick_ups.map(|visitor| visitor.open(&computer.url)));
        let is_taken_back = ticket % 3 == 0;
        let taken_back =
            join_all((0..if is_taken_back { 3 } else { 0 }).map(|_| take_back(phone, asked_form)));
        let (_, told) = futures_util::join!(pick_ups, taken_back);

        let new = picked_up(&stack)? - before;
        run.require(new <= 1, || format!("ticket {ticket} gave {new} sessions"));
        let stranger = thief.logged_in_as().await?;
        run.require(stranger.is_none(), || format!("ticket {ticket}: the thief is {stranger:?}"));
        let person = computer.visitor.logged_in_as().await?;
        // Somebody else's wait ends the ticket; nobody's else does not.
        let should = (!has_thief).then(|| phone.openid());
        // Whichever of the two was first, both sides are told the same of.
        let is_lost = told.iter().flatten().any(|page| is_titled(page, "已撤回"));
        let should = should.filter(|_| !is_lost);
        run.require(person == should, || format!("ticket {ticket}: {person:?} instead of {should:?}"));
        let last = scan(phone, &computer.code).await?;
        let is_right = has_thief || is_titled(&last, if is_lost { "已撤回" } else { "另一台设备已登录" });
        run.require(is_right, || format!("ticket {ticket}: the phone is told {}", last.text()));
        run.progress(ticket, tickets);
    }
    run.end(stack).await?;
    Ok(format!("{tickets} × 10 scans, 3 waits, 5 taps, 5 pick-ups"))
}

/// Whether a phone that came second is told so, or that the ticket has ended, whatever it sends of the form that
/// another one was shown, and all at once.
async fn rival_answers(rival: &Visitor, shown: &Form, right: Option<u8>) -> Result<bool> {
    let own = rival.session().and_then(|token| SessionToken::parse(&token));
    let own = own.ok_or_else(|| Failure::new("the second phone is not logged in"))?.session_id();
    let forged = Form { session: own.as_str().to_owned(), ..shown.clone() };
    let wrong = shown.numbers.iter().copied().find(|number| Some(*number) != right);
    let forms = [shown, &forged];
    let taps = forms.iter().flat_map(|form| [right, wrong, None].map(|number| tap(rival, form, number)));
    let undone = forms.iter().map(|form| take_back(rival, form));
    let (taps, undone) = futures_util::join!(try_join_all(taps), try_join_all(undone));
    let is_told = |page| ["二维码已被扫过", "有两个浏览器在等待"].iter().any(|title| is_titled(page, title));
    Ok(taps?.iter().chain(&undone?).all(is_told))
}

/// The calls of a hand-off.
const CALLS: [Kind; 8] = [
    Kind::PutTicket,
    Kind::Ticket,
    Kind::Scan,
    Kind::Give,
    Kind::Approve,
    Kind::Refuse,
    Kind::TakeBack,
    Kind::PickUp,
];

/// H2: every fault of DynamoDB at every call, once, three times and for as long as it takes. Whoever opens his page
/// once more when it is over is in, or is told that it ended; a login is never made of a refusal.
pub async fn faults(run: &Run) -> Result<String> {
    let cases = run.faults(&CALLS);
    let count = cases.len();
    let open = async || run.stack(options().proxied()).await;
    run.share(run.size(4, 8), open, cases, async |stack, before, (call, fault, times)| {
        // The SDK has only so many repetitions to spend in one process.
        if before % 4 == 0 {
            stack.functions().stop().await;
        }
        let told = format!("{call:?} {fault:?} × {times}");
        let phone = stack.visitor("zhou").logged_in().await?;
        let broken = stack.proxy()?.inject(Rule::at(call, fault).times(times));
        let says = match call {
            Kind::Refuse => Says::No,
            Kind::TakeBack => Says::YesAndNo,
            _ => Says::Yes,
        };
        let during = go(stack, &phone, says).await;
        stack.proxy()?.heal();
        drop(broken);
        if let Ok((computer, ..)) = &during {
            let person = computer.visitor.logged_in_as().await?;
            // A yes that could not be taken back is a yes.
            let is_refused = match says {
                Says::Yes => false,
                Says::No => true,
                Says::YesAndNo => is_titled(&scan(&phone, &computer.code).await?, "已撤回"),
            };
            run.require(!is_refused || person.is_none(), || {
                format!("{told}: a refusal logged {person:?} in")
            });
            run.require(person.is_none() || person == Some(phone.openid()), || format!("{told}: {person:?}"));
        }
        // The fault is over: what is left of it is gone on with, or a new code is enough.
        let after = match during {
            Ok((computer, form)) => finish(&computer, &phone, form, says).await?,
            Err(_) => false,
        };
        let after = after || {
            let (computer, form) = go(stack, &phone, says).await?;
            finish(&computer, &phone, form, says).await?
        };
        run.require(after, || format!("{told}: nobody gets in afterwards"));
        Ok(())
    })
    .await?;
    Ok(format!("{count} logins"))
}

/// What a phone says.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Says {
    Yes,
    No,
    /// Yes, and that it was none.
    YesAndNo,
}

/// As far as it goes: a browser that waits, and the phone's form if it was asked. A step that is not answered is left
/// out.
async fn go(stack: &Stack, phone: &Visitor, says: Says) -> Result<(Waiting, Option<Form>)> {
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "").await?;
    let asked = scan(phone, &computer.code).await.ok().and_then(|page| form(&page).ok());
    let shown = computer.open(Some(CHOICE)).await.ok().and_then(|page| number(&page).ok());
    if let Some(form) = &asked {
        let number = shown.filter(|_| says != Says::No);
        if number.is_some() || says == Says::No {
            let _ = tap(phone, form, number).await;
        }
        if says == Says::YesAndNo {
            let _ = take_back(phone, form).await;
        }
    }
    let _ = computer.open(None).await;
    Ok((computer, asked))
}

/// Goes on with what is there; whether it came to its right end.
async fn finish(computer: &Waiting, phone: &Visitor, asked: Option<Form>, says: Says) -> Result<bool> {
    if says == Says::YesAndNo
        && let Some(form) = &asked
    {
        let is_taken_back = is_titled(&take_back(phone, form).await?, "已撤回");
        let person = computer.visitor.logged_in_as().await?;
        return Ok(person == (!is_taken_back).then(|| phone.openid()));
    }
    if says == Says::No {
        if let Some(form) = &asked {
            tap(phone, form, None).await?;
        }
        return Ok(computer.stage().await? == "ended" && computer.visitor.logged_in_as().await?.is_none());
    }
    if computer.visitor.logged_in_as().await?.is_none() {
        let page = scan(phone, &computer.code).await?;
        if let (Ok(form), Ok(number)) = (form(&page), number(&computer.open(Some(CHOICE)).await?)) {
            tap(phone, &form, Some(number)).await?;
        }
        computer.open(None).await?;
    }
    Ok(computer.visitor.logged_in_as().await? == Some(phone.openid()))
}

/// H3.
pub async fn deaths(run: &Run) -> Result<String> {
    kills::everywhere(run, async || run.stack(options().proxied()).await).await
}
