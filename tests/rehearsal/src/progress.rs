//! What a person reads meanwhile: a line when a step begins, and the seconds that it took.

use std::{fmt::Write, future::Future, time::Duration};

use harness::Result;
use tokio::time::Instant;

/// The steps so far.
#[derive(Default)]
pub struct Progress(Vec<(String, Duration)>);

impl Progress {
    /// Does a step; its failure says which it was.
    pub async fn step<T>(&mut self, name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        println!("==> {name}");
        let start = Instant::now();
        let done = Box::pin(work).await;
        let took = start.elapsed();
        println!("    {} after {:.1} s", if done.is_ok() { "ok" } else { "FAILED" }, took.as_secs_f64());
        self.0.push((name.to_owned(), took));
        done.map_err(|failure| failure.during(name))
    }

    /// Every step with its seconds.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let total: Duration = self.0.iter().map(|(_, took)| *took).sum();
        for (name, took) in
            self.0.iter().map(|(name, took)| (name.as_str(), took)).chain([("in all", &total)])
        {
            // Writing into a text does not fail.
            let _ = writeln!(table, "{:>7.1} s  {name}", took.as_secs_f64());
        }
        table
    }
}
