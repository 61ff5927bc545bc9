//! Checks the parameters of a deployment with the functions' own parser: `deploy.sh` runs it before anything is made.
//!
//! Prints a line for each problem, the parameter, a tab and what is wrong, in Chinese where the environment says so,
//! and ends with status 1; with 0 if there is none, with 2 if it could not judge.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what it is for")]

use std::{collections::BTreeMap, env, path::PathBuf, process::ExitCode};

use lexopt::{
    Arg::{Long, Short, Value},
    ValueExt as _,
};
use template::{Failure, Result, Template};

/// In English and in Chinese.
const HELP: [&str; 2] = [
    "\
Usage: check-config [--template <FILE>] <Name=value>…

Checks the parameters of a deployment of template.yaml as the functions will, before anything is deployed.",
    "\
用法：check-config [--template <文件>] <参数名=值>…

部署之前，按各函数自己的规则检查模板 template.yaml 的参数。",
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{}{failure}", if reads_chinese() { "错误：" } else { "error: " });
            ExitCode::from(2)
        }
    }
}

/// Whether the person reads Chinese, as `deploy.sh` finds it out.
#[expect(clippy::disallowed_methods, reason = "the language is the terminal's")]
fn reads_chinese() -> bool {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
    set.into_iter().find(|value| !value.is_empty()).is_some_and(|value| value.starts_with("zh"))
}

fn unknown(pick: &impl Fn([String; 2]) -> String, option: &str) -> Failure {
    Failure::new(pick([format!("there is no option {option}"), format!("没有选项 {option}")]))
}

/// Whether all is well.
fn run() -> Result<bool> {
    let is_chinese = reads_chinese();
    let pick = |[english, chinese]: [String; 2]| if is_chinese { chinese } else { english };
    let mut parser = lexopt::Parser::from_args(env::args_os().skip(1));
    let (mut file, mut parameters) = (None, BTreeMap::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("template") => file = Some(PathBuf::from(parser.value()?)),
            Long("help") => {
                println!("{}", pick(HELP.map(str::to_owned)));
                return Ok(true);
            }
            Value(pair) => {
                let pair = pair.string()?;
                let (name, value) = pair.split_once('=').ok_or_else(|| {
                    Failure::new(pick([
                        format!("a parameter is Name=value, not {pair}"),
                        format!("参数写作“参数名=值”，而不是 {pair}"),
                    ]))
                })?;
                parameters.insert(name.to_owned(), value.to_owned());
            }
            Long(name) => return Err(unknown(&pick, &format!("--{name}"))),
            Short(letter) => return Err(unknown(&pick, &format!("-{letter}"))),
        }
    }
    let template = file.map_or_else(Template::of_the_project, |file| Template::read(&file))?;
    let known: Vec<_> = template.parameters().map(|(name, _)| name).collect();
    if let Some(unknown) = parameters.keys().find(|name| !known.contains(name)) {
        return Err(Failure::new(pick([
            format!("the template has no parameter {unknown}"),
            format!("模板没有参数 {unknown}"),
        ])));
    }
    let problems = check_config::problems(&template, &parameters);
    let is_well = problems.is_empty();
    for problem in problems {
        println!("{}\t{}", problem.parameter, pick(problem.text).replace('\n', " "));
    }
    Ok(is_well)
}
