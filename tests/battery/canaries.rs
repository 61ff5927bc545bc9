//! L1: what is to be kept, in everything that the other rows printed, answered and stored.
//!
//! Every stack of every row is watched ([`harness::canaries`] says for what, and where each value may
//! stand); here the findings are added up. Two things make the row fail on its own account: a search
//! that does not find what is planted before its eyes, and too few values of a kind to have been found
//! at all.

use std::{cell::RefCell, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{
    Failure, Options, Result, Stack,
    browser::Visit,
    canaries::{Found, Kind, Watch},
    logs::Line,
    places::{BROWSER_COOKIE, PEOPLE, SESSION_COOKIE},
    relying_party::{self, APP, SECRET, asked, code, redeem, text},
    signing_key,
    stack::{OFFICIAL_ACCOUNT, PAGE_ORIGIN, PUBLIC_URL, WECHAT_OPEN_URL},
};
use http::Method;
use serde_json::{Value, json};
use simulator::Action;

use crate::row::Run;

/// The row's name.
pub const ROW: &str = "L1";

/// What all stacks were searched for, row by row.
#[derive(Default)]
pub struct Scans(RefCell<Vec<(&'static str, Found)>>);

impl Scans {
    /// Searches the tables of a stack that has stopped, and keeps what was found in it.
    pub fn add(&self, row: &'static str, stack: &Stack) -> Result<()> {
        let watch = stack.watch().ok_or_else(|| Failure::new("nobody watched this stack"))?;
        watch.catch_up(&stack.logs().lines());
        for (table, items) in stack.database().dump()? {
            for item in items {
                watch.item(&table, &item);
            }
        }
        self.0.borrow_mut().push((row, watch.found()));
        Ok(())
    }
}

/// L1.
pub async fn everywhere(run: &Run) -> Result<String> {
    // Every kind of value, in whichever rows were chosen.
    let options = Options::default()
        .with("PROFILE_LIFETIME_SECONDS", "0")
        .with("SILENT_UNIONID", "true")
        .and(relying_party::options("openid")?);
    let stack = run.stack(options).await?;
    let values = visit(&stack).await?;
    run.end(&stack).await?;
    for kind in Kind::ALL {
        let value = values.get(&kind).ok_or_else(|| Failure::new(format!("there is no {kind:?}")))?;
        see(run, &stack, kind, value);
    }

    let scans = run.scans().0.take();
    let (mut answers, mut lines, mut items) = (0, 0, 0);
    let mut canaries = BTreeMap::new();
    for (row, found) in &scans {
        answers += found.answers;
        lines += found.lines;
        items += found.items;
        for (kind, count) in &found.canaries {
            *canaries.entry(*kind).or_insert(0) += count;
        }
        for hit in &found.hits {
            run.violated(format!("{row}: {hit}"));
        }
    }
    for kind in Kind::ALL {
        let count = canaries.get(&kind).copied().unwrap_or_default();
        run.require(count > 0, || format!("there was no {kind:?} to be found"));
    }
    Ok(format!("{answers} answers, {lines} lines, {items} items"))
}

/// Logs people in and shows them, so that each kind of value is issued and used; one of each.
async fn visit(stack: &Stack) -> Result<BTreeMap<Kind, String>> {
    let simulator = stack.simulator();
    let mut values = BTreeMap::new();
    for person in PEOPLE {
        let visitor = stack.visitor(person);
        visitor.log_in().await?;
        visitor.log_in_with_profile().await?;
        visitor.userinfo_page().await?;
        simulator.act(&Action::ExpireAccessTokens);
        visitor.verify().await?;
        let cookies = [(Kind::BrowserSecret, BROWSER_COOKIE), (Kind::SessionToken, SESSION_COOKIE)];
        values.extend(cookies.into_iter().filter_map(|(kind, name)| {
            // A browser's secret stands behind its birth, which is none.
            let value = visitor.browser.cookie(name)?;
            Some((kind, value.rsplit('.').next().unwrap_or_default().to_owned()))
        }));
        let asked = Visit::fetch(Method::POST, "https://login.example.com/access-token", PAGE_ORIGIN);
        let answer = visitor.send(asked).await?.json()?;
        let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
        values.extend(token.rsplit('.').next().map(|signature| (Kind::SignedToken, signature.to_owned())));
        values.extend(at_clients(stack, person).await?);
        let unionid = simulator.unionid(person, OFFICIAL_ACCOUNT);
        values.extend(unionid.map(|unionid| (Kind::UnionId, unionid)));
    }
    let line = signing_key::of_this_process()?.lines().nth(10).map(str::to_owned);
    values.extend(line.map(|line| (Kind::SigningKey, line)));
    for entry in simulator.ledger() {
        let is_global = entry.path.starts_with("/cgi-bin/");
        let token = if is_global { Kind::GlobalToken } else { Kind::AccessToken };
        let kinds = [
            ("secret", Kind::AppSecret),
            ("code", Kind::Code),
            ("refresh_token", Kind::RefreshToken),
            ("openid", Kind::OpenId),
            ("state", Kind::State),
            ("access_token", token),
        ];
        let found =
            kinds.into_iter().filter_map(|(name, kind)| Some((kind, entry.parameter(name)?.to_owned())));
        values.extend(found);
    }
    simulator.settings(|settings| {
        let person = settings.people.iter().find(|person| person.id == "lin");
        values.extend(person.map(|person| (Kind::Nickname, person.nickname.clone())));
        values.extend(person.and_then(|person| Some((Kind::Avatar, person.avatar.clone()?))));
    });
    Ok(values)
}

/// Logs somebody in at clients, each in a browser of its own; one of each kind of value that came of it. What goes
/// wrong on the way is answered and written down as well.
async fn at_clients(stack: &Stack, person: &str) -> Result<BTreeMap<Kind, String>> {
    let mut values = BTreeMap::new();
    let visitor = relying_party::visitor(stack, person);
    let sent_on = visitor.open(&asked(&[])).await?;
    let back = sent_on.redirect()?.and_then(|login| relying_party::parameter(&login, "return_to"));
    values
        .extend(back.and_then(|back| Some((Kind::RequestHandle, back.split_once("request=")?.1.to_owned()))));
    // Another browser's request, one without a login, and a login that its person declines.
    relying_party::visitor(stack, person).follow(&asked(&[("prompt", "none")])).await?;
    stack
        .visitor(person)
        .open(
            &values
                .get(&Kind::RequestHandle)
                .map_or_else(String::new, |handle| format!("{PUBLIC_URL}/oauth2/continue?request={handle}")),
        )
        .await?;
    let code = code(&visitor, &[("scope", "openid profile")]).await?;
    for changes in
        [&[("code_verifier", "")][..], &[("redirect_uri", "https://app.example.org/")], &[("code", "x")]]
    {
        redeem(stack, &code, changes).await?;
    }
    let tokens = redeem(stack, &code, &[]).await?.json()?;
    let [access, id, renewal] = ["access_token", "id_token", "refresh_token"].map(|name| text(&tokens, name));
    relying_party::userinfo(stack, &access).await?;
    relying_party::userinfo(stack, &format!("{access}A")).await?;
    relying_party::refresh(stack, &renewal).await?;
    visitor.follow(&asked(&[("prompt", "none"), ("id_token_hint", &id)])).await?;
    // A client with a secret, by both ways, and with another one.
    let confidential = relying_party::code(&visitor, &[("client_id", "admin")]).await?;
    let form = relying_party::form(&[("grant_type", "authorization_code"), ("code", &confidential)]);
    let basic = |secret: &str| {
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        format!("Basic {}", STANDARD.encode(format!("admin:{encoded}")))
    };
    for secret in ["canary secret of nobody at all", SECRET] {
        relying_party::post(stack, &form, Some(&basic(secret))).await?;
        redeem(stack, &confidential, &[("client_id", "admin"), ("client_secret", secret)]).await?;
    }
    // A form, and the link that it becomes.
    let fields = [("id_token_hint", &*id), ("post_logout_redirect_uri", "https://app.example.org/elsewhere")];
    let posted = visitor.send(Visit::form(&format!("{PUBLIC_URL}/oauth2/logout"), APP, &fields)).await?;
    visitor.go_on(&posted).await?;
    // The second use of a code ends its grant.
    redeem(stack, &code, &[]).await?;
    relying_party::refresh(stack, &renewal).await?;
    let signature = id.rsplit('.').next().unwrap_or_default().to_owned();
    values.extend([
        (Kind::IdToken, signature),
        (Kind::ClientCode, code),
        (Kind::ClientRefreshToken, renewal.trim_start_matches("r.").to_owned()),
        (Kind::ClientSecret, SECRET.to_owned()),
    ]);
    Ok(values)
}

/// Something that a value is planted in.
enum Ground {
    Line(String),
    Answer(&'static str, Value),
    Item(Value),
}

/// What is random and known only from the answer that hands it out.
const OF_OURS: [Kind; 8] = [
    Kind::State,
    Kind::BrowserSecret,
    Kind::SessionToken,
    Kind::SignedToken,
    Kind::IdToken,
    Kind::ClientCode,
    Kind::ClientRefreshToken,
    Kind::RequestHandle,
];

/// Plants a value wherever it must not be, before the eyes of a watch of its own.
fn see(run: &Run, stack: &Stack, kind: Kind, value: &str) {
    use Ground::{Answer, Item, Line as Log};

    let encoded: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let cookies = [format!("{BROWSER_COOKIE}={encoded}"), format!("{SESSION_COOKIE}={encoded}; Path=/")];
    let callback = |answer| Answer("callback", answer);
    let (location, body) = (format!("/?a={encoded}"), json!({ "a": value }).to_string());
    let grounds = [
        ("a line", Log(format!("panicked at {value}: no"))),
        ("a header", Answer("site", json!({ "statusCode": 200, "headers": { "x-a": value } }))),
        ("a Location", callback(json!({ "statusCode": 303, "headers": { "location": location } }))),
        (
            "another cookie",
            callback(json!({ "statusCode": 303, "cookies": [format!("a={encoded}; Path=/")] })),
        ),
        ("another function's cookie", Answer("userinfo", json!({ "statusCode": 200, "cookies": cookies }))),
        ("a body", callback(json!({ "statusCode": 500, "body": format!("<p>{value}") }))),
        ("somebody else's /userinfo", Answer("userinfo", json!({ "statusCode": 200, "body": body }))),
        ("a reported error", Answer("logout", json!({ "errorMessage": value }))),
        ("an item", Item(json!({ "id": { "S": "a" }, "b": { "L": [{ "S": value }] } }))),
        ("a link", Log(format!("GET /oauth2/continue?request={encoded} 404"))),
        (
            "another party's address",
            Answer(
                "openid",
                json!({ "statusCode": 303, "headers": {
            "location": format!("https://evil.example/?code={encoded}&request={encoded}") } }),
            ),
        ),
        ("the tokens that are refused", Answer("token", json!({ "statusCode": 400, "body": body }))),
        (
            "a login's item",
            Item(json!({ "id": { "S": "login#a" }, "return_to": { "S": format!("/?a={encoded}") } })),
        ),
        ("an item's bytes", Item(json!({ "id": { "S": "a" }, "sealed": { "B": STANDARD.encode(value) } }))),
    ];
    for (place, ground) in grounds {
        let watch = Watch::new(stack.simulator().clone(), WECHAT_OPEN_URL);
        let hand_out = || {
            if OF_OURS.contains(&kind) {
                watch.token(kind, value);
            }
        };
        if matches!(kind, Kind::ClientSecret | Kind::SigningKey) {
            watch.plant(kind, value);
        }
        match ground {
            // What is written before its token is known has to be found as well; a dump comes last.
            Log(text) => watch.line(&Line { function: "callback".to_owned(), worker: 1, text }),
            Answer(function, answer) => watch.answer(function, b"{}", &answer),
            Item(item) => {
                hand_out();
                watch.item("SessionsTable", &item);
            }
        }
        hand_out();
        let hits = watch.found().hits;
        run.require(hits.iter().any(|hit| hit.kind == kind), || {
            format!("the search is blind: {kind:?} in {place} gave {hits:?}")
        });
    }
}
