//! A browser is logged in by a phone's WeChat. What may pass between the two stands in `shared/login/src/handoff.rs`.

use harness::{
    Answer, Options, Result, Stack, Visitor,
    browser::{DESKTOP_USER_AGENT, Visit},
    database::{attribute, number as number_of, with},
    hand_off::{CHOICE, Form, Waiting, form, is_titled, number, scan, take_back, tap},
    places::{AUTHORIZE, AUTHORIZE_PROFILE, CONSENT_PAGE, PROFILE, parameter},
    proxy::{Fault, Kind, Rule, Throttle},
    stack::{PAGE_ORIGIN, PUBLIC_URL, WEBSITE_APP, errcode},
};
use serde_json::{Value, json};
use simulator::{Denial, Snapshot};
use web::{language::Language, reason::Reason, words::Labels};

use crate::support::{allow, assert_problem, assert_secured, title};

const LABELS: Labels = Labels::of(Language::Chinese);
const TARGET: &str = "https://www.example.com/me?a=1#";

/// An Official Account alone, as most teams have it.
async fn account_only() -> Result<Stack> {
    Stack::start(Options::default().without("WEBSITE_APP_ID")).await
}

async fn openid_of(visitor: &Visitor) -> Result<Option<String>> {
    visitor.logged_in_as().await
}

/// The phone's own login is not what it came for.
fn offers_no_login(page: &Answer) {
    let text = page.text();
    assert!(!text.contains("/authorize") && !text.contains("href=\"/\""), "{text}");
}

/// Somebody at a computer, who came from a page.
async fn at_a_computer(stack: &Stack) -> Result<Waiting> {
    let link = "return_to=https%3A%2F%2Fwww.example.com%2Fme%3Fa%3D1";
    Waiting::begin(stack.visitor("lin").at_a_computer(), link).await
}

/// Everything that makes the function call DynamoDB: logins, and one that ends.
pub async fn every_step(stack: &Stack) -> Result<()> {
    let mut visitor = stack.visitor("lin").at_a_computer();
    // The last one in place of a session.
    for turn in ["refused", "taken back", "waited for by two", "picked up", "picked up"] {
        let computer = Waiting::begin(visitor, "via=handoff").await?;
        let phone = stack.visitor("zhou");
        let form = form(&scan(&phone, &computer.code).await?)?;
        let thief = computer.visitor.thief();
        let number = computer.number().await?;
        tap(&phone, &form, Some(number).filter(|_| turn != "refused")).await?;
        match turn {
            "taken back" => drop(take_back(&phone, &form).await?),
            "waited for by two" => drop(thief.open(&computer.url).await?),
            _ => {}
        }
        let ended = computer.open(None).await?;
        assert_eq!(ended.status, if turn == "picked up" { 303 } else { 200 }, "{}", ended.text());
        visitor = computer.visitor;
    }
    Ok(())
}

#[tokio::test]
async fn a_computer_is_logged_in_by_a_phone() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    assert_eq!(computer.stage().await?, "waiting");
    let page = computer.open(None).await?;
    assert_secured(&page.headers, "the waiting page");
    assert!(
        is_titled(&page, LABELS.scan_to_log_in) && page.text().contains("data:image/png"),
        "{}",
        page.text()
    );

    // The phone is not logged in: it logs in as always, and comes back.
    let phone = stack.visitor("zhou");
    let asked = scan(&phone, &computer.code).await?;
    assert_secured(&asked.headers, "the phone's page");
    assert!(is_titled(&asked, LABELS.log_in_other_device), "{}", asked.text());
    assert!(asked.text().contains("Windows 上的 Chrome 浏览器"), "{}", asked.text());
    let form = form(&asked)?;
    assert_eq!(form.numbers.len(), 3);
    // Nothing is drawn anew.
    assert_eq!(harness::hand_off::form(&scan(&phone, &computer.code).await?)?.numbers, form.numbers);

    assert_eq!(computer.stage().await?, "scanned");
    let number = computer.number().await?;
    assert!(form.numbers.contains(&number));
    assert_eq!(computer.stage().await?, "given");
    assert_eq!(computer.visitor.logged_in_as().await?, None);
    let done = tap(&phone, &form, Some(number)).await?;
    assert!(is_titled(&done, "已确认"), "{}", done.text());

    assert_eq!(computer.stage().await?, "approved");
    let arrived = computer.open(None).await?;
    assert_eq!((arrived.status, arrived.location()), (303, Some(TARGET)), "{}", arrived.text());
    let shown = computer.visitor.shown().await?;
    assert_eq!(shown["openid"], Value::from(phone.openid()));
    // The two are two sessions: each ends by itself.
    assert_ne!(computer.visitor.session(), phone.session());
    phone.log_out().await?;
    assert_eq!(openid_of(&computer.visitor).await?, Some(phone.openid()));
    // WeChat's tokens stayed on the phone: nothing is asked of WeChat.
    stack.simulator().clear_ledger();
    assert_eq!(computer.visitor.userinfo().await?.status, 200);
    assert!(stack.simulator().ledger().is_empty());
    Ok(())
}

/// The login of the phone is the one that the page asked for: what it makes is what the page gets.
#[tokio::test]
async fn the_phone_is_asked_for_what_the_page_asked_for() -> Result<()> {
    let stack = account_only().await?;
    let query = "scope=snsapi_userinfo&lang=en&forcePopup=true";
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), query).await?;
    let phone = stack.visitor("zhou");
    let asked = form(&scan(&phone, &computer.code).await?)?;
    tap(&phone, &asked, Some(computer.number().await?)).await?;
    assert_eq!(computer.open(None).await?.status, 303);
    let has = |path, name: &str, value: &str| {
        stack.requests(path).iter().all(|entry| entry.query.contains(&(name.to_owned(), value.to_owned())))
            && stack.requests(path).len() == 1
    };
    assert!(has(CONSENT_PAGE, "forcePopup", "true") && has(PROFILE, "lang", "en"));
    assert_eq!(computer.visitor.shown().await?["nickname"], "周远");
    Ok(())
}

/// WeChat cannot be asked whether the grant still stands. The person has just said so; later a phone has to, and a page
/// that follows the link is not sent round in a circle, nor to an app that knows the person by another openid.
#[tokio::test]
async fn a_grant_that_a_phone_handed_over_is_confirmed_by_a_phone() -> Result<()> {
    let stack = Stack::start(Options::default()).await?;
    let mut visitor = stack.visitor("lin").at_a_computer();
    let mut query = "via=handoff".to_owned();
    for login in ["first", "again"] {
        let computer = Waiting::begin(visitor, &query).await?;
        let phone = stack.visitor("zhou");
        let asked = form(&scan(&phone, &computer.code).await?)?;
        tap(&phone, &asked, Some(computer.number().await?)).await?;
        assert_eq!(computer.open(None).await?.status, 303);
        let verified = computer.visitor.verify().await?;
        assert_eq!(verified.json()?["openid"], Value::from(phone.openid()), "{login}");
        stack.change_sessions("pepper", |session| {
            let created_at = number_of(session, "created_at").unwrap_or_default();
            session["created_at"] = json!({ "N": (created_at - 61).to_string() });
        })?;
        let refused = computer.visitor.verify().await?;
        assert_problem(&refused, 401, "not_logged_in");
        let link = refused.json()?["authorize_url"].as_str().unwrap_or_default().to_owned();
        assert_eq!(parameter(&link, "via"), "handoff", "{login}");
        query = link.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
        // It is the answer to that question alone.
        assert_eq!(openid_of(&computer.visitor).await?, Some(phone.openid()));
        visitor = computer.visitor;
    }
    assert!(stack.stop().await.text().contains(r#""outcome":"handed_over""#));
    Ok(())
}

/// The phone's person agreed, and WeChat would not give the profile at that moment: the other browser has no token to
/// read it with later, so its page can offer it.
#[tokio::test]
async fn a_profile_that_the_phone_did_not_get_can_be_added() -> Result<()> {
    let stack = account_only().await?;
    allow(&stack);
    let phone = stack.visitor("zhou");
    stack.script(PROFILE, errcode(45009), 1);
    phone.log_in_at(AUTHORIZE_PROFILE).await?;
    let mut visitor = stack.visitor("lin").at_a_computer();
    let mut query = "scope=auto".to_owned();
    for has_profile in [false, true] {
        let computer = Waiting::begin(visitor, &query).await?;
        let asked = form(&scan(&phone, &computer.code).await?)?;
        tap(&phone, &asked, Some(computer.number().await?)).await?;
        assert_eq!(computer.open(None).await?.status, 303);
        let shown = computer.visitor.shown().await?;
        assert_eq!(shown["scope"], "snsapi_userinfo");
        assert_eq!(
            (shown["nickname"].is_string(), shown["upgrade_url"].is_string()),
            (has_profile, !has_profile)
        );
        let link = shown["upgrade_url"].as_str().unwrap_or_default();
        query = link.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
        visitor = computer.visitor;
        // What the phone's own session lacks, its next visit reads.
        phone.shown().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_given_again_to_the_same_script_and_to_nobody_else() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let phone = stack.visitor("zhou");
    let form = form(&scan(&phone, &computer.code).await?)?;
    let number = computer.number().await?;
    // The cookie did not arrive; the page is opened once more, by what its script chose.
    computer.visitor.browser.forget_cookie(&computer.cookie()?);
    assert_eq!(computer.number().await?, number);
    assert!(is_titled(&tap(&phone, &form, Some(number)).await?, "已确认"));
    // Nor does it when the phone has confirmed meanwhile.
    computer.visitor.browser.forget_cookie(&computer.cookie()?);
    // The page that shows it again was made for "given", so its script goes on when it hears the next word.
    let page = computer.open(Some(CHOICE)).await?;
    assert_eq!(harness::hand_off::number(&page)?, number);
    assert!(page.text().contains(r#"const stage = "given";"#), "{}", page.text());
    assert_eq!(computer.stage().await?, "approved");
    let first = computer.open(None).await?;
    assert_eq!(first.location(), Some(TARGET));
    let session = computer.visitor.session();
    // The session's cookie did not arrive either: the same session again, and one only.
    computer.visitor.browser.forget_cookie("__Host-session");
    assert_eq!(computer.open(None).await?.location(), Some(TARGET));
    assert_eq!(computer.visitor.session(), session);
    assert_eq!(stack.sessions()?.len(), 2);
    Ok(())
}

/// Two tabs of one browser wait, each for a phone of its own: neither takes from the other what picks its login up.
#[tokio::test]
async fn two_tabs_of_one_browser_wait_side_by_side() -> Result<()> {
    let stack = account_only().await?;
    let first = at_a_computer(&stack).await?;
    let second = Waiting::begin(first.visitor.clone(), "").await?;
    let phones = [stack.visitor("zhou"), stack.visitor("lin")];
    let mut forms = Vec::new();
    for (tab, phone) in [&first, &second].into_iter().zip(&phones) {
        let form = form(&scan(phone, &tab.code).await?)?;
        forms.push((form, tab.number().await?));
    }
    assert_ne!(first.cookie()?, second.cookie()?);
    for ((tab, phone), (form, number)) in [&first, &second].into_iter().zip(&phones).zip(&forms) {
        assert!(is_titled(&tap(phone, form, Some(*number)).await?, "已确认"));
        assert_eq!(tab.open(None).await?.status, 303);
        assert_eq!(openid_of(&tab.visitor).await?, Some(phone.openid()));
    }
    Ok(())
}

/// Somebody knows the state and the browser's secret, from a computer that he shared: whoever of the two comes second
/// ends the ticket, and both pages say so.
#[tokio::test]
async fn a_second_browser_that_waits_ends_the_ticket() -> Result<()> {
    let stack = account_only().await?;
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    for (before, (is_approved, thief_first)) in ways.into_iter().enumerate() {
        let computer = at_a_computer(&stack).await?;
        let thief = computer.visitor.thief();
        let phone = stack.visitor("zhou");
        let form = form(&scan(&phone, &computer.code).await?)?;
        let (first, second) =
            if thief_first { (&thief, &computer.visitor) } else { (&computer.visitor, &thief) };
        let right = number(&first.open(&format!("{}&choice={CHOICE}", computer.url)).await?)?;
        if is_approved {
            tap(&phone, &form, Some(right)).await?;
        }
        let other = CHOICE.replace('4', "5");
        assert_eq!(openid_of(first).await?, None);
        let ended = second.open(&format!("{}&choice={other}", computer.url)).await?;
        assert!(is_titled(&ended, "有两个浏览器在等待"), "{}", ended.text());
        for visitor in [first, second] {
            let page = visitor.open(&computer.url).await?;
            assert!(is_titled(&page, "有两个浏览器在等待"), "{}", page.text());
            assert_eq!(openid_of(visitor).await?, None);
        }
        assert!(is_titled(&scan(&phone, &computer.code).await?, "有两个浏览器在等待"));
        assert!(!is_titled(&tap(&phone, &form, Some(right)).await?, "已确认"));
        // What the phone had handed over is gone.
        let tickets: Vec<_> =
            stack.logins()?.into_iter().filter(|item| item.to_string().contains("ticket#")).collect();
        assert_eq!(tickets.len(), before + 1, "{tickets:?}");
        assert!(tickets.iter().all(|item| item["sealed"].is_null()), "{tickets:?}");
    }
    Ok(())
}

#[tokio::test]
async fn one_wrong_tap_or_a_no_ends_it() -> Result<()> {
    let stack = account_only().await?;
    for is_refused in [false, true] {
        let computer = at_a_computer(&stack).await?;
        let phone = stack.visitor("zhou");
        let form = form(&scan(&phone, &computer.code).await?)?;
        let right = computer.number().await?;
        let wrong = form.numbers.iter().copied().find(|number| *number != right);
        let tapped = tap(&phone, &form, wrong.filter(|_| !is_refused)).await?;
        let wrong = "数字不对，没有登录";
        let [title, on_phone] = if is_refused { ["没有登录", "已拒绝"] } else { [wrong, wrong] };
        assert!(is_titled(&tapped, on_phone), "{}", tapped.text());
        offers_no_login(&tapped);
        assert_eq!(computer.stage().await?, "ended");
        let page = computer.open(None).await?;
        assert!(is_titled(&page, title), "{}", page.text());
        // It offers the same login, by a new code.
        assert!(
            page.text().contains("href=\"/authorize?return_to=https%3A%2F%2Fwww.example.com%2Fme%3Fa%3D1\""),
            "{}",
            page.text()
        );
        // The right number comes too late, from whoever.
        assert!(is_titled(&tap(&phone, &form, Some(right)).await?, on_phone));
        assert_eq!(openid_of(&computer.visitor).await?, None);
    }
    Ok(())
}

/// The first phone that scans is the one; nobody else's session, and no other page, says yes.
#[tokio::test]
async fn only_the_phone_that_scanned_decides_and_only_on_its_own_page() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let (phone, other) = (stack.visitor("zhou"), stack.visitor("lin"));
    let form = form(&scan(&phone, &computer.code).await?)?;
    let number = computer.number().await?;
    assert!(is_titled(&scan(&other, &computer.code).await?, "二维码已被扫过"));
    assert!(is_titled(&tap(&other, &form, Some(number)).await?, "二维码已被扫过"));
    let by_other = Form { session: String::from("x"), ..form.clone() };
    assert!(is_titled(&tap(&phone, &by_other, Some(number)).await?, LABELS.log_in_other_device));
    for origin in [PAGE_ORIGIN, "https://evil.example"] {
        let number = number.to_string();
        let fields = [("ticket", &*form.ticket), ("session", &*form.session), ("number", &*number)];
        let answer = phone.send(Visit::form(&format!("{PUBLIC_URL}/handoff"), origin, &fields)).await?;
        assert_eq!(answer.status, 403, "{origin}");
    }
    // A link alone approves nothing.
    let link =
        format!("{PUBLIC_URL}/handoff?ticket={}&session={}&number={number}", form.ticket, form.session);
    assert!(is_titled(&phone.open(&link).await?, LABELS.log_in_other_device));
    assert_eq!(computer.stage().await?, "given");
    // The person changed in between: another session starts over.
    phone.log_out().await?;
    assert!(!is_titled(&tap(&phone, &form, Some(number)).await?, "已确认"));
    phone.log_in().await?;
    assert!(is_titled(&tap(&phone, &form, Some(number)).await?, "二维码已被扫过"));
    assert_eq!(computer.open(None).await?.status, 200);
    assert_eq!(openid_of(&computer.visitor).await?, None);
    Ok(())
}

/// Whoever said yes by mistake takes it back, as long as it is not picked up; then it is too late, and the page says
/// so.
#[tokio::test]
async fn a_yes_is_taken_back_until_it_is_picked_up() -> Result<()> {
    let stack = account_only().await?;
    for is_picked_up in [false, true] {
        let computer = at_a_computer(&stack).await?;
        let (phone, other) = (stack.visitor("zhou"), stack.visitor("lin").logged_in().await?);
        let form = form(&scan(&phone, &computer.code).await?)?;
        // Before the yes there is nothing to take back.
        assert!(is_titled(&take_back(&phone, &form).await?, LABELS.log_in_other_device));
        let number = computer.number().await?;
        let done = tap(&phone, &form, Some(number)).await?;
        assert!(is_titled(&done, "已确认") && done.text().contains(LABELS.take_back), "{}", done.text());
        assert_eq!(harness::hand_off::form(&done)?.session, form.session);
        // Nobody else does, and it is no tap once more.
        assert!(is_titled(&take_back(&other, &form).await?, "二维码已被扫过"));
        assert!(is_titled(&tap(&phone, &form, None).await?, "已确认"));
        if is_picked_up {
            assert_eq!(computer.open(None).await?.status, 303);
        }
        let told = take_back(&phone, &form).await?;
        assert!(
            is_titled(&told, if is_picked_up { "另一台设备已登录" } else { "已撤回" }),
            "{}",
            told.text()
        );
        assert!(!told.text().contains("<form"), "{}", told.text());
        offers_no_login(&told);
        let page = computer.open(None).await?;
        let person = openid_of(&computer.visitor).await?;
        if is_picked_up {
            assert_eq!((page.status, person), (303, Some(phone.openid())));
        } else {
            assert!(is_titled(&page, "没有登录") && page.text().contains(LABELS.new_code), "{}", page.text());
            assert_eq!(person, None);
            assert!(!stack.logins()?.iter().any(|item| item["sealed"].is_object()));
        }
    }
    let log = stack.stop().await.text();
    assert!(log.contains(r#""outcome":"handoff_taken_back""#));
    Ok(())
}

/// A tap before the other screen shows a number approves nothing, and costs nothing if it was right.
#[tokio::test]
async fn nothing_is_approved_before_a_browser_was_given_the_number() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let phone = stack.visitor("zhou");
    let form = form(&scan(&phone, &computer.code).await?)?;
    // Only the table knows by now.
    let tickets = stack.logins()?;
    let numbers =
        tickets.iter().find_map(|item| item["numbers"]["S"].as_str()).unwrap_or_default().to_owned();
    let right: u8 = numbers.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    assert!(is_titled(&tap(&phone, &form, Some(right)).await?, LABELS.log_in_other_device));
    assert_eq!(computer.stage().await?, "scanned");
    assert_eq!(computer.number().await?, right);
    assert!(is_titled(&tap(&phone, &form, Some(right)).await?, "已确认"));
    Ok(())
}

/// Link scanners and previews scan nothing, and neither does a phone that is not logged in.
#[tokio::test]
async fn only_a_page_load_of_somebody_who_is_logged_in_scans() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let phone = stack.visitor("zhou").logged_in().await?;
    for (name, value) in
        [("sec-fetch-dest", "image"), ("sec-fetch-dest", "iframe"), ("sec-purpose", "prefetch")]
    {
        let answer = phone.send(Visit::open(&computer.code).header(name, value)).await?;
        assert_eq!(answer.status, 403, "{name} {value}");
    }
    let stranger = stack.visitor("lin");
    assert_eq!(stranger.open(&computer.code).await?.status, 302);
    assert_eq!(computer.stage().await?, "waiting");
    // What the login of the phone holds of the ticket, only that phone reads.
    let ticket = parameter(&computer.code, "ticket");
    assert!(!stack.logins()?.iter().any(|item| item.to_string().contains(&ticket)));
    Ok(())
}

/// A login that waits for a phone is none of WeChat's: no callback finishes it, whoever knows its state.
#[tokio::test]
async fn no_callback_finds_a_login_that_waits() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let state = parameter(&computer.url, "state");
    let other = stack.visitor("zhou");
    let callback = other.come_back(AUTHORIZE).await?;
    let code = parameter(&callback, "code");
    let answer = computer.visitor.open(&harness::places::callback(&code, &state)).await?;
    assert!(
        answer.location().is_some_and(|location| !location.starts_with("https://www.example.com/me")),
        "{:?}",
        answer.location()
    );
    assert_eq!(openid_of(&computer.visitor).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_session_that_was_handed_over_hands_nothing_on() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let phone = stack.visitor("zhou");
    let form = form(&scan(&phone, &computer.code).await?)?;
    let number = computer.number().await?;
    tap(&phone, &form, Some(number)).await?;
    computer.open(None).await?;
    let second = at_a_computer(&stack).await?;
    let answer = computer.visitor.open(&second.code).await?;
    assert!(is_titled(&answer, "需要在微信里打开"), "{}", answer.text());
    assert_eq!(second.stage().await?, "waiting");
    Ok(())
}

/// A camera, another app's scanner, or a link that somebody tapped: WeChat would say that it opens nothing there.
#[tokio::test]
async fn a_code_that_is_opened_outside_wechat_leads_there_and_scans_nothing() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let camera = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                  Version/18.6 Mobile/15E148 Safari/604.1";
    let wecom = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 wxwork/4.1.30 MicroMessenger/7.0.1";
    for user_agent in [camera, wecom, DESKTOP_USER_AGENT, ""] {
        let phone = stack.visitor("zhou").with_user_agent(user_agent);
        let answer = phone.open(&computer.code).await?;
        assert!(answer.status == 200 && is_titled(&answer, "需要在微信里打开"), "{}", answer.text());
        assert!(answer.set_cookies().is_empty(), "{user_agent}");
    }
    assert_eq!(computer.stage().await?, "waiting");
    // In WeChat the same link is as good as before.
    let phone = stack.visitor("zhou");
    let form = form(&scan(&phone, &computer.code).await?)?;
    tap(&phone, &form, Some(computer.number().await?)).await?;
    assert_eq!(computer.open(None).await?.location(), Some(TARGET));
    Ok(())
}

/// Where there is a website app as well, it would know the person by another openid.
#[tokio::test]
async fn a_profile_is_added_by_a_phone_where_a_phone_logged_in() -> Result<()> {
    let stack = Stack::start(Options::default()).await?;
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "scope=auto&via=handoff").await?;
    let phone = stack.visitor("zhou");
    let asked = form(&scan(&phone, &computer.code).await?)?;
    tap(&phone, &asked, Some(computer.number().await?)).await?;
    computer.open(None).await?;
    let shown = computer.visitor.shown().await?;
    let link = shown["upgrade_url"].as_str().unwrap_or_default();
    assert_eq!(parameter(link, "via"), "handoff", "{shown}");
    let page = computer.visitor.userinfo_page().await?;
    assert!(page.text().contains("via=handoff"), "{}", page.text());

    let query = link.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    let again = Waiting::begin(computer.visitor, &query).await?;
    let asked = form(&scan(&phone, &again.code).await?)?;
    tap(&phone, &asked, Some(again.number().await?)).await?;
    again.open(None).await?;
    let after = again.visitor.shown().await?;
    assert_eq!(after["openid"], shown["openid"]);
    assert!(after["nickname"].is_string(), "{after}");
    Ok(())
}

/// Three minutes, whatever DynamoDB keeps longer: for the code, for the tap, and a minute more for who was approved.
#[tokio::test]
async fn a_ticket_that_is_over_is_worth_nothing_though_its_item_is_there() -> Result<()> {
    let stack = account_only().await?;
    let table = stack.table("LoginsTable")?.to_owned();
    let end = |seconds: u64| -> Result<()> {
        for item in stack.logins()? {
            if attribute(&item, "id").starts_with("ticket#") {
                let expires_at = json!({ "N": seconds.to_string() });
                stack.database().put(&table, &with(item, "expires_at", expires_at))?;
            }
        }
        Ok(())
    };
    for how_far in 0..4 {
        let computer = at_a_computer(&stack).await?;
        let phone = stack.visitor("zhou").logged_in().await?;
        let mut asked = None;
        if how_far > 0 {
            asked = Some(form(&scan(&phone, &computer.code).await?)?);
        }
        let number = if how_far > 1 { Some(computer.number().await?) } else { None };
        if let (Some(form), 3) = (&asked, how_far) {
            tap(&phone, form, number).await?;
            // The tap gave it a minute more.
            let now = harness::time::now_seconds();
            let tickets = stack.logins()?;
            let approved = tickets.iter().find(|item| !item["approved"].is_null());
            let until = approved.map(|item| harness::database::number(item, "expires_at")).transpose()?;
            assert!(until.is_some_and(|until| (now + 55..=now + 61).contains(&until)), "{until:?}");
        }
        end(harness::time::now_seconds())?;
        assert_eq!(computer.stage().await?, "over", "{how_far}");
        let page = computer.open(Some(CHOICE)).await?;
        assert!(is_titled(&page, "二维码已过期"), "{how_far}: {}", page.text());
        assert!(page.text().contains(LABELS.new_code), "{}", page.text());
        if how_far < 3 {
            let told = scan(&phone, &computer.code).await?;
            assert!(is_titled(&told, "二维码已过期"), "{how_far}");
            offers_no_login(&told);
        }
        if let Some(form) = &asked {
            tap(&phone, form, number.or(form.numbers.first().copied())).await?;
        }
        // Nobody was logged in, so nobody is told so.
        assert!(is_titled(&scan(&phone, &computer.code).await?, "二维码已过期"), "{how_far}");
        let page = computer.open(Some(CHOICE)).await?;
        assert_eq!(page.status, 200, "{how_far}");
        let tickets = stack.logins()?;
        let approved = tickets.iter().filter(|item| !item["approved"].is_null()).count();
        assert_eq!(approved, usize::from(how_far == 3), "{how_far}");
        assert_eq!(computer.visitor.logged_in_as().await?, None, "{how_far}");
    }
    Ok(())
}

/// What may go wrong on the phone's own way: it is told, and the code stays good for a phone that gets through.
#[tokio::test]
async fn a_phone_that_does_not_get_through_is_told_and_costs_nothing() -> Result<()> {
    let stack = account_only().await?;
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "scope=snsapi_userinfo").await?;
    // The person says no at WeChat.
    stack.simulator().knobs(|knobs| knobs.denial = Denial::StateOnly);
    let refuser = stack.visitor("lin");
    let begun = refuser.open(&computer.code).await?;
    let to_login = refuser.open(&computer.code).await?.redirect()?.map(String::from).unwrap_or_default();
    let callback = refuser.decide(&refuser.begin(&to_login).await?, "deny").await?;
    let told = refuser.go_on(&refuser.call_back(&callback).await?).await?.pop();
    let told = told.unwrap_or(begun);
    assert!(is_titled(&told, title(Reason::AccessDenied)), "{}", told.text());
    offers_no_login(&told);
    // A browser that keeps no cookie has no way to show which ticket was hidden for it, or that it is logged in.
    let forgetful = stack.visitor("lin");
    let hidden = forgetful.follow(&computer.code).await?.pop().map(|page| page.url.to_string());
    assert_eq!(computer.stage().await?, "scanned");
    forgetful.browser.forget_cookies();
    let told = forgetful.open(&hidden.unwrap_or_default()).await?;
    assert!(is_titled(&told, title(Reason::CookieMissing)), "{}", told.text());
    offers_no_login(&told);
    // A code that is none, or of which nothing is left.
    for (address, reason) in [
        (computer.code.replace("ticket=", "ticket=x"), title(Reason::InvalidRequest)),
        (format!("{PUBLIC_URL}/handoff?ticket={CHOICE}"), "二维码已过期"),
    ] {
        let told = refuser.open(&address).await?;
        assert!(is_titled(&told, reason), "{}", told.text());
        offers_no_login(&told);
    }
    // A frame is left for the same page.
    let told = refuser.send(Visit::open(&computer.code).header("sec-fetch-dest", "iframe")).await?;
    let same = computer.code.strip_prefix(PUBLIC_URL).unwrap_or_default();
    assert!(told.text().contains(&format!("href=\"{same}\"")), "{}", told.text());

    // The other code is for somebody whose session has no profile: the phone is asked for it first.
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "scope=snsapi_userinfo").await?;
    let phone = stack.visitor("zhou").logged_in().await?;
    let form = form(&scan(&phone, &computer.code).await?)?;
    tap(&phone, &form, Some(computer.number().await?)).await?;
    computer.open(None).await?;
    let shown = computer.visitor.shown().await?;
    assert_eq!((shown["openid"].as_str(), shown["nickname"].is_string()), (Some(&*phone.openid()), true));
    Ok(())
}

/// Who was too slow is told that another browser was logged in, and not that time is over.
#[tokio::test]
async fn a_browser_whose_login_another_one_picked_up_is_told_so() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    let thief = computer.visitor.thief();
    let phone = stack.visitor("zhou");
    let form = form(&scan(&phone, &computer.code).await?)?;
    let right = number(&thief.open(&format!("{}&choice={CHOICE}", computer.url)).await?)?;
    tap(&phone, &form, Some(right)).await?;
    assert_eq!(thief.open(&computer.url).await?.status, 303);
    let told = computer.open(None).await?;
    assert!(is_titled(&told, "登录的是另一个浏览器"), "{}", told.text());
    let log = stack.stop().await.text();
    assert!(log.contains(r#""outcome":"handoff_picked_up_by_another""#));
    Ok(())
}

/// Without a script there is no choice: the number is given all the same, and its write may be repeated.
#[tokio::test]
async fn without_a_script_the_number_is_given_once() -> Result<()> {
    let stack = Stack::start(Options::default().without("WEBSITE_APP_ID").proxied()).await?;
    let computer = at_a_computer(&stack).await?;
    let phone = stack.visitor("zhou");
    let form = form(&scan(&phone, &computer.code).await?)?;
    // The answer of the write is lost, so the SDK sends it again.
    let broken = stack.proxy()?.inject(Rule::at(Kind::Give, Fault::DropAfter).times(1));
    let right = number(&computer.open(None).await?)?;
    drop(broken);
    assert_eq!(number(&computer.open(None).await?)?, right);
    assert!(is_titled(&tap(&phone, &form, Some(right)).await?, "已确认"));
    assert_eq!(computer.open(None).await?.location(), Some(TARGET));
    Ok(())
}

/// A ticket that others always wrote first is not gone: the next request finds it.
#[tokio::test]
async fn a_ticket_that_is_always_contended_is_not_said_to_be_gone() -> Result<()> {
    let stack = Stack::start(Options::default().without("WEBSITE_APP_ID").proxied()).await?;
    let computer = at_a_computer(&stack).await?;
    let unseen = stack.proxy()?.inject(Rule::at(Kind::Ticket, Fault::OldRead));
    assert_eq!(computer.open(None).await?.status, 503);
    unseen.remove();
    assert_eq!(computer.open(None).await?.status, 200);
    let log = stack.stop().await.text();
    assert!(log.contains("somebody else wrote first"), "{log}");
    Ok(())
}

/// Who approves is logged in with the ticket's own app, by a session that WeChat did not end.
#[tokio::test]
async fn a_session_of_another_app_or_one_that_ended_scans_nothing() -> Result<()> {
    let stack = Stack::start(Options::default()).await?;
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "via=handoff").await?;
    let by_website = stack.visitor("zhou").at_a_computer().logged_in().await?;
    assert!(is_titled(&by_website.open(&computer.code).await?, "需要在微信里打开"));
    let ended = stack.visitor("zhou").logged_in().await?;
    let table = stack.table("SessionsTable")?.to_owned();
    for item in stack.sessions()? {
        stack.database().put(&table, &with(item, "refused_at", json!({ "N": "1700000000" })))?;
    }
    assert_eq!(ended.open(&computer.code).await?.status, 302);
    assert_eq!(computer.stage().await?, "waiting");
    Ok(())
}

/// A login waits in the browser that began it, as a page of its own, and for one ticket.
#[tokio::test]
async fn a_login_waits_in_its_own_browser_and_once() -> Result<()> {
    let stack = account_only().await?;
    let (computer, other) = (at_a_computer(&stack).await?, at_a_computer(&stack).await?);
    let gone = other.visitor.open(&computer.url).await?;
    assert_eq!(gone.status, 400, "{}", gone.text());
    let framed = Visit::open(&computer.url).header("sec-fetch-dest", "iframe");
    assert_eq!(computer.visitor.send(framed).await?.status, 403);
    // The item of a ticket that is over is gone before that of its login: nothing begins again.
    let table = stack.table("LoginsTable")?.to_owned();
    let soon = json!({ "N": (harness::time::now_seconds() + 50).to_string() });
    for item in stack.logins()? {
        let id = attribute(&item, "id").to_owned();
        if id.starts_with("ticket#") {
            stack.database().delete(&table, &id)?;
        } else {
            stack.database().put(&table, &with(item, "expires_at", soon.clone()))?;
        }
    }
    let gone = computer.open(None).await?;
    assert_eq!(gone.status, 400, "{}", gone.text());
    assert!(!stack.logins()?.iter().any(|item| attribute(item, "id").starts_with("ticket#")));
    Ok(())
}

/// Browser secret, state and choice can all be read later, off the browser and its history. They lead to another
/// pick-up secret each time that one is given, and what was added to them is gone when the login was picked up, or
/// ended.
#[tokio::test]
async fn what_picks_a_login_up_cannot_be_computed_from_what_a_browser_remembers() -> Result<()> {
    let stack = account_only().await?;
    let table = stack.table("LoginsTable")?.to_owned();
    let salts = || -> Result<usize> {
        Ok(stack.logins()?.iter().filter(|item| item.get("pick_up_salt").is_some()).count())
    };
    for ends_well in [true, false] {
        let computer = at_a_computer(&stack).await?;
        let phone = stack.visitor("zhou");
        let form = form(&scan(&phone, &computer.code).await?)?;
        let mut given = Vec::new();
        for _ in 0..2 {
            // As if it had never been given.
            for mut item in stack.logins()? {
                if let Some(attributes) = item.as_object_mut().filter(|item| item.contains_key("given_to")) {
                    attributes.retain(|name, _| !["given_to", "given_at", "pick_up_salt"].contains(&&**name));
                    stack.database().put(&table, &item)?;
                }
            }
            computer.visitor.browser.forget_cookie(&computer.cookie()?);
            computer.number().await?;
            given.push(computer.visitor.browser.cookie(&computer.cookie()?));
            assert_eq!(salts()?, 1);
        }
        assert!(given[0].is_some() && given[1].is_some() && given[0] != given[1]);
        let number = computer.number().await?;
        tap(&phone, &form, Some(number).filter(|_| ends_well)).await?;
        computer.open(None).await?;
        assert_eq!(salts()?, 0, "{ends_well}");
    }
    Ok(())
}

/// The page stays in the history of its tab. Opened again, it gives no cookie back whose session is gone, in the place
/// of one that may be good.
#[tokio::test]
async fn a_pick_up_is_not_repeated_when_its_session_is_gone() -> Result<()> {
    let stack = account_only().await?;
    let first = at_a_computer(&stack).await?;
    let picked_up = async |computer: &Waiting, person: &str| -> Result<()> {
        let phone = stack.visitor(person);
        let form = form(&scan(&phone, &computer.code).await?)?;
        tap(&phone, &form, Some(computer.number().await?)).await?;
        for _ in 0..2 {
            assert_eq!(computer.open(None).await?.status, 303);
            assert_eq!(openid_of(&computer.visitor).await?, Some(phone.openid()));
        }
        Ok(())
    };
    picked_up(&first, "zhou").await?;
    // Somebody else logs in, in another tab: of one browser there is one session.
    let second = Waiting::begin(first.visitor, "").await?;
    picked_up(&second, "lin").await?;
    let session = second.visitor.session();
    let again = second.visitor.open(&first.url).await?;
    assert_eq!((again.status, again.location()), (303, Some(TARGET)));
    assert!(again.set_cookies().is_empty() && second.visitor.session() == session);
    Ok(())
}

/// A tap that the table does not take has to be made again, most of all one that takes a yes back.
#[tokio::test]
async fn a_tap_that_is_not_answered_can_be_made_again() -> Result<()> {
    let stack = Stack::start(Options::default().without("WEBSITE_APP_ID").proxied()).await?;
    let computer = at_a_computer(&stack).await?;
    let phone = stack.visitor("zhou");
    let form = form(&scan(&phone, &computer.code).await?)?;
    let number = computer.number().await?;
    let again = format!("href=\"/handoff?ticket={}\"", form.ticket);
    let broken = stack.proxy()?.inject(Rule::at(Kind::Ticket, Fault::Throttle(Throttle::Throttling)));
    for page in [tap(&phone, &form, Some(number)).await?, take_back(&phone, &form).await?] {
        assert_eq!(page.status, 503);
        assert!(page.text().contains(&again), "{}", page.text());
    }
    drop(broken);
    stack.proxy()?.heal();
    assert!(is_titled(&tap(&phone, &form, Some(number)).await?, "已确认"));
    Ok(())
}

/// The choice of a script is worth half a minute; the cookie, as long as the ticket.
#[tokio::test]
async fn a_choice_is_repeated_for_half_a_minute() -> Result<()> {
    let stack = account_only().await?;
    let computer = at_a_computer(&stack).await?;
    scan(&stack.visitor("zhou"), &computer.code).await?;
    let number = computer.number().await?;
    let table = stack.table("LoginsTable")?.to_owned();
    let before = json!({ "N": (harness::time::now_seconds() - 30).to_string() });
    for item in stack.logins()? {
        if item["given_at"].is_object() {
            stack.database().put(&table, &with(item, "given_at", before.clone()))?;
        }
    }
    assert_eq!(computer.number().await?, number);
    computer.visitor.browser.forget_cookie(&computer.cookie()?);
    let ended = computer.open(Some(CHOICE)).await?;
    assert!(is_titled(&ended, "有两个浏览器在等待"), "{}", ended.text());
    Ok(())
}

/// Whatever goes wrong with waiting, the page that says so leads back into the login that the person came for, also
/// when nothing is left that knows it.
#[tokio::test]
async fn a_page_that_cannot_wait_leads_back_into_the_same_login() -> Result<()> {
    const ACCOUNTS: &str = r#"{ "kiosk": { "official_account": "wx0000000000000aaa",
        "allowed_origins": ["https://kiosk.example.com"], "default_return_to": "https://kiosk.example.com/" } }"#;
    const LINK: &str = "return_to=https%3A%2F%2Fkiosk.example.com%2Fme%3Fa%3D1&scope=auto&lang=en&app=kiosk";
    let options = Options::default()
        .with("ACCOUNTS", ACCOUNTS)
        .without("OFFICIAL_ACCOUNT_APP_ID")
        .with("WEBSITE_APP_ID", WEBSITE_APP);
    let stack = Stack::start(options.proxied()).await?;
    let leads_back = |page: &Answer, status: u16| {
        let text = page.text();
        assert_eq!(page.status, status, "{text}");
        let same = format!("href=\"/authorize?{}\"", LINK.replace('&', "&#38;"));
        assert!(text.contains(&same), "{same} is not in {text}");
    };
    let begin = async || Waiting::begin(stack.visitor("lin").at_a_computer(), LINK).await;
    let (computer, other) = (begin().await?, begin().await?);
    // Another browser's, a frame, an address that lost a digit, a choice that is none.
    leads_back(&other.visitor.open(&computer.url).await?, 400);
    let framed = Visit::open(&computer.url).header("sec-fetch-dest", "iframe");
    leads_back(&computer.visitor.send(framed).await?, 403);
    leads_back(&computer.visitor.open(&computer.url.replace("state=", "state=x")).await?, 400);
    leads_back(&computer.open(Some("x")).await?, 400);
    // A table that does not answer.
    let broken = stack.proxy()?.inject(Rule::at(Kind::Ticket, Fault::Throttle(Throttle::Throttling)));
    leads_back(&computer.open(None).await?, 503);
    stack.proxy()?.heal();
    drop(broken);
    // A phone that says no, and the login's own item gone as well.
    let phone = stack.visitor("zhou");
    tap(&phone, &form(&scan(&phone, &computer.code).await?)?, None).await?;
    leads_back(&computer.open(None).await?, 200);
    let table = stack.table("LoginsTable")?.to_owned();
    for item in stack.logins()? {
        let id = attribute(&item, "id").to_owned();
        if id.starts_with("handoff#") {
            stack.database().delete(&table, &id)?;
        }
    }
    leads_back(&computer.open(None).await?, 200);
    // Nothing is left, and no cookie.
    for item in stack.logins()? {
        stack.database().delete(&table, attribute(&item, "id"))?;
    }
    leads_back(&computer.open(None).await?, 400);
    computer.visitor.browser.forget_cookies();
    leads_back(&computer.open(None).await?, 400);
    // What the address says is judged as a link is.
    let elsewhere = computer.url.replace("kiosk.example.com", "evil.example");
    let page = computer.visitor.open(&elsewhere).await?.text();
    assert!(!page.contains("evil.example") && page.contains("app=kiosk"), "{page}");
    Ok(())
}

/// Whatever the script of a waiting page is told, it is no page.
#[tokio::test]
async fn a_script_that_waits_is_refused_as_a_script() -> Result<()> {
    let stack = account_only().await?;
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "").await?;
    computer.visitor.browser.forget_cookies();
    let ask = Visit::fetch(http::Method::GET, &computer.url, PUBLIC_URL).header("accept", "application/json");
    assert_problem(&computer.visitor.send(ask).await?, 400, "cookie_missing");
    assert_eq!(computer.open(None).await?.header("content-type"), Some("text/html; charset=utf-8"));
    Ok(())
}

/// WeChat shows a page that asks for the profile unprompted as a snapshot, to a visitor who is nobody: the code is not
/// scanned by that, and is as good as before once the person has asked for the whole page.
#[tokio::test]
async fn a_visitor_of_a_snapshot_page_scans_nothing() -> Result<()> {
    let stack = account_only().await?;
    stack.simulator().knobs(|knobs| knobs.snapshot = Snapshot::On);
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), "scope=snsapi_userinfo").await?;
    let phone = stack.visitor("zhou");
    for _ in 0..2 {
        let told = scan(&phone, &computer.code).await?;
        assert!(is_titled(&told, title(Reason::Snapshot)), "{}", told.text());
        offers_no_login(&told);
        assert_eq!((computer.stage().await?.as_str(), stack.sessions()?.len()), ("waiting", 0));
    }
    let tickets = stack.logins()?;
    let ticket = tickets.iter().find(|item| attribute(item, "id").starts_with("ticket#"));
    assert!(ticket.is_some_and(|ticket| ticket["scanned_by"].is_null()), "{tickets:?}");

    stack.simulator().knobs(|knobs| knobs.snapshot = Snapshot::Off);
    let form = form(&scan(&phone, &computer.code).await?)?;
    tap(&phone, &form, Some(computer.number().await?)).await?;
    computer.open(None).await?;
    assert_eq!(openid_of(&computer.visitor).await?, Some(phone.openid()));
    Ok(())
}

/// The longest target makes no code that a phone cannot read, and no page that a phone waits for.
#[tokio::test(flavor = "multi_thread")]
async fn the_longest_target_is_not_in_the_code_that_is_scanned() -> Result<()> {
    let stack = account_only().await?;
    let link = format!("return_to=%2F{}", "a".repeat(2047));
    let computer = Waiting::begin(stack.visitor("lin").at_a_computer(), &link).await?;
    assert!(computer.code.len() < 250, "{} bytes: {}", computer.code.len(), computer.code);
    let page = computer.visitor.browser.get(&computer.url).await?;
    assert!(page.body.len() < 10_000, "{} bytes", page.body.len());
    Ok(())
}
