//! What the ledger has of a device.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use microtome_journal::Hash;
use microtome_journal::record::{Clock, Latency, Origin};
use microtome_ledger::account::{EVENTS_MAX, WINDOWS_MAX};
use microtome_ledger::{Account, Cause, Ledger, Leg};
use std::time::Duration;
use support::record;

const MINUTE_US: u64 = 60_000_000;

fn account() -> Account {
    Account::new(MINUTE_US)
}

#[test]
fn legs_have_percentiles_and_frames_are_counted() {
    let mut account = account();
    for sequence in 0..1000 {
        let mut record = record(sequence, sequence);
        record.latency_us.total = 1 + sequence;
        if sequence % 4 == 0 {
            record.origin = Origin::Host;
            record.latency_us.queue = Some(77);
        }
        record.missed = u32::from(sequence % 10 == 9);
        account.record(&record);
    }
    account.lose(2);
    let snapshot = account.snapshot();
    let counts = snapshot.counts;
    assert_eq!((counts.results, counts.offloaded), (1000, 250));
    assert_eq!((counts.missed, counts.lost), (100, 2));
    let total = snapshot.latency_us.get(Leg::Total).unwrap();
    assert_eq!((total.count, total.max), (1000, 1000));
    for (found, exact) in [
        (total.p50, 500),
        (total.p90, 900),
        (total.p99, 990),
        (total.p99_9, 999),
    ] {
        assert!(found >= exact && (found - exact) * 100 <= exact, "{found}");
    }
    let queue = snapshot.latency_us.get(Leg::Queue).unwrap();
    assert_eq!((queue.count, queue.p50, queue.max), (250, 77, 77));
    assert_eq!(snapshot.latency_us.get(Leg::Signal), &None);
    let json = serde_json::to_value(&snapshot).unwrap();
    assert_eq!(json["latency_us"]["total"]["p99.9"], total.p99_9);
    assert!(json["latency_us"].get("signal").is_none());
}

#[test]
fn a_time_beyond_all_bounds_is_the_longest_and_costs_no_memory() {
    let mut account = account();
    let mut long = record(0, 0);
    long.latency_us.total = u64::MAX;
    account.record(&long);
    let total = *account.snapshot().latency_us.get(Leg::Total);
    assert_eq!(total.unwrap().max, u64::MAX);
}

#[test]
fn windows_are_minutes_of_the_hosts_clock_and_bounded_in_number() {
    let mut account = account();
    let minutes = 3 * WINDOWS_MAX as u64;
    for minute in 0..minutes {
        for second in [0, 59] {
            let sequence = 2 * minute + u64::from(second == 59);
            let mut record = record(sequence, minute * MINUTE_US + second * 1_000_000);
            record.latency_us.total = 1000 + minute;
            account.record(&record);
        }
    }
    assert_eq!(account.windows().count(), WINDOWS_MAX);
    assert!(account.windows().all(|window| window.counts.results == 2));
    let snapshot = account.snapshot();
    let total = |window: &microtome_ledger::Window| window.latency_us.get(Leg::Total).unwrap().max;
    assert_eq!(total(snapshot.best.as_ref().unwrap()), 1000);
    // The last minute is not over.
    assert_eq!(total(snapshot.last.as_ref().unwrap()), 1000 + minutes - 2);
    assert_eq!(snapshot.worst, snapshot.last);
    assert_eq!(snapshot.last.unwrap().begin_us % MINUTE_US, 0);
}

#[test]
fn a_clock_that_is_set_begins_another_window() {
    let mut account = account();
    let hour_us = 60 * MINUTE_US;
    // A result of the minute before that comes late belongs to the one at hand.
    let minute_us = 2 * hour_us;
    for at_us in [minute_us, minute_us - 1, hour_us, hour_us + 1, 3 * hour_us] {
        account.record(&record(0, at_us));
    }
    account.close();
    let counts: Vec<_> = account.windows().map(|it| it.counts.results).collect();
    assert_eq!(counts, [2, 2, 1]);
}

#[test]
fn results_that_are_missing_in_the_record_are_lost() {
    let mut account = account();
    for sequence in [5, 6, 9, 9, 10] {
        account.record(&record(sequence, 0));
    }
    let mut other = record(100, 0);
    other.boot = "00000000000000bb".to_owned();
    account.record(&other);
    assert_eq!(account.snapshot().counts.lost, 2);
}

#[test]
fn another_provenance_ends_alarms_and_begins_another_baseline() {
    let mut account = account();
    let mut events = Vec::new();
    let mut sequence = 0;
    for (minutes, total, source) in [(40, 5000, b"a"), (15, 9000, b"a"), (60, 9000, b"b")] {
        for _ in 0..minutes * 10 {
            let mut record = record(sequence, sequence * MINUTE_US / 10);
            record.provenance = Hash::of(source);
            record.latency_us.total = total;
            events.extend(account.record(&record));
            sequence += 1;
        }
    }
    let found: Vec<_> = events
        .iter()
        .map(|event| (event.alarm.leg, event.cause))
        .collect();
    assert_eq!(
        found,
        [
            (Leg::Total, Cause::Raised),
            (Leg::Total, Cause::OtherSource)
        ]
    );
    let snapshot = account.snapshot();
    assert_eq!(snapshot.events, events);
    assert!(snapshot.alarms.is_empty() && snapshot.events.len() <= EVENTS_MAX);
}

#[test]
fn the_rate_of_the_boards_clock_is_found() {
    let mut account = account();
    for minute in 0..120_u64 {
        for second in 0..60 {
            let at_us = minute * MINUTE_US + second * 1_000_000;
            let mut record = record(minute * 60 + second, at_us);
            // The board gains 40 µs a second; some comparisons are poor.
            let uncertainty_us = if second % 7 == 0 { 90 } else { 5000 };
            let gained_us = (at_us * 40 / 1_000_000).cast_signed();
            record.clock = Some(Clock {
                offset_us: 1_000_000_000 - gained_us + uncertainty_us as i64 / 2,
                uncertainty_us,
            });
            account.record(&record);
        }
    }
    let clock = account.snapshot().clock.unwrap();
    assert!(
        (clock.ppm - 40.0).abs() <= clock.uncertainty_ppm,
        "{clock:?}"
    );
    assert!(
        clock.uncertainty_ppm < 0.1 && clock.over_s > 3000.0,
        "{clock:?}"
    );
    // A clock that is set is no clock that runs away.
    let mut set = record(0, 121 * MINUTE_US);
    set.clock = Some(Clock {
        offset_us: 5_000_000_000,
        uncertainty_us: 90,
    });
    account.record(&set);
    account.close();
    assert_eq!(account.snapshot().clock, None);
}

#[test]
fn devices_are_apart_and_windows_end_without_results() {
    let ledger = Ledger::new(Duration::from_secs(60));
    let mut slow = record(0, 0);
    slow.latency_us = Latency {
        total: 1_000_000,
        ..Latency::default()
    };
    ledger.record("slow", &slow);
    ledger.record("quick", &record(0, 0));
    ledger.lose("slow", 3);
    let now_us = slow.host_time_us + MINUTE_US;
    assert_eq!(ledger.end_windows(now_us), []);
    let snapshots = ledger.snapshots();
    assert_eq!(snapshots.len(), 2);
    assert_eq!(snapshots["slow"].counts.lost, 3);
    let total = ledger.windows("quick")[0]
        .latency_us
        .get(Leg::Total)
        .unwrap();
    assert_eq!(total.max, 910);
    assert_eq!(ledger.snapshot("none"), None);
}
