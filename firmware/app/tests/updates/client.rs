//! A host that updates a board, and the packages that it has.

use crate::common::{self, Host, LEN, Setup, with_flash};
use crate::flash::{Nor, Power};
use core::future::poll_fn;
use core::task::Poll;
use ed25519_compact::{KeyPair, Seed};
use embassy_futures::select::select;
use microtome_link::message::{Identity, InputSource, PIECE_LEN_MAX, Piece, Refusal};
use microtome_link::update::{UPDATE_PIECE_LEN, Update, UpdateRefusal, UpdateState, Updated};
use microtome_link::{ToBoard, ToHost};
use microtome_plan::PlanBuf;
use microtome_update::package::output_digest;
use microtome_update::signature::message;
use microtome_update::{Golden, HEADER_LEN, write};

/// The plan of a release: it clamps at a value that tells it from its neighbours.
pub fn plan(release: u64) -> PlanBuf {
    common::plan_clamping_at(limit(release) as i8)
}

/// What the plan of a release makes of 127; release 0 is the factory's.
pub fn limit(release: u64) -> i32 {
    100 - (release % 100) as i32
}

pub fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

/// An unsigned package with two golden vectors.
pub fn package(release: u64) -> Vec<u8> {
    package_of(release, &plan(release), limit(release))
}

/// A package whose golden vectors are those of a clamp at `limit`.
pub fn package_of(release: u64, plan: &PlanBuf, limit: i32) -> Vec<u8> {
    let inputs = [common::frame(250), vec![3; LEN]];
    let golden = inputs.each_ref().map(|input| {
        let clamp = |&x: &u8| (i32::from(x.cast_signed())).min(limit) as u8;
        let output: Vec<u8> = input.iter().map(clamp).collect();
        Golden {
            input,
            output: output_digest([output.as_slice()]),
        }
    });
    write::encode(release, plan, &golden).expect("a package")
}

pub fn signed(mut package: Vec<u8>, pair: &KeyPair) -> Vec<u8> {
    write::sign(&mut package, &pair.pk, |it| *pair.sk.sign(it, None)).expect("a package");
    package
}

/// Runs a board on this flash, with the plan of release 0 from the factory, until the script is
/// done or the power fails.
pub fn on_board<T>(
    nor: &mut Nor,
    power: &Power,
    script: impl AsyncFn(&Host<'_>) -> T,
) -> Option<T> {
    on_board_with(Setup::default(), nor, power, script)
}

/// As [`on_board`], with another board.
pub fn on_board_with<T>(
    setup: Setup,
    nor: &mut Nor,
    power: &Power,
    script: impl AsyncFn(&Host<'_>) -> T,
) -> Option<T> {
    let mut outcome = None;
    with_flash(setup, nor.parts(power), 1, async |host| {
        let off = poll_fn(|_| match power.is_off() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        let script = async { outcome = Some(script(&host).await) };
        select(off, script).await;
    });
    outcome
}

/// Asks for a step and returns what becomes of it.
pub async fn ask(host: &Host<'_>, step: Update<'_>) -> Result<Updated, UpdateRefusal> {
    host.send(ToBoard::Update(step)).await;
    answer(host).await
}

async fn answer(host: &Host<'_>) -> Result<Updated, UpdateRefusal> {
    host.receive(|message| match message {
        ToHost::Updated(updated) => Ok(updated),
        ToHost::Refused(Refusal::Update(refusal)) => Err(refusal),
        other => panic!("unexpected: {other:?}"),
    })
    .await
}

pub async fn state(host: &Host<'_>, step: Update<'_>) -> Result<UpdateState, UpdateRefusal> {
    ask(host, step).await.map(|updated| match updated {
        Updated::State(state) => state,
        other => panic!("not a state: {other:?}"),
    })
}

/// Opens the slot; returns how much of the package it has.
pub async fn begin(host: &Host<'_>, package: &[u8]) -> Result<usize, UpdateRefusal> {
    begin_with(host, package, false).await
}

pub async fn begin_with(
    host: &Host<'_>,
    package: &[u8],
    allow_downgrade: bool,
) -> Result<usize, UpdateRefusal> {
    let header = &package[..HEADER_LEN.min(package.len())];
    let step = Update::Begin {
        header,
        allow_downgrade,
    };
    written(ask(host, step).await?)
}

fn written(updated: Updated) -> Result<usize, UpdateRefusal> {
    match updated {
        Updated::Written { bytes } => Ok(bytes as usize),
        other => panic!("not a count: {other:?}"),
    }
}

/// Sends the pieces from `from` to `to` and does not wait for an answer.
pub async fn send(host: &Host<'_>, package: &[u8], from: usize, to: usize) {
    for at in (from..to).step_by(UPDATE_PIECE_LEN) {
        let data = &package[at..package.len().min(at + UPDATE_PIECE_LEN)];
        let piece = Update::Piece(Piece {
            offset: at as u32,
            data,
        });
        host.send(ToBoard::Update(piece)).await;
    }
}

/// Brings a whole package into the slot; returns from where on it had to be sent.
pub async fn transfer(host: &Host<'_>, package: &[u8]) -> Result<usize, UpdateRefusal> {
    let from = begin(host, package).await?;
    rest(host, package, from).await
}

/// Sends what is missing.
pub async fn rest(host: &Host<'_>, package: &[u8], from: usize) -> Result<usize, UpdateRefusal> {
    if from < package.len() {
        send(host, package, from, package.len()).await;
        assert_eq!(written(answer(host).await?), Ok(package.len()));
    }
    Ok(from)
}

/// The whole update, from transfer to confirmation.
pub async fn update(host: &Host<'_>, package: &[u8]) -> Result<UpdateState, UpdateRefusal> {
    transfer(host, package).await?;
    ask(host, Update::Trial).await?;
    state(host, Update::Activate).await?;
    state(host, Update::Confirm).await
}

/// Makes the board trust `new`.
pub async fn trust(
    host: &Host<'_>,
    old: Option<&KeyPair>,
    new: &KeyPair,
) -> Result<UpdateState, UpdateRefusal> {
    let signature = old.map(|old| *old.sk.sign(message::trust(&old.pk, &new.pk), None));
    let step = Update::Trust {
        key: *new.pk,
        signature: signature.as_ref().map_or(&[], |it| it),
    };
    state(host, step).await
}

/// What the plan that runs makes of 127.
pub async fn limit_of(host: &Host<'_>) -> i32 {
    for (index, data) in [0x7F; LEN].chunks(PIECE_LEN_MAX).enumerate() {
        let offset = (index * PIECE_LEN_MAX) as u32;
        host.send(ToBoard::Input(Piece { offset, data })).await;
    }
    let (run, input, profile) = (1, InputSource::Link, false);
    host.send(ToBoard::Run {
        run,
        input,
        profile,
    })
    .await;
    let mut limit = None;
    loop {
        let done = host.receive(|message| match message {
            ToHost::Output(piece) => {
                limit = Some(i32::from(piece.data[0].cast_signed()));
                false
            }
            ToHost::RunDone { .. } => true,
            other => panic!("unexpected: {other:?}"),
        });
        if done.await {
            return limit.expect("an output");
        }
    }
}

/// Who the board is, once it is sure that it runs the plan that it says it runs.
pub async fn checked(host: &Host<'_>) -> Identity {
    let identity = host.hello().await;
    assert_eq!(identity.plan_fault, None);
    let updates = identity.updates.expect("it has flash");
    assert_eq!(limit_of(host).await, limit(updates.release));
    assert_eq!(identity.plan, plan(updates.release).plan().digest());
    identity
}
