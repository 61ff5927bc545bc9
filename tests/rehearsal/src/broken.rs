//! What would deploy without a word and answer nobody, put into functions that stand: whoever looks at the routes must
//! see it.
//!
//! What makes a deployment refuse such things is held elsewhere: a build by [`crate::built`] and by the steps of
//! `deploy.py`. If one of them did not refuse any more, a stack would stand as it does here; and if nobody saw it here,
//! the visits of this rehearsal would be worth nothing against it.

use std::{fs, path::Path};

use harness::{
    Failure, Result,
    emulated_aws::{root, tool},
};

use crate::{
    account::Account,
    built,
    visits::{only_the_page, silent},
    wechat::Visitors,
};

/// The function that a login begins with, and the one that every visitor sees.
const BEGINS: &str = "AuthorizeFunction";
const SHOWS: &str = "SiteFunction";

/// A partial build and one for the other processor, in a stack that works.
pub async fn in_a_stack_that_works(
    account: &Account<'_>,
    stack: &str,
    build: &Path,
    visitors: &Visitors,
) -> Result<()> {
    silent(visitors).await.map_err(|failure| failure.during("before anything was broken"))?;
    let whole = build.join(BEGINS);
    // `sam deploy` packs the folder that a function inherits that was not built: the one with the template.
    let unbuilt = fs::read(build.join("template.yaml"))?;
    let mut other = fs::read(whole.join("bootstrap"))?;
    built::for_the_other_processor(&mut other);
    for (what, file, contents) in [
        ("a function that was not built", "template.yaml", unbuilt),
        ("a function for the other processor", "bootstrap", other),
    ] {
        put(account, stack, BEGINS, (file, &contents)).await?;
        seen(what, silent(visitors).await)?;
    }
    put(account, stack, BEGINS, ("bootstrap", &fs::read(whole.join("bootstrap"))?)).await?;
    silent(visitors).await.map_err(|failure| failure.during("after it was put right"))
}

/// A function that ends where its configuration is wrong, in a stack whose configuration is.
pub async fn with_a_wrong_value(
    account: &Account<'_>,
    stack: &str,
    build: &Path,
    visitors: &Visitors,
) -> Result<()> {
    put(account, stack, SHOWS, ("bootstrap", b"#!/bin/sh\nexit 1\n")).await?;
    seen("a function that ends", only_the_page(visitors, "misconfigured").await)?;
    put(account, stack, SHOWS, ("bootstrap", &fs::read(build.join(SHOWS).join("bootstrap"))?)).await?;
    only_the_page(visitors, "misconfigured").await
}

fn seen(what: &str, visit: Result<()>) -> Result<()> {
    match visit {
        Ok(()) => Err(Failure::new(format!("nobody sees {what}"))),
        Err(failure) => {
            println!("    {what}: {}", failure.to_string().lines().collect::<Vec<_>>().join(" "));
            Ok(())
        }
    }
}

/// Gives a function other code: one file.
async fn put(account: &Account<'_>, stack: &str, function: &str, file: (&str, &[u8])) -> Result<()> {
    let functions = account.resources(stack, Some("AWS::Lambda::Function")).await?;
    let name = functions.get(function).ok_or_else(|| Failure::new(format!("no {function} in the stack")))?;
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join(file.0), file.1)?;
    let mut zip = account.aws.command(tool("python")?, &root(), account.region);
    let zip = zip.args(["-m", "zipfile", "-c", "code.zip", file.0]).current_dir(directory.path());
    let packed = zip.output().await?;
    if !packed.status.success() {
        return Err(Failure::new(String::from_utf8_lossy(&packed.stderr)));
    }
    let code = format!("fileb://{}", directory.path().join("code.zip").display());
    let update = ["lambda", "update-function-code", "--function-name", name, "--zip-file", &code];
    account.look(&update).await.map(drop)
}
