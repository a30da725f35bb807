//! The power fails in every operation on the flash, over whole updates.
//!
//! After each cut the board starts anew and must run the plan that it had or the new one, with its
//! key and its releases; the update is then done again and must succeed.

use crate::client::{checked, on_board, package, pair, signed, state, transfer, trust, update};
use crate::flash::{Cut, Nor, Operation, Power, RECORD};
use core::cell::Cell;
use microtome_link::update::{Update, UpdateState};

/// How far the update was when the power failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Transfer,
    Activation,
    Confirmation,
    Done,
}

/// Does an update and notes how far it is.
async fn update_in_stages(host: &crate::common::Host<'_>, package: &[u8], stage: &Cell<Stage>) {
    stage.set(Stage::Transfer);
    transfer(host, package).await.expect("a transfer");
    crate::client::ask(host, Update::Trial)
        .await
        .expect("a sound package");
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
        _ => vec![0, 1, 63, 64, last / 2, last - 1, last],
    }
}

/// What must hold of the board after a cut; returns how it stands.
fn restart(nor: &mut Nor, old: u64, stage: Stage, what: &str) -> UpdateState {
    let power = Power::default();
    let updates = on_board(nor, &power, async |host| {
        let identity = checked(host).await;
        identity.updates.expect("it has flash")
    });
    let updates = updates.expect("the power is on");
    let new = old + 1;
    let may_be = match stage {
        Stage::Transfer | Stage::Activation => vec![old],
        Stage::Confirmation => vec![old, new],
        Stage::Done => vec![new],
    };
    assert!(may_be.contains(&updates.release), "{what}: {updates:?}");
    assert_eq!(updates.release_confirmed, updates.release, "{what}");
    assert_eq!(updates.key, Some(*pair(1).pk), "{what}");
    assert!(updates.is_confirmed, "{what}");
    updates
}

#[test]
fn the_power_may_fail_at_any_byte() {
    let key = pair(1);
    let package = |release| signed(package(release), &key);
    let mut nor = Nor::erased();
    on_board(&mut nor, &Power::default(), async |host| {
        trust(host, None, &key).await.expect("no key before");
    });
    let (mut cuts, mut rolled_back, mut went_through) = (0, 0, 0);
    // Enough updates for the record to fill its sectors more than once.
    for old in 0..6 {
        let package = package(old + 1);
        let (whole, stage) = (Power::default(), Cell::new(Stage::Transfer));
        let mut after = nor.clone();
        on_board(&mut after, &whole, async |host| {
            update_in_stages(host, &package, &stage).await;
        });
        assert_eq!(stage.get(), Stage::Done);
        for (operation, done) in whole.operations().iter().enumerate() {
            for byte in bytes(done) {
                let mut cut_off = nor.clone();
                let power = Power::failing_at(Cut { operation, byte });
                on_board(&mut cut_off, &power, async |host| {
                    update_in_stages(host, &package, &stage).await;
                });
                assert!(power.is_off());
                let what = format!("{old}: {operation} {done:?}, byte {byte}");
                let updates = restart(&mut cut_off, old, stage.get(), &what);
                cuts += 1;
                went_through += usize::from(updates.release > old);
                rolled_back += usize::from(updates.rolled_back.is_some());
                on_board(&mut cut_off, &Power::default(), async |host| {
                    update(host, &package).await.expect("an update");
                    checked(host).await;
                });
            }
        }
        nor = after;
    }
    println!("{cuts} cuts: {went_through} went through, {rolled_back} were rolled back");
    assert!(cuts > 1000 && went_through > 0 && rolled_back > 0);
}
