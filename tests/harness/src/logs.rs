//! What the functions print, line by line, as CloudWatch would keep it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};

use crate::{Failure, Result, canaries::Watch, lock};

/// How long a line may take to arrive; a pipe needs microseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// One line that a function printed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The binary, such as `callback`.
    pub function: String,
    /// The number of the process, counted from 1 over all functions; 0: the harness's own remark.
    pub worker: u64,
    /// The line without its end.
    pub text: String,
}

/// Everything that the functions of one stack printed; clones are the same log.
#[derive(Clone)]
pub struct Logs(Arc<Kept>);

struct Kept {
    lines: Mutex<Vec<Line>>,
    count: watch::Sender<usize>,
    watch: Option<Watch>,
}

impl Logs {
    /// An empty log; each line of it is shown to the watch.
    pub(crate) fn new(watch: Option<Watch>) -> Self {
        Self(Arc::new(Kept { lines: Mutex::default(), count: watch::Sender::new(0), watch }))
    }

    /// Adds a line.
    pub(crate) fn push(&self, line: Line) {
        if let Some(watch) = &self.0.watch {
            watch.line(&line);
        }
        let count = {
            let mut lines = lock(&self.0.lines);
            lines.push(line);
            lines.len()
        };
        self.0.count.send_replace(count);
    }

    /// Adds a line about a function that it did not print itself.
    pub(crate) fn note(&self, function: &str, text: &str) {
        self.push(Line { function: function.to_owned(), worker: 0, text: text.to_owned() });
    }

    /// Every line until now, in the order in which they arrived.
    pub fn lines(&self) -> Vec<Line> {
        lock(&self.0.lines).clone()
    }

    /// Every line until now, which is forgotten here: for a log that would grow too long.
    pub fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *lock(&self.0.lines))
    }

    /// Every line until now as one text, for a search of what must not be there.
    pub fn text(&self) -> String {
        let lines: Vec<_> = lock(&self.0.lines)
            .iter()
            .map(|line| format!("{}[{}] {}", line.function, line.worker, line.text))
            .collect();
        lines.join("\n")
    }

    /// What one process printed, as one text.
    pub(crate) fn of_worker(&self, worker: u64) -> String {
        let lines: Vec<_> = lock(&self.0.lines)
            .iter()
            .filter(|line| line.worker == worker)
            .map(|line| line.text.clone())
            .collect();
        lines.join("\n")
    }

    /// The first line that holds this text, once it is printed; a failure holds the whole log.
    pub async fn wait_for(&self, text: &str) -> Result<Line> {
        let mut count = self.0.count.subscribe();
        let found = timeout(PATIENCE, async {
            loop {
                let line = lock(&self.0.lines).iter().find(|line| line.text.contains(text)).cloned();
                if let Some(line) = line {
                    return Some(line);
                }
                count.changed().await.ok()?;
            }
        });
        found
            .await
            .ok()
            .flatten()
            .ok_or_else(|| Failure::new(format!("no line holds {text:?} in this log:\n{}", self.text())))
    }
}
