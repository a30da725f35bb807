//! Short versions of the attacks whose long ones `docs/reliability.md` reports: real boards and the
//! real daemon as processes, faults between them, and nothing lost, double or wrong.
//!
//! `cargo xtask soak …` makes the same attacks with any force.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_soak::attacks::{Load, clock, disk, fleet, flood, kill, slow, wire};
use microtome_soak::damage::Rates;
use microtome_soak::{Attack, Setup};
use std::sync::{Mutex, PoisonError};
use support::{emulated, skip};

/// Attacks are made one after another: each uses the whole computer.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn attack(board: &str, attack: &Attack) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let setup = Setup {
        microtome: Some(env!("CARGO_BIN_EXE_microtome").into()),
        board: board.to_owned(),
        firmware: None,
        seed: 1,
        keep: None,
    };
    let row = attack
        .run(&setup)
        .unwrap_or_else(|error| panic!("{error:#}"));
    assert!(row.is_clean(), "{row:?}");
    assert!(row.results > 0, "{row:?}");
}

const LOAD: Load = Load {
    boards: 3,
    seconds: 4,
};

/// So bad that a short run meets every fault.
const BAD: Rates = Rates {
    flips: 2e-5,
    drops: 2e-5,
    doubles: 5e-3,
    cuts: 5e-3,
    floods: 5e-3,
    stalls: 5e-3,
    resets: 0.3,
};

#[test]
fn bad_wires() {
    let args = wire::Args {
        load: LOAD,
        rates: BAD,
    };
    attack("sim", &Attack::Wire(args));
}

#[test]
fn bad_wires_of_an_emulated_board() {
    let Some(board) = emulated("soak: bad wires").into_iter().next() else {
        return;
    };
    let args = wire::Args {
        load: Load {
            boards: 1,
            seconds: 8,
        },
        rates: BAD,
    };
    attack(&board, &Attack::Wire(args));
}

#[test]
fn many_boards_and_a_daemon_that_does_not_grow() {
    let args = fleet::Args {
        boards: 12,
        seconds: 12,
        asks_every: 4,
        // The database's cache fills in this time; the long attack holds the tight bound.
        growth_kib_max: 24 << 10,
    };
    attack("sim", &Attack::FleetOfBoards(args));
}

#[test]
fn a_daemon_that_is_killed() {
    let args = kill::Args {
        kills: 8,
        boards: 2,
    };
    attack("sim", &Attack::KillDaemon(args));
}

#[test]
fn boards_that_are_killed() {
    let args = kill::Args {
        kills: 6,
        boards: 6,
    };
    attack("sim", &Attack::KillBoard(args));
}

#[test]
fn a_daemon_and_boards_that_are_killed() {
    let args = kill::Args {
        kills: 4,
        boards: 4,
    };
    attack("sim", &Attack::KillBoth(args));
}

#[test]
fn a_full_disk() {
    let args = disk::Args {
        load: LOAD,
        full_s: 1,
    };
    attack("sim", &Attack::DiskFull(args));
}

#[test]
fn a_clock_that_is_set() {
    if clock::library().is_none() {
        return skip(
            "soak: clock steps",
            "there is no libfaketime; install it (apt)",
        );
    }
    let args = clock::Args {
        load: LOAD,
        period_ms: 700,
    };
    attack("sim", &Attack::ClockSteps(args));
}

#[test]
fn a_host_that_stands_still() {
    let args = slow::Args {
        load: LOAD,
        stop_ms_max: 1000,
    };
    attack("sim", &Attack::SlowHost(args));
}

#[test]
fn devices_that_flood() {
    let args = flood::Args {
        load: LOAD,
        growth_kib_max: 24 << 10,
    };
    attack("sim", &Attack::Flood(args));
}
