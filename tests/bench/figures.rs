//! Figures of several runs, and how they are shown: tables that a terminal and a page of the documentation both take.

use std::time::Duration;

/// One figure, of every run, in order of size.
#[derive(Default)]
pub struct Series(Vec<f64>);

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }
}

impl Series {
    /// The least. On a machine that does other work as well, the others say more of that work.
    pub fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// The one that 99 of 100 do not exceed; of fewer than 100, the most.
    pub fn percentile_99(&self) -> f64 {
        let rank = (self.0.len() * 99).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// A table in Markdown: a name in the first column, figures in the others.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One with these heads.
    pub fn new<const N: usize>(heads: [&str; N]) -> Self {
        Self::of(heads.map(str::to_owned).into())
    }

    /// One with as many heads as there happen to be.
    pub fn of(heads: Vec<String>) -> Self {
        Self { rows: vec![heads] }
    }

    /// Another row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.line(cells.into());
    }

    /// Another row, of as many cells as there are heads.
    pub fn line(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Its lines, with columns as wide as they must be.
    pub fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let wide = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(wide).collect();
        let line = |cells: Vec<String>| format!("|{}|\n", cells.join("|"));
        let cell = |(column, (cell, width)): (usize, (&String, &usize))| match column {
            0 => format!(" {cell:<width$} "),
            _ => format!(" {cell:>width$} "),
        };
        let mut lines =
            self.rows.iter().map(|row| line(row.iter().zip(&widths).enumerate().map(cell).collect()));
        let head = lines.next().unwrap_or_default();
        let rule = widths.iter().enumerate().map(|(column, width)| {
            let dashes = "-".repeat(width + 1);
            if column == 0 { format!("{dashes}-") } else { format!("{dashes}:") }
        });
        head + &line(rule.collect()) + &lines.collect::<String>()
    }
}

/// A multiple of a floor or a peer, and whether it is within what it may be.
pub fn judged(multiple: f64, aim: f64) -> String {
    if multiple <= aim { format!("{multiple:.2}") } else { format!("{multiple:.2}, over {aim}") }
}

/// Milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A count.
#[expect(clippy::cast_precision_loss, reason = "a table does not show what is lost")]
pub fn number(number: u64) -> f64 {
    number as f64
}

/// Milliseconds, and whether they are within what they may be.
pub fn judged_time(milliseconds: f64, aim: f64) -> String {
    if milliseconds <= aim { format!("{milliseconds:.0}") } else { format!("{milliseconds:.0}, over {aim}") }
}
