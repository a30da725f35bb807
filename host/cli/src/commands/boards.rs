//! `microtome boards`: what is supported.

use crate::report::{self, grouped};
use anyhow::Result;
use serde::Serialize;

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    description: &'a str,
    arch: &'a str,
    target: Option<&'a str>,
    arena_bytes: u64,
    emulated: bool,
}

pub fn run(json: bool) -> Result<()> {
    let entries = microtome_board::boards().iter().map(|board| Entry {
        name: &board.name,
        description: &board.description,
        arch: &board.arch,
        target: board.firmware.target.as_deref(),
        arena_bytes: board.memory.arena_bytes,
        emulated: board.is_emulated(),
    });
    let entries: Vec<Entry<'_>> = entries.collect();
    if json {
        return report::json(&serde_json::json!({ "boards": entries }));
    }
    let mut table = report::table(["board", "arch", "what it is", "arena, B"], 3);
    for board in entries {
        table.add_row([
            board.name,
            board.arch,
            board.description,
            &grouped(board.arena_bytes),
        ]);
    }
    println!("{table}");
    Ok(())
}
