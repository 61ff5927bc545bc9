//! The process that Lambda starts. Everything else is in `lib.rs`.

use handoff::Handoff;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "the environment and the clock come in here and nowhere else")]
async fn main() -> std::process::ExitCode {
    lambda::serve::<Handoff>(|name| std::env::var(name).ok(), std::time::SystemTime::now).await
}
