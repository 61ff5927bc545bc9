//! `make run`: the login, left running on this machine.
//!
//! Three parts make it up. The simulated WeChat and the embedded DynamoDB live in this process; the
//! functions live under the real `cargo lambda watch`, which compiles them, restarts them when their
//! source changes and hands them the events that API Gateway would. The tables and the environment
//! come from `template.yaml`, as those of the tests do.
//!
//! Whatever ends this program, an error or a signal, ends what it started first.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person who started it")]

mod arguments;
mod check;
mod environment;
mod line;
mod ports;
mod reality;
mod surroundings;
mod watch;

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use harness::{
    Browser, Failure, Result,
    binaries::{Binaries, build_functions, search, workspace},
    functions::{Functions, Specification},
    template::Template,
};
use tokio::{
    process::Command,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    arguments::Arguments,
    ports::{Ports, USUAL_PORT},
    surroundings::Surroundings,
    watch::{Audience, Watch},
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::read(env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(failure) => return report(&failure),
    };
    if arguments.help {
        println!("{}", arguments::HELP);
        return ExitCode::SUCCESS;
    }
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    eprintln!("\n出错了 · Error\n{failure}");
    ExitCode::FAILURE
}

/// Everything from the first port to the last process.
async fn run(arguments: &Arguments) -> Result<()> {
    let mut stop = Stop::new()?;
    let cargo_lambda = cargo_lambda(arguments.cargo_lambda.as_deref())?;
    let ports = Ports::open(arguments).await?;
    let port = ports.login.local_addr()?.port();
    // A check must not meet what an earlier run has stored, nor one that is still running.
    let scratch = arguments.check.then(tempfile::tempdir).transpose()?;
    let directory = match &scratch {
        Some(scratch) => scratch.path().to_owned(),
        // Two at the same time must not share an environment or a database.
        None if port == USUAL_PORT => workspace().join(".local"),
        None => workspace().join(".local").join(port.to_string()),
    };
    make_private(&directory)?;

    let here = format!("http://localhost:{port}");
    let template = Template::of_the_project()?;
    let mut surroundings = Surroundings::start(
        (!arguments.check).then_some(port),
        &arguments.allow_origins,
        &template,
        &directory,
        ports.simulator,
        ports.database,
    )?;
    if arguments.is_real() {
        reality::face(arguments, &mut surroundings.variables)?;
    }
    let allowed = surroundings.variables.entry("ALLOWED_ORIGINS".to_owned()).or_default();
    *allowed = std::iter::once(&*allowed)
        .chain(&arguments.allow_origins)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(",");
    set(&arguments.set, &mut surroundings.variables)?;
    let text = |name| surroundings.variables.get(name).map(String::as_str).unwrap_or_default();
    let public_url = text("PUBLIC_URL");
    if let Some(check_config::ForeignPage { variable, origin, .. }) =
        check_config::foreign_page(&surroundings.variables)
    {
        return Err(Failure::new(format!(
            "{variable} 有误：{origin} 与 {public_url} 不是同一个网站，浏览器不会从那里带上登录的 Cookie。\n\
             {variable} is wrong: {origin} is of another site than {public_url}, so browsers send no cookie of the login from there"
        )));
    }
    // The functions would answer each request that they are misconfigured, and say so in the log.
    let wrong = check_config::wrong(&template, &surroundings.variables);
    if !wrong.is_empty() {
        let told: Vec<_> =
            wrong.into_iter().map(|[english, chinese]| format!("{chinese}\n{english}")).collect();
        return Err(Failure::new(told.join("\n")));
    }
    let env_file = directory.join("env");
    fs::write(&env_file, environment::env_file(&surroundings.variables)?)?;

    let built = tokio::select! {
        built = build(&template, &surroundings.variables) => built.map(|()| true)?,
        () = stop.asked() => false,
    };
    if !built {
        return Ok(());
    }
    drop(ports.login);
    let log_file = directory.join("watch.log");
    let audience = match (arguments.check, arguments.verbose) {
        (true, _) => Audience::Nobody,
        (false, true) => Audience::Developer,
        (false, false) => Audience::Visitor,
    };
    let mut watch = Watch::start(&cargo_lambda, port, &env_file, &log_file, audience)?;
    let browser = Browser::new()?.with_origin(&here, ([127, 0, 0, 1], port).into());
    let work = async {
        watch.ready(&browser, &format!("{here}/")).await?;
        if arguments.check {
            return check::check(&cargo_lambda, port).await;
        }
        if arguments.is_real() {
            announce_reality(public_url, &surroundings, &log_file);
        } else {
            let is_own = arguments.set.iter().any(|(name, _)| name == "OPENID_CONNECT");
            announce(&here, &surroundings, !is_own, &log_file);
        }
        Err(watch.end().await)
    };
    let result = tokio::select! {
        result = work => result,
        () = stop.asked() => {
            println!("\n正在停止…… · Stopping…");
            Ok(())
        }
    };
    watch.stop().await?;
    if result.is_err() && arguments.check {
        println!("{}", fs::read_to_string(&log_file)?);
    }
    result
}

/// Makes a directory that is its owner's alone: in it are app secrets, a key, and who logged in.
fn make_private(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    Ok(fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?)
}

/// Sets what a function reads; some of that is not in the template.
fn set(settings: &[(String, String)], variables: &mut BTreeMap<String, String>) -> Result<()> {
    let read = reference::settings();
    for (name, value) in settings {
        if !variables.contains_key(name) && !read.iter().any(|(setting, _)| setting.name == *name) {
            return Err(Failure::new(format!("没有函数使用变量 {name}。\nno function reads {name}")));
        }
        variables.insert(name.clone(), value.clone());
    }
    Ok(())
}

/// Compiles the functions, and starts each once: one that does not start is told of here, one time, instead of at
/// every attempt of `cargo lambda watch`.
async fn build(template: &Template, variables: &BTreeMap<String, String>) -> Result<()> {
    println!("正在编译（首次需要几分钟）…… · Building (minutes, the first time)…");
    let mut compiler = Command::from(build_functions()?);
    let status = compiler.kill_on_drop(true).status().await?;
    if !status.success() {
        return Err(Failure::new(format!("编译失败，原因见上面的输出。\ncargo build failed: {status}")));
    }
    let binaries = Binaries::build().await?;
    let mut specifications = BTreeMap::new();
    for function in template.functions() {
        let specification = Specification {
            binary: binaries.path(&function.binary)?.to_owned(),
            environment: variables.clone(),
            timeout: function.timeout,
        };
        specifications.insert(function.binary, specification);
    }
    let functions = Functions::new(specifications).await?;
    for function in functions.names() {
        functions.warm(&function).await?;
    }
    functions.stop().await;
    Ok(())
}

/// What a person needs to know to begin.
fn announce(login_url: &str, surroundings: &Surroundings, has_usual_client: bool, log_file: &Path) {
    let provider = if has_usual_client {
        format!(
            "    OpenID Provider   {login_url}
    客户端 local（无密码，PKCE），返回 http://localhost:3000/callback
    Its client local has no secret, uses PKCE, and is at http://localhost:3000/callback

"
        )
    } else {
        String::new()
    };
    let [chinese, english] = if surroundings.has("WEBSITE_APP_ID") {
        [
            "电脑浏览器会显示二维码，点旁边的“虚拟手机”链接即可扫码",
            "A desktop browser shows a QR code and a link to a virtual phone that scans it",
        ]
    } else {
        [
            "电脑浏览器会显示本站的二维码；在隐私窗口（当作手机）里打开“不方便扫码？”下的链接",
            "A desktop browser shows a QR code of this site; open the link below \"Can't scan?\" in a private window, as a phone",
        ]
    };
    let simulator_url = &surroundings.simulator_url;
    println!(
        "
  已就绪 · Ready

    打开登录页        {login_url}/
    {chinese}
    {english}

    模拟微信内打开    {login_url}/authorize?app=official_account
    任何浏览器都可以；加上 &scope=snsapi_userinfo 可取得昵称和头像
    As if inside WeChat, in any browser; add &scope=snsapi_userinfo for name and photo

{provider}    微信模拟器        {simulator_url}/_simulator/
    测试人物、故障开关、收到的请求
    The simulated WeChat: people, faults, requests

{}",
        files(surroundings, log_file)
    );
}

/// The same with the real WeChat.
fn announce_reality(public_url: &str, surroundings: &Surroundings, log_file: &Path) {
    let host = public_url.split("://").nth(1).unwrap_or(public_url);
    let [chinese, english] = match (
        surroundings.has("OFFICIAL_ACCOUNT_APP_ID"),
        surroundings.has("WEBSITE_APP_ID"),
    ) {
        (true, true) => [
            "手机在微信里打开；电脑浏览器用网站应用扫码",
            "Open it inside WeChat on a phone; a desktop browser scans with the website app",
        ],
        (true, false) => [
            "手机在微信里打开；电脑浏览器显示本站的二维码，用微信扫码",
            "Open it inside WeChat on a phone; a desktop browser shows a QR code of this site, for WeChat to scan",
        ],
        (false, _) => [
            "用电脑浏览器打开，用网站应用扫码",
            "Open it in a desktop browser, which scans with the website app",
        ],
    };
    println!(
        "
  已就绪（真实的微信） · Ready, with the real WeChat

    打开登录页        {public_url}/
    {chinese}
    {english}

    要登记的域名      {host}
    服务号或测试号：网页授权域名；网站应用：授权回调域
    Register it: web authorization domain of the account, callback domain of the website app

{}",
        files(surroundings, log_file)
    );
}

/// The end of both: where everything is kept, and what is to be seen from now on.
fn files(surroundings: &Surroundings, log_file: &Path) -> String {
    let directory = env::current_dir().unwrap_or_default();
    let short = |path: &Path| path.strip_prefix(&directory).unwrap_or(path).display().to_string();
    format!(
        "    数据文件          {}
    删除后重新开始 · Delete it to start over

    完整日志          {}
    下面只显示每次登录的结果和错误；全部显示：make run ARGS=\"--verbose\"
    Below come how each login ended, and errors; all of it: make run ARGS=\"--verbose\"

    按 Ctrl+C 全部停止 · Ctrl+C stops everything
",
        short(&surroundings.data),
        short(log_file)
    )
}

/// The program to run, as an absolute path.
fn cargo_lambda(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(path) => path.canonicalize().map_err(|error| Failure::from(error).during(path.display())),
        None => search("cargo-lambda").ok_or_else(|| {
            Failure::new(
                "找不到 cargo-lambda；`make run` 会自动安装，或者用 --cargo-lambda 指定它的位置。\n\
                 cargo-lambda is not on PATH; `make run` installs it, or use --cargo-lambda",
            )
        }),
    }
}

/// The signals that ask this program to end.
struct Stop([Signal; 3]);

impl Stop {
    fn new() -> Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn asked(&mut self) {
        let Self([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("9710");
        // One of an earlier version was everybody's.
        for _ in 0..2 {
            make_private(&directory).unwrap();
            assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn whatever_a_function_reads_can_be_set() {
        let mut variables = BTreeMap::from([("SITE_NAME".to_owned(), String::new())]);
        let setting = |name: &str| [(name.to_owned(), "canary".to_owned())];
        for (known, _) in reference::settings() {
            set(&setting(known.name), &mut variables).unwrap();
            assert_eq!(variables[known.name], "canary", "{}", known.name);
        }
        let failure = set(&setting("SITE_NAMES"), &mut variables).unwrap_err().to_string();
        assert!(failure.contains("no function reads SITE_NAMES"), "{failure}");
        assert!(!variables.contains_key("SITE_NAMES"));
    }
}
