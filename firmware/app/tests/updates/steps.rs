//! What an update does when nothing goes wrong, and when only the line or the host does.

use crate::client::{
    ask, begin, checked, limit, limit_of, on_board, package, pair, rest, send, signed, state,
    transfer, trust, update,
};
use crate::flash::{Nor, Power, SECTOR};
use microtome_link::update::{PlanSource, RolledBack, Update, UpdateRefusal, Updated};

#[test]
fn a_new_plan_runs_when_it_is_activated_and_stays_when_it_is_confirmed() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    on_board(&mut nor, &power, async |host| {
        let updates = checked(host).await.updates.expect("it has flash");
        assert_eq!((updates.source, updates.release), (PlanSource::Factory, 0));
        assert!(updates.is_confirmed);
        let package = package(1);
        assert_eq!(transfer(host, &package).await, Ok(0));
        let tried = ask(host, Update::Trial).await;
        assert!(matches!(tried, Ok(Updated::Tried { vectors: 2, .. })));
        // The trial leaves the plan that runs as it was.
        assert_eq!(checked(host).await.updates.map(|it| it.release), Some(0));
        let activated = state(host, Update::Activate).await.expect("tried");
        assert_eq!((activated.source, activated.release), (PlanSource::A, 1));
        assert!(!activated.is_confirmed);
        checked(host).await;
        let confirmed = state(host, Update::Confirm).await.expect("active");
        assert!(confirmed.is_confirmed);
        assert_eq!(confirmed.release_confirmed, 1);
    });
    for (release, source) in [(2, PlanSource::B), (3, PlanSource::A), (4, PlanSource::B)] {
        on_board(&mut nor, &power, async |host| {
            let before = checked(host).await.updates.expect("it has flash");
            assert_eq!(before.release, release - 1);
            let after = update(host, &package(release)).await.expect("an update");
            assert_eq!((after.source, after.release), (source, release));
            assert_eq!(checked(host).await.updates, Some(after));
        });
    }
}

#[test]
fn a_plan_that_is_not_confirmed_is_left_at_the_next_start() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    for (release, source) in [(1, PlanSource::Factory), (2, PlanSource::A)] {
        on_board(&mut nor, &power, async |host| {
            transfer(host, &package(release)).await.expect("a transfer");
            ask(host, Update::Trial).await.expect("a sound package");
            state(host, Update::Activate).await.expect("tried");
            assert_eq!(limit_of(host).await, limit(release));
        });
        on_board(&mut nor, &power, async |host| {
            let after = checked(host).await.updates.expect("it has flash");
            assert_eq!((after.source, after.release), (source, release - 1));
            let rolled_back = Some(RolledBack::Unconfirmed { release });
            assert_eq!((after.rolled_back, after.is_confirmed), (rolled_back, true));
            // The package is still there: all that is missing is its trial.
            let package = package(release);
            assert_eq!(begin(host, &package).await, Ok(package.len()));
            let after = update(host, &package).await.expect("an update");
            assert_eq!((after.release, after.rolled_back), (release, None));
        });
    }
}

#[test]
fn what_is_under_way_can_be_aborted() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    on_board(&mut nor, &power, async |host| {
        let first = package(1);
        update(host, &first).await.expect("an update");
        let second = package(2);
        transfer(host, &second).await.expect("a transfer");
        let aborted = state(host, Update::Abort).await.expect("open");
        assert_eq!((aborted.release, aborted.rolled_back), (1, None));
        let refused = ask(host, Update::Trial).await;
        assert_eq!(refused, Err(UpdateRefusal::Incomplete { bytes: 0 }));
        // It is gone.
        assert_eq!(transfer(host, &second).await, Ok(0));
        ask(host, Update::Trial).await.expect("a sound package");
        state(host, Update::Activate).await.expect("tried");
        let aborted = state(host, Update::Abort).await.expect("active");
        let rolled_back = Some(RolledBack::Aborted { release: 2 });
        assert_eq!((aborted.release, aborted.rolled_back), (1, rolled_back));
        checked(host).await;
    });
}

#[test]
fn a_transfer_that_broke_off_goes_on() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    let package = package(1);
    on_board(&mut nor, &power, async |host| {
        begin(host, &package).await.expect("an open slot");
        send(host, &package, 0, SECTOR + 512).await;
        // Answered after the pieces before it.
        state(host, Update::State).await.expect("a state");
    });
    // The board has started anew; the next host sends only what is not safely there.
    on_board(&mut nor, &power, async |host| {
        let from = begin(host, &package).await;
        assert_eq!(from, Ok(SECTOR));
        assert_eq!(rest(host, &package, SECTOR).await, Ok(SECTOR));
        assert_eq!(begin(host, &package).await, Ok(package.len()));
        update(host, &package).await.expect("an update");
        checked(host).await;
    });
}

#[test]
fn another_package_does_not_go_on_where_one_broke_off() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    on_board(&mut nor, &power, async |host| {
        begin(host, &package(1)).await.expect("an open slot");
        send(host, &package(1), 0, SECTOR + 512).await;
        assert_eq!(transfer(host, &package(2)).await, Ok(0));
        update(host, &package(2)).await.expect("an update");
        checked(host).await;
    });
}

#[test]
fn keys_outlive_updates_and_are_changed_by_their_owner() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    let (first, second) = (pair(1), pair(2));
    on_board(&mut nor, &power, async |host| {
        let trusted = trust(host, None, &first).await.expect("no key before");
        assert_eq!(trusted.key, Some(*first.pk));
        let signed_by_first = signed(package(1), &first);
        update(host, &signed_by_first).await.expect("signed");
    });
    on_board(&mut nor, &power, async |host| {
        let identity = checked(host).await;
        assert_eq!(identity.updates.and_then(|it| it.key), Some(*first.pk));
        let trusted = trust(host, Some(&first), &second)
            .await
            .expect("by the owner");
        assert_eq!(trusted.key, Some(*second.pk));
        let refused = update(host, &signed(package(2), &first)).await;
        assert_eq!(refused, Err(UpdateRefusal::OtherKey));
        update(host, &signed(package(2), &second))
            .await
            .expect("signed");
    });
}
