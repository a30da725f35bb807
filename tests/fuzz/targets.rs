//! What strangers may send us, and what must hold of it: one function a fuzz target.
//!
//! Each takes any bytes and returns whether they were accepted; it panics when one of our promises
//! does not hold. Beyond "no panic" the promises are differential: what is accepted computes the
//! same bits with the reference kernels and with the fastest ones, and a link hands out the same
//! messages however its bytes come in pieces.

mod link_model;

pub use link_model::script as link;

use crc::{CRC_32_ISCSI, Crc};
use microtome_compiler::{Options, compile};
use microtome_exec::Executor;
use microtome_kernels::{dispatch, reference};
use microtome_link::{FRAME_LEN_MAX, Link, WINDOW, frame};
use microtome_plan::header::HEADER_LEN;
use microtome_plan::{Op, Plan, PlanBuf, Step};
use microtome_update::write::{PackageBuf, encode};
use sha2::{Digest, Sha256};

/// A plan with a larger arena is not run; any board refuses it.
const ARENA_BYTES_MAX: usize = 1 << 20;
/// A plan that looks at more elements is not run, so that no input takes long.
const WORK_MAX: usize = 1 << 22;

/// `bytes` as an ONNX file.
pub fn onnx(bytes: &[u8]) -> bool {
    compiles(bytes)
}

/// `bytes` as a TFLite file, for which they are made to say that they are one.
pub fn tflite(bytes: &[u8]) -> bool {
    let mut bytes = bytes.to_vec();
    if let Some(identifier) = bytes.get_mut(4..8) {
        identifier.copy_from_slice(b"TFL3");
    }
    compiles(&bytes)
}

fn compiles(bytes: &[u8]) -> bool {
    let Ok(compiled) = compile(bytes, &Options::new("fuzz")) else {
        return false;
    };
    let report = &compiled.report;
    assert!(report.arena_lower_bound_bytes <= report.arena_bytes);
    let plan = compiled.plan.plan();
    assert_eq!(plan.manifest().arena_bytes, report.arena_bytes);
    runs_alike(&plan);
    true
}

/// `bytes` as a plan, signed as its author would.
pub fn plan(bytes: &[u8]) -> bool {
    let mut bytes = bytes.to_vec();
    if bytes.len() >= HEADER_LEN {
        let content = Sha256::new()
            .chain_update(&bytes[..32])
            .chain_update(&bytes[HEADER_LEN..]);
        let digest = content.finalize();
        bytes[32..HEADER_LEN].copy_from_slice(&digest);
    }
    let Ok(plan) = PlanBuf::new(&bytes) else {
        return false;
    };
    runs_alike(&plan.plan());
    true
}

/// `bytes` as an update package, whose digests are made right, and that of its plan.
///
/// What is accepted is written anew with the same bytes, but for its signature.
pub fn package(bytes: &[u8]) -> bool {
    let mut bytes = bytes.to_vec();
    let Ok(header) = microtome_update::Header::parse(&bytes) else {
        return false;
    };
    if header.total_len() != bytes.len() || header.plan_len < HEADER_LEN {
        return false;
    }
    let at = microtome_update::HEADER_LEN;
    let plan = &bytes[at..at + header.plan_len];
    let plan_digest = Sha256::new()
        .chain_update(&plan[..32])
        .chain_update(&plan[HEADER_LEN..])
        .finalize();
    bytes[at + 32..at + HEADER_LEN].copy_from_slice(&plan_digest);
    bytes[32..64].copy_from_slice(&plan_digest);
    let digest = Sha256::new()
        .chain_update(&bytes[..64])
        .chain_update(&bytes[header.golden_at()..])
        .finalize();
    bytes[64..96].copy_from_slice(&digest);
    let Ok(package) = PackageBuf::new(&bytes) else {
        return false;
    };
    let package = package.package();
    let golden: Vec<_> = package.golden().collect();
    let plan = PlanBuf::new(&bytes[at..at + header.plan_len]).expect("it was accepted");
    let again = encode(header.release, &plan, &golden).expect("it was accepted");
    assert_eq!(again[..96], bytes[..96]);
    assert_eq!(again[at..], bytes[at..]);
    runs_alike(package.plan());
    true
}

/// Runs the plan with both kernel sets, twice each, unless that would take long.
fn runs_alike(plan: &Plan<'_>) {
    let work = plan.steps().map(|step| work(&step));
    let work = work.fold(0, usize::saturating_add);
    let arena_bytes = plan.manifest().arena_bytes;
    if arena_bytes > ARENA_BYTES_MAX || work > WORK_MAX {
        return;
    }
    let results = [&reference::SET, dispatch::best()].map(|kernels| {
        let mut arena = vec![0_u32; arena_bytes.div_ceil(4)];
        let arena: &mut [u8] = bytemuck::cast_slice_mut(&mut arena);
        for (at, byte) in arena.iter_mut().enumerate() {
            *byte = (at * 37 % 251) as u8;
        }
        let mut executor = Executor::with_kernels(plan, arena, kernels).expect("an arena");
        // The second run finds what the first has kept.
        executor.run(&mut ());
        executor.run(&mut ());
        let outputs = 0..plan.manifest().outputs.len();
        let outputs = outputs.map(|index| executor.output(index).to_vec());
        outputs.collect::<Vec<_>>()
    });
    assert_eq!(results[0], results[1], "the kernel sets differ");
}

/// About how many elements the reference looks at.
fn work(step: &Step<'_>) -> usize {
    let taps = match &step.op {
        Op::MaxPool(pool) => pool.window.kernel.iter().product(),
        Op::AveragePool(pool) => pool.window.kernel.iter().product(),
        Op::PoolF32(pool) => pool.window.kernel.iter().product(),
        _ => 1_usize,
    };
    let operator = step.op.operator();
    let bytes = |extents: microtome_kernels::Extents| -> usize {
        extents.iter().map(|extent| extent.bytes()).sum()
    };
    let moved = bytes(operator.inputs()) + bytes(operator.outputs()) + operator.scratch_bytes();
    operator.macs().saturating_add(taps.saturating_mul(moved))
}

/// `bytes` as what comes over the wire to both ends of a link: pieces of garbage, and frames whose
/// header and body are as they may be but whose check sums are right.
pub fn frames(bytes: &[u8]) -> bool {
    let Some((&piece, records)) = bytes.split_first() else {
        return false;
    };
    let wire = wire(records);
    let heard = |link, piece| heard(link, &wire, piece);
    let ends = || [Link::board(), Link::host(7)];
    let whole = ends().map(|link| heard(link, FRAME_LEN_MAX));
    let pieces = ends().map(|link| heard(link, usize::from(piece).max(1)));
    assert_eq!(whole, pieces, "messages depend on how their bytes come");
    whole.iter().any(|(_, received)| *received > 0)
}

/// A record is a byte that says how many bytes follow it, and by its highest bit whether they are
/// a frame or garbage.
fn wire(mut records: &[u8]) -> Vec<u8> {
    const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    let mut wire = Vec::new();
    while let [kind, rest @ ..] = records {
        let (record, rest) = rest.split_at(rest.len().min(usize::from(kind & 0x7f)));
        if kind & 0x80 == 0 {
            wire.extend(record);
        } else {
            let mut raw = vec![frame::VERSION];
            raw.extend(record);
            raw.extend(CRC.checksum(&raw).to_le_bytes());
            let mut encoded = vec![0; cobs::max_encoding_length(raw.len())];
            let len = cobs::encode(&raw, &mut encoded);
            wire.extend(&encoded[..len]);
            wire.push(0);
        }
        records = rest;
    }
    wire
}

/// All that a link tells its owner of `wire`, which comes in pieces of at most `piece` bytes, and
/// how many frames it took.
fn heard(mut link: Link, wire: &[u8], piece: usize) -> (Vec<String>, u32) {
    let (mut events, mut out) = (Vec::new(), [0; FRAME_LEN_MAX]);
    // Something may happen wherever a frame ends, and nowhere else.
    let frames = wire.split_inclusive(|&byte| byte == 0);
    for part in frames.flat_map(|frame| frame.chunks(piece)) {
        link.receive(part, 0);
        while let Some(event) = link.poll_event() {
            events.push(format!("{event:?}"));
        }
    }
    for _ in 0..2 * WINDOW {
        let _ = link.poll_transmit(0, &mut out);
    }
    (events, link.stats().received)
}
