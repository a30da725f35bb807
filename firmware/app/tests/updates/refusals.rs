//! What is refused, by name; the plan that runs goes on.

use crate::client::{
    ask, begin, begin_with, checked, limit, on_board, on_board_with, package, package_of, pair,
    plan, send, signed, state, transfer, trust, update,
};
use crate::common::{Host, LEN, Setup, with_board};
use crate::flash::{Nor, Power};
use microtome_kernels::reference::clamp::Clamp;
use microtome_link::message::{Acquisition, Mode, PIECE_LEN_MAX, Piece, Refusal};
use microtome_link::update::{PlanSource, RolledBack, Update, UpdateRefusal};
use microtome_link::{ToBoard, ToHost};
use microtome_plan::{
    ArenaAt, Element, Manifest, ModelType, OperandAt, PlanBuf, Port, Step, Target, Task,
};
use microtome_update::HEADER_LEN;

/// Runs `script` on a board with erased flash.
fn on_erased(script: impl AsyncFn(&Host<'_>)) {
    on_board(&mut Nor::erased(), &Power::default(), script);
}

#[test]
fn a_board_without_flash_has_no_updates() {
    with_board(Setup::default(), 1, async |host| {
        assert_eq!(host.hello().await.updates, None);
        let refused = begin(&host, &package(1)).await;
        assert_eq!(refused, Err(UpdateRefusal::NoFlash));
        let refused = ask(&host, Update::State).await;
        assert_eq!(refused, Err(UpdateRefusal::NoFlash));
    });
}

#[test]
fn what_does_not_come_in_order_is_refused() {
    on_erased(async |host| {
        let package = package(1);
        let refused = ask(host, Update::Trial).await;
        assert_eq!(refused, Err(UpdateRefusal::Incomplete { bytes: 0 }));
        let refused = ask(host, Update::Activate).await;
        assert_eq!(refused, Err(UpdateRefusal::NotTried));
        let refused = ask(host, Update::Confirm).await;
        assert_eq!(refused, Err(UpdateRefusal::NothingToConfirm));

        let expected = UpdateRefusal::Piece { expected: 0 };
        for (offset, len) in [(512, 512), (0, 511), (0, 0), (u32::MAX, 512)] {
            assert_eq!(begin(host, &package).await, Ok(0));
            let data = &package[..len];
            let refused = ask(host, Update::Piece(Piece { offset, data })).await;
            assert_eq!(refused, Err(expected.clone()));
        }
        begin(host, &package).await.expect("an open slot");
        send(host, &package, 0, 1024).await;
        let refused = ask(host, Update::Trial).await;
        assert_eq!(refused, Err(UpdateRefusal::Incomplete { bytes: 1024 }));
        update(host, &package).await.expect("an update");
        checked(host).await;
    });
}

#[test]
fn pieces_after_a_refused_one_are_left() {
    on_erased(async |host| {
        let package = package(1);
        begin(host, &package).await.expect("an open slot");
        let data = &package[512..1024];
        let refused = ask(host, Update::Piece(Piece { offset: 512, data })).await;
        assert_eq!(refused, Err(UpdateRefusal::Piece { expected: 0 }));
        send(host, &package, 0, package.len()).await;
        let refused = ask(host, Update::Trial).await;
        assert_eq!(refused, Err(UpdateRefusal::Incomplete { bytes: 0 }));
    });
}

#[test]
fn a_trial_is_for_what_is_in_the_slot() {
    on_erased(async |host| {
        transfer(host, &package(1)).await.expect("a transfer");
        ask(host, Update::Trial).await.expect("a sound package");
        transfer(host, &package(2)).await.expect("a transfer");
        let refused = ask(host, Update::Activate).await;
        assert_eq!(refused, Err(UpdateRefusal::NotTried));
    });
}

#[test]
fn outputs_other_than_the_packages_are_refused() {
    on_erased(async |host| {
        // The second vector has no value at which the clamps differ.
        let other = package_of(1, &plan(1), limit(2));
        transfer(host, &other).await.expect("a transfer");
        let refused = ask(host, Update::Trial).await;
        assert_eq!(refused, Err(UpdateRefusal::Golden { index: 0 }));
        let refused = ask(host, Update::Activate).await;
        assert_eq!(refused, Err(UpdateRefusal::NotTried));
        checked(host).await;
        // It does not stay to be tried again.
        assert_eq!(begin(host, &other).await, Ok(0));
    });
}

#[test]
fn a_plan_too_large_for_the_board_is_refused() {
    let setup = Setup {
        memory_len: 1808,
        ..Setup::default()
    };
    let mut nor = Nor::erased();
    on_board_with(setup, &mut nor, &Power::default(), async |host| {
        checked(host).await;
        let large = package_of(1, &wide_plan(), 100);
        transfer(host, &large).await.expect("a transfer");
        let refused = ask(host, Update::Trial).await;
        let Err(UpdateRefusal::Plan(fault)) = refused else {
            panic!("{refused:?}")
        };
        let expected = "the plan needs an arena of 2600 bytes, this one has 1808";
        assert_eq!(fault, expected);
        checked(host).await;
    });
}

/// The clamp with a larger arena than it needs.
fn wide_plan() -> PlanBuf {
    let port = |name, at| Port {
        name,
        at: ArenaAt(at),
        dims: [1, LEN].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0 / 256.0,
        zero: -128,
    };
    let (len, min, max) = (LEN, -128, 100);
    let step = Step {
        name: "wide",
        scale: 1.0 / 256.0,
        op: Clamp { len, min, max }.into(),
        inputs: [OperandAt::Arena(ArenaAt(0))].into_iter().collect(),
        outputs: [ArenaAt(LEN)].into_iter().collect(),
        state: heapless::Vec::new(),
        scratch: ArenaAt(0),
        constants: heapless::Vec::new(),
    };
    let manifest = Manifest {
        model: "wide",
        target: Target::Generic,
        arena_bytes: 2000,
        steps: 1,
        inputs: [port("in", 0)].into_iter().collect(),
        outputs: [port("out", LEN)].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    PlanBuf::new(&microtome_plan::encode(&manifest, &[step], &[])).expect("a valid plan")
}

#[test]
fn a_package_longer_than_a_slot_is_refused() {
    on_erased(async |host| {
        let mut header = package(1)[..HEADER_LEN].to_vec();
        header[16..20].copy_from_slice(&10_000_u32.to_le_bytes());
        let refused = begin(host, &header).await;
        let (bytes, room) = (192 + 10_000 + 2 * (600 + 32), 4096);
        assert_eq!(refused, Err(UpdateRefusal::TooLong { bytes, room }));
        let refused = begin(host, &header[..100]).await;
        assert!(matches!(refused, Err(UpdateRefusal::Package(_))));
        let refused = begin(host, &[0; HEADER_LEN]).await;
        assert!(matches!(refused, Err(UpdateRefusal::Package(_))));
    });
}

#[test]
fn a_downgrade_is_refused_unless_it_is_asked_for() {
    on_erased(async |host| {
        update(host, &package(5)).await.expect("an update");
        let (from, to) = (5, 3);
        let refused = begin(host, &package(3)).await;
        assert_eq!(refused, Err(UpdateRefusal::Downgrade { from, to }));
        // The same release is none.
        update(host, &package(5)).await.expect("an update");
        let older = package(3);
        assert_eq!(begin_with(host, &older, true).await, Ok(0));
        send(host, &older, 0, older.len()).await;
        host.receive(|message| assert!(matches!(message, ToHost::Updated(_))))
            .await;
        ask(host, Update::Trial).await.expect("a sound package");
        state(host, Update::Activate).await.expect("tried");
        let after = state(host, Update::Confirm).await.expect("active");
        assert_eq!((after.release, after.release_confirmed), (3, 3));
        checked(host).await;
    });
}

#[test]
fn with_a_key_only_its_signature_counts() {
    on_erased(async |host| {
        let (mine, other) = (pair(1), pair(2));
        // Without a key a signature must still hold.
        let mut spoiled = signed(package(1), &other);
        spoiled[130] ^= 1;
        let refused = begin(host, &spoiled).await;
        assert_eq!(refused, Err(UpdateRefusal::Signature));

        trust(host, None, &mine).await.expect("no key before");
        let refused = begin(host, &package(1)).await;
        assert_eq!(refused, Err(UpdateRefusal::Unsigned));
        let refused = begin(host, &signed(package(1), &other)).await;
        assert_eq!(refused, Err(UpdateRefusal::OtherKey));
        let mut forged = signed(package(1), &other);
        forged[96..128].copy_from_slice(&*mine.pk);
        let refused = begin(host, &forged).await;
        assert_eq!(refused, Err(UpdateRefusal::Signature));
        // A sound header does not let another package in.
        let sound = signed(package(1), &mine);
        begin(host, &sound).await.expect("signed");
        send(host, &package(1), 0, sound.len()).await;
        host.receive(|message| assert!(matches!(message, ToHost::Updated(_))))
            .await;
        let refused = ask(host, Update::Trial).await;
        assert_eq!(refused, Err(UpdateRefusal::Unsigned));
        update(host, &sound).await.expect("an update");
    });
}

#[test]
fn only_the_owner_of_the_key_changes_it() {
    on_erased(async |host| {
        let (mine, other) = (pair(1), pair(2));
        let refused = Err(UpdateRefusal::Signature);
        let weak = Update::Trust {
            key: [0xFF; 32],
            signature: &[],
        };
        assert_eq!(state(host, weak).await, refused);
        trust(host, None, &mine).await.expect("no key before");
        assert_eq!(trust(host, None, &other).await, refused);
        assert_eq!(trust(host, Some(&other), &other).await, refused);
        let none = Update::Trust {
            key: [0; 32],
            signature: &[7; 64],
        };
        assert_eq!(state(host, none).await, refused);
        let message = microtome_update::signature::message::trust(&mine.pk, &[0; 32]);
        let signature = mine.sk.sign(message, None);
        let none = Update::Trust {
            key: [0; 32],
            signature: &*signature,
        };
        assert_eq!(state(host, none).await.map(|it| it.key), Ok(None));
        // What was begun under another key is begun anew.
        let package = package(1);
        transfer(host, &package).await.expect("a transfer");
        ask(host, Update::Trial).await.expect("a sound package");
        trust(host, None, &mine).await.expect("no key before");
        let refused = ask(host, Update::Activate).await;
        assert_eq!(refused, Err(UpdateRefusal::NotTried));
    });
}

#[test]
fn an_unconfirmed_plan_keeps_the_one_before_it() {
    on_erased(async |host| {
        transfer(host, &package(1)).await.expect("a transfer");
        ask(host, Update::Trial).await.expect("a sound package");
        state(host, Update::Activate).await.expect("tried");
        let refused = begin(host, &package(2)).await;
        assert_eq!(refused, Err(UpdateRefusal::Unconfirmed));
        let refused = trust(host, None, &pair(1)).await;
        assert_eq!(refused, Err(UpdateRefusal::Unconfirmed));
    });
}

#[test]
fn results_that_are_not_stored_keep_the_plan_that_read_them() {
    on_erased(async |host| {
        transfer(host, &package(1)).await.expect("a transfer");
        ask(host, Update::Trial).await.expect("a sound package");
        acquire(host, 3).await;
        let refused = ask(host, Update::Activate).await;
        assert_eq!(refused, Err(UpdateRefusal::Held { results: 3 }));
        host.send(ToBoard::Stored { through: 2 }).await;
        state(host, Update::Activate).await.expect("all stored");
        // The numbers of results go on, and an unconfirmed plan is not left either.
        acquire(host, 1).await;
        let refused = ask(host, Update::Abort).await;
        assert_eq!(refused, Err(UpdateRefusal::Held { results: 1 }));
        host.send(ToBoard::Stored { through: 3 }).await;
        state(host, Update::Abort).await.expect("all stored");
    });
}

/// Acquires so many frames.
async fn acquire(host: &Host<'_>, frames: u32) {
    let (period_us, offload, deadline_ms) = (0, false, 1000);
    host.send(ToBoard::Start(Acquisition {
        frames,
        period_us,
        offload,
        deadline_ms,
        mode: Mode::Rate,
    }))
    .await;
    let mut results = 0;
    loop {
        let stopped = host.receive(|message| match message {
            ToHost::Result(_) => {
                results += 1;
                false
            }
            ToHost::Stopped { .. } => true,
            other => panic!("unexpected: {other:?}"),
        });
        if stopped.await {
            assert_eq!(results, frames);
            return;
        }
    }
}

#[test]
fn a_board_that_acquires_is_busy() {
    on_erased(async |host| {
        let acquisition = Acquisition {
            frames: 0,
            period_us: 1000,
            offload: false,
            deadline_ms: 1000,
            mode: Mode::Rate,
        };
        host.send(ToBoard::Start(acquisition)).await;
        host.send(ToBoard::Update(Update::State)).await;
        let data = &[0; PIECE_LEN_MAX];
        let piece = Piece { offset: 0, data };
        host.send(ToBoard::Update(Update::Piece(piece))).await;
        let mut refused = 0;
        while refused < 2 {
            host.receive(|message| match message {
                ToHost::Result(_) => {}
                ToHost::Refused(Refusal::Busy) => refused += 1,
                other => panic!("unexpected: {other:?}"),
            })
            .await;
        }
    });
}

#[test]
fn a_record_that_can_not_be_read_is_told_and_nothing_is_taken() {
    let (mut nor, power) = (Nor::erased(), Power::default());
    on_board(&mut nor, &power, async |host| {
        update(host, &package(1)).await.expect("an update");
    });
    nor.lose_record();
    on_board(&mut nor, &power, async |host| {
        let updates = checked(host).await.updates.expect("it has flash");
        assert_eq!(updates.source, PlanSource::Factory);
        assert_eq!(updates.rolled_back, Some(RolledBack::RecordLost));
        let refused = begin(host, &package(2)).await;
        assert_eq!(refused, Err(UpdateRefusal::Record));
    });
}
