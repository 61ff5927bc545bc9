//! Checks the parameters of a deployment with the functions' own parser: `deploy.sh` runs it before anything is made.
//!
//! Prints a line for each problem, the parameter, a tab and what is wrong, and ends with status 1; with 0 if there is
//! none, with 2 if it could not judge.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what it is for")]

use std::{collections::BTreeMap, env, path::PathBuf, process::ExitCode};

use lexopt::{
    Arg::{Long, Value},
    ValueExt as _,
};
use template::{Failure, Result, Template};

const HELP: &str = "\
Usage: check-config [--template <FILE>] <Name=value>…

Checks the parameters of a deployment of template.yaml as the functions will, before anything is deployed.";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is well.
fn run() -> Result<bool> {
    let mut parser = lexopt::Parser::from_args(env::args_os().skip(1));
    let (mut file, mut parameters) = (None, BTreeMap::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("template") => file = Some(PathBuf::from(parser.value()?)),
            Long("help") => {
                println!("{HELP}");
                return Ok(true);
            }
            Value(pair) => {
                let pair = pair.string()?;
                let (name, value) = pair
                    .split_once('=')
                    .ok_or_else(|| Failure::new(format!("a parameter is Name=value, not {pair}")))?;
                parameters.insert(name.to_owned(), value.to_owned());
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let template = file.map_or_else(Template::of_the_project, |file| Template::read(&file))?;
    let known: Vec<_> = template.parameters().map(|(name, _)| name).collect();
    if let Some(unknown) = parameters.keys().find(|name| !known.contains(name)) {
        return Err(Failure::new(format!("the template has no parameter {unknown}")));
    }
    let problems = check_config::problems(&template, &parameters);
    for problem in &problems {
        println!("{}\t{}", problem.parameter, problem.text.replace('\n', " "));
    }
    Ok(problems.is_empty())
}
