//! What came of an attack.

use crate::bench::Bench;
use crate::judge::Verdict;
use comfy_table::{LineStyle, Table, TableStyle};
use serde::Serialize;
use std::collections::BTreeMap;

/// One attack and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The attack.
    pub test: &'static str,
    /// Boards and duration.
    pub load: String,
    /// What was done, and how often.
    pub faults: BTreeMap<&'static str, u64>,
    /// Results in the journal.
    pub results: u64,
    /// Results that must be there and are not; frames without one.
    pub lost: u64,
    /// Results or frames that are there more than once.
    pub duplicated: u64,
    /// Results whose content is not right; breaks of the chain; other promises that were broken.
    pub wrong: u64,
    /// What else is worth knowing.
    pub notes: BTreeMap<&'static str, u64>,
    /// The first thing that is not as it should be.
    pub first_fault: Option<String>,
}

impl Row {
    /// The row of an attack on `bench`.
    pub fn new(test: &'static str, load: String, bench: &Bench, verdict: Verdict) -> Self {
        let named = bench.faults().named();
        let mut row = Self {
            test,
            load,
            faults: named.into_iter().filter(|(_, count)| *count > 0).collect(),
            results: verdict.results,
            lost: verdict.lost,
            duplicated: verdict.duplicated,
            wrong: verdict.wrong,
            notes: BTreeMap::new(),
            first_fault: verdict.first_fault,
        };
        if verdict.gone > 0 {
            row.notes.insert("gone with a board's memory", verdict.gone);
        }
        row
    }

    /// The same with a further fault.
    #[must_use]
    pub fn with(mut self, fault: &'static str, count: u64) -> Self {
        self.faults.insert(fault, count);
        self
    }

    /// The same with a note.
    #[must_use]
    pub fn note(mut self, name: &'static str, value: u64) -> Self {
        self.notes.insert(name, value);
        self
    }

    /// The same, wrong if a promise was not kept.
    #[must_use]
    pub fn demand(mut self, is_kept: bool, what: impl FnOnce() -> String) -> Self {
        if !is_kept {
            self.wrong += 1;
            self.first_fault.get_or_insert_with(what);
        }
        self
    }

    /// Whether nothing is lost, double or wrong.
    pub fn is_clean(&self) -> bool {
        (self.lost, self.duplicated, self.wrong) == (0, 0, 0)
    }
}

/// One line under the heads, and nothing else.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Prints the row on stdout.
pub fn print(row: &Row, json: bool) {
    if json {
        println!("{}", serde_json::json!(row));
        return;
    }
    let list = |counts: &BTreeMap<&str, u64>| {
        let each = counts.iter().map(|(name, count)| format!("{count} {name}"));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header([
        "test", "load", "faults", "results", "lost", "double", "wrong", "notes",
    ]);
    table.add_row([
        row.test.to_owned(),
        row.load.clone(),
        list(&row.faults),
        row.results.to_string(),
        row.lost.to_string(),
        row.duplicated.to_string(),
        row.wrong.to_string(),
        list(&row.notes),
    ]);
    println!("{table}");
}
