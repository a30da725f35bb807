//! Packages and flash of which any byte may be wrong.

use crate::client::{ask, checked, on_board, package, pair, signed, transfer, trust, update};
use crate::flash::{Nor, Power, RECORD, SECTOR};
use microtome_link::update::{PlanSource, RolledBack, Update, UpdateRefusal};
use microtome_update::HEADER_LEN;

#[test]
fn a_package_with_any_byte_flipped_is_refused() {
    let key = pair(1);
    let whole = signed(package(1), &key);
    for trusts in [false, true] {
        let (mut nor, power) = (Nor::erased(), Power::default());
        on_board(&mut nor, &power, async |host| {
            if trusts {
                trust(host, None, &key).await.expect("no key before");
            }
            for at in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                let refused = match transfer(host, &flipped).await {
                    Ok(_) => ask(host, Update::Trial).await.err(),
                    Err(refusal) => Some(refusal),
                };
                assert!(refused.is_some(), "byte {at}");
                let refused = ask(host, Update::Activate).await;
                assert_eq!(refused, Err(UpdateRefusal::NotTried), "byte {at}");
            }
            let updates = checked(host).await.updates.expect("it has flash");
            assert_eq!(updates.release, 0);
            update(host, &whole).await.expect("an update");
        });
    }
}

#[test]
fn a_slot_with_any_byte_flipped_is_left_for_the_plan_before_it() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    let (first, second) = (package(1), package(2));
    on_board(&mut nor, &power, async |host| {
        update(host, &first).await.expect("an update");
        update(host, &second).await.expect("an update");
    });
    // Whose signature it was has been settled when it came.
    for at in (0..96).chain(HEADER_LEN..second.len()) {
        let mut flipped = nor.clone();
        flipped.part(1)[at] ^= 1 << (at % 8);
        on_board(&mut flipped, &power, async |host| {
            let updates = checked(host).await.updates.expect("it has flash");
            assert_eq!((updates.source, updates.release), (PlanSource::A, 1));
            let rolled_back = RolledBack::Unusable { release: 2 };
            assert_eq!(updates.rolled_back, Some(rolled_back), "byte {at}");
        });
    }
    // With neither slot there is the factory's.
    for part in [0, 1] {
        nor.part(part)[700] ^= 0x40;
    }
    on_board(&mut nor, &power, async |host| {
        let updates = checked(host).await.updates.expect("it has flash");
        assert_eq!(updates.source, PlanSource::Factory);
        // And the way out is an update.
        update(host, &package(3)).await.expect("an update");
        checked(host).await;
    });
}

#[test]
fn a_record_with_any_byte_flipped_leaves_a_board_that_runs() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    on_board(&mut nor, &power, async |host| {
        for release in 1..4 {
            update(host, &package(release)).await.expect("an update");
        }
    });
    for at in 0..2 * SECTOR {
        let mut flipped = nor.clone();
        flipped.part(RECORD)[at] ^= 1 << (at % 8);
        on_board(&mut flipped, &power, async |host| {
            checked(host).await;
        });
    }
}
