//! The power fails in every operation on the flash, over whole updates.
//!
//! After each cut the board starts anew and must run the plan that it had or the new one, with its
//! key and its releases; the update is then done again and must succeed.

use crate::client::{
    ask, checked, on_board, package, pair, signed, state, transfer, trust, update,
};
use crate::common::Host;
use crate::flash::{Cut, Nor, Operation, Power, RECORD};
use core::cell::Cell;
use microtome_link::update::{RolledBack, Update, UpdateState};

/// How far the update was when the power failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Transfer,
    Activation,
    Confirmation,
    Done,
}

/// Does an update and notes how far it is.
async fn update_in_stages(host: &Host<'_>, package: &[u8], stage: &Cell<Stage>) {
    stage.set(Stage::Transfer);
    transfer(host, package).await.expect("a transfer");
    ask(host, Update::Trial).await.expect("a sound package");
    stage.set(Stage::Activation);
    state(host, Update::Activate).await.expect("tried");
    stage.set(Stage::Confirmation);
    state(host, Update::Confirm).await.expect("active");
    stage.set(Stage::Done);
}

/// The bytes of an operation in which the power is cut: each one of the record's, a sample of a
/// slot's.
fn bytes(operation: &Operation) -> Vec<usize> {
    let last = operation.bytes - 1;
    match operation.part {
        RECORD => (0..=last).collect(),
        _ => (0..last).step_by(61).chain([1, last - 1, last]).collect(),
    }
}

/// Runs `script` on a board once for each place in which the power may fail meanwhile, and hands
/// what is then in the flash to `check`, with the place. Returns their number, and the flash without a cut.
fn at_each_cut(
    nor: &Nor,
    script: impl AsyncFn(&Host<'_>),
    mut check: impl FnMut(Nor, &str),
) -> (usize, Nor) {
    let (whole, mut after) = (Power::default(), nor.clone());
    on_board(&mut after, &whole, &script);
    let mut cuts = 0;
    for (operation, done) in whole.operations().iter().enumerate() {
        for byte in bytes(done) {
            let mut cut_off = nor.clone();
            let power = Power::failing_at(Cut { operation, byte });
            on_board(&mut cut_off, &power, &script);
            assert!(power.is_off());
            check(cut_off, &format!("{operation} {done:?}, byte {byte}"));
            cuts += 1;
        }
    }
    (cuts, after)
}

/// How the board stands when it starts anew: with the key, and with a plan that runs and stays.
fn restarted(nor: &mut Nor, what: &str) -> UpdateState {
    let updates = on_board(nor, &Power::default(), async |host| {
        let identity = checked(host).await;
        identity.updates.expect("it has flash")
    });
    let updates = updates.expect("the power is on");
    assert_eq!(updates.release_confirmed, updates.release, "{what}");
    assert_eq!(updates.key, Some(*pair(1).pk), "{what}");
    assert!(updates.is_confirmed, "{what}");
    updates
}

/// A flash whose record has a key.
fn with_key() -> Nor {
    let mut nor = Nor::erased();
    on_board(&mut nor, &Power::default(), async |host| {
        trust(host, None, &pair(1)).await.expect("no key before");
    });
    nor
}

fn signed_package(release: u64) -> Vec<u8> {
    signed(package(release), &pair(1))
}

#[test]
fn the_power_may_fail_at_any_byte_of_an_update() {
    let mut nor = with_key();
    let (mut cuts, mut rolled_back, mut went_through) = (0, 0, 0);
    // Enough updates for the record to fill its sectors more than once.
    for old in 0..6 {
        let (package, stage) = (signed_package(old + 1), Cell::new(Stage::Transfer));
        let script = async |host: &Host<'_>| update_in_stages(host, &package, &stage).await;
        let (count, after) = at_each_cut(&nor, script, |mut cut_off, what| {
            let updates = restarted(&mut cut_off, what);
            let may_be = match stage.get() {
                Stage::Transfer | Stage::Activation => vec![old],
                Stage::Confirmation => vec![old, old + 1],
                Stage::Done => vec![old + 1],
            };
            assert!(may_be.contains(&updates.release), "{what}: {updates:?}");
            went_through += usize::from(updates.release > old);
            rolled_back += usize::from(updates.rolled_back.is_some());
            on_board(&mut cut_off, &Power::default(), async |host| {
                update(host, &package).await.expect("an update");
                checked(host).await;
            });
        });
        cuts += count;
        nor = after;
    }
    println!("{cuts} cuts: {went_through} went through, {rolled_back} were rolled back");
    assert!(cuts > 1000 && went_through > 0 && rolled_back > 0);
}

#[test]
fn the_power_may_fail_at_any_byte_of_the_way_back() {
    let (mut nor, mut cuts) = (with_key(), 0);
    for release in 1..5 {
        let package = signed_package(release);
        let activates = async |host: &Host<'_>| {
            transfer(host, &package).await.expect("a transfer");
            ask(host, Update::Trial).await.expect("a sound package");
            state(host, Update::Activate).await.expect("tried");
        };
        let starts = async |host: &Host<'_>| drop(checked(host).await);
        let aborts = async |host: &Host<'_>| {
            activates(host).await;
            state(host, Update::Abort).await.expect("active");
        };
        let mut check = |mut cut_off: Nor, what: &str| {
            assert_eq!(restarted(&mut cut_off, what).release, release - 1);
        };
        let mut pending = nor.clone();
        on_board(&mut pending, &Power::default(), activates);
        let (count, mut left) = at_each_cut(&pending, starts, &mut check);
        let rolled_back = restarted(&mut left, "no cut").rolled_back;
        assert_eq!(rolled_back, Some(RolledBack::Unconfirmed { release }));
        cuts += count;
        let (count, mut left) = at_each_cut(&nor, aborts, &mut check);
        let rolled_back = restarted(&mut left, "no cut").rolled_back;
        assert_eq!(rolled_back, Some(RolledBack::Aborted { release }));
        cuts += count;
        on_board(&mut nor, &Power::default(), async |host| {
            update(host, &package).await.expect("an update");
        });
    }
    println!("{cuts} cuts");
    assert!(cuts > 400);
}

#[test]
fn the_power_may_fail_at_any_byte_of_a_change_of_key() {
    let (mut nor, mut cuts) = (with_key(), 0);
    for seed in 1..6 {
        let (old, new) = (pair(seed), pair(seed + 1));
        let script = async |host: &Host<'_>| {
            trust(host, Some(&old), &new).await.expect("by the owner");
        };
        let (count, after) = at_each_cut(&nor, script, |mut cut_off, what| {
            let key = on_board(&mut cut_off, &Power::default(), async |host| {
                let updates = checked(host).await.updates.expect("it has flash");
                updates.key.expect("a key")
            });
            let key = key.expect("the power is on");
            assert!([*old.pk, *new.pk].contains(&key), "{what}");
        });
        cuts += count;
        nor = after;
    }
    println!("{cuts} cuts");
    assert!(cuts > 200);
}

#[test]
fn the_power_may_fail_again_and_again() {
    let (mut nor, mut release, mut cuts) = (with_key(), 0, 0);
    let mut state = 0x9E37_79B9_u32;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % below
    };
    for round in 0..3000 {
        // What one failure leaves is what the next one meets: on the way there, and on the way back.
        let (package, stage) = (signed_package(release + 1), Cell::new(Stage::Transfer));
        let (operation, byte) = (random(18), random(64));
        let power = Power::failing_at(Cut { operation, byte });
        on_board(&mut nor, &power, async |host| {
            update_in_stages(host, &package, &stage).await;
        });
        cuts += usize::from(power.is_off());
        let (operation, byte) = (random(8), random(64));
        let power = Power::failing_at(Cut { operation, byte });
        on_board(&mut nor, &power, async |host| drop(checked(host).await));
        cuts += usize::from(power.is_off());
        let after = restarted(&mut nor, &format!("round {round}")).release;
        assert!(after == release || (after == release + 1 && stage.get() >= Stage::Confirmation));
        assert!(stage.get() < Stage::Done || after == release + 1);
        release = after;
    }
    println!("{cuts} cuts, {release} updates");
    assert!(cuts > 2000 && release > 100);
}
