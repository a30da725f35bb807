//! What a command prints: a table for people, one JSON object for programs.

use anyhow::Result;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use serde::Serialize;

/// Prints `value` as one JSON object on stdout.
pub fn json(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// One line under the heads, and nothing else.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with these column heads; numbers are right-aligned from column `numbers_from` on.
pub fn table<const N: usize>(heads: [&str; N], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(heads);
    for column in table.column_iter_mut().skip(numbers_from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Prints facts about one thing, a line each.
pub fn facts(facts: &[(&str, String)]) {
    let width = facts
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or_default();
    for (name, value) in facts {
        println!("{name:width$}  {value}");
    }
}

/// A number with its digits in groups of three.
pub fn grouped(number: impl TryInto<u128>) -> String {
    let digits = number
        .try_into()
        .map_or_else(|_| "?".to_owned(), |number| number.to_string());
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Progress of long work, on stderr and only where that is a terminal.
pub struct Progress(indicatif::ProgressBar);

impl Progress {
    /// Work of which only what it is at is known.
    pub fn spinner(name: &'static str) -> Self {
        let bar = indicatif::ProgressBar::new_spinner().with_prefix(name);
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Self(bar)
    }

    /// Work of so many parts.
    pub fn bar(name: &'static str, parts: usize) -> Self {
        Self(indicatif::ProgressBar::new(parts as u64).with_prefix(name))
    }

    /// Says what the work is at.
    pub fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// One part is done.
    pub fn advance(&mut self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
