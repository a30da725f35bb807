//! The fuzz targets of `tests/fuzz` on their seeds, and on some edits of each: that the targets
//! hold what they promise, and that the seeds still reach what they are seeds of.
//!
//! `cargo test --release --workspace --test fuzz_seeds -- --ignored` makes the seeds anew.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;
#[path = "../../../tests/fuzz/targets.rs"]
mod targets;
#[path = "common/tflite.rs"]
mod tflite;

use common::compiled;
use common::random::{self, Palette, Random};
use microtome_compiler::{Options, compile};
use microtome_plan::PlanBuf;
use microtome_update::Golden;
use microtome_update::write::encode;
use std::fs;
use std::path::{Path, PathBuf};
use tflite::Field;

type Target = fn(&[u8]) -> bool;

const TARGETS: [(&str, Target); 6] = [
    ("onnx", targets::onnx),
    ("tflite", targets::tflite),
    ("plan", targets::plan),
    ("package", targets::package),
    ("frames", targets::frames),
    ("link", targets::link),
];

/// Edits of each seed, unless `MICROTOME_FUZZ_EDITS` says how many.
const EDITS: usize = 200;
const SEEDS_BYTES_MAX: usize = 20_000;

fn folder(target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("tests/fuzz/seeds").join(target)
}

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder(target)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds = paths.into_iter().map(|path| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    seeds.collect()
}

#[test]
fn every_seed_is_accepted() {
    let mut bytes_all = 0;
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(seeds.len() > 1, "{name} has no seeds");
        for (path, bytes) in seeds {
            assert!(target(&bytes), "{path:?} is no longer accepted");
            bytes_all += bytes.len();
        }
    }
    assert!(bytes_all <= SEEDS_BYTES_MAX, "{bytes_all} bytes of seeds");
}

#[test]
fn edited_seeds_end_in_a_plan_or_an_error() {
    let edits = std::env::var("MICROTOME_FUZZ_EDITS").ok();
    let edits = edits.map_or(EDITS, |edits| edits.parse().expect("a number"));
    let mut random = Random::new(1);
    for (name, target) in TARGETS {
        let mut refused = 0;
        for (_, seed) in seeds(name) {
            for _ in 0..edits {
                let mut bytes = seed.clone();
                for _ in 0..=random.below(3) {
                    let at = random.below(bytes.len());
                    bytes[at] = random.bytes(1)[0];
                }
                bytes.truncate(bytes.len() - random.below(2) * random.below(bytes.len()));
                refused += usize::from(!target(&bytes));
            }
        }
        assert!(refused > 0, "{name}: every edit was accepted");
    }
}

/// A convolution and a dense layer, as TFLite has them.
fn dense_tflite() -> Vec<u8> {
    let mut model = tflite::Model::new();
    let x = model.int8("x", &[1, 4, 4, 2], 0.5, 3);
    let w = model.weights("w", &[3, 2, 2, 2], &[1; 24], &[0.1, 0.2, 0.3], 0);
    let b = model.i32s("b", &[3], &[5, -7, 0]);
    let c = model.int8("c", &[1, 2, 2, 3], 0.25, -128);
    let same = vec![
        (0, Field::Byte(0)),
        (1, Field::Int(2)),
        (2, Field::Int(2)),
        (3, Field::Byte(3)),
    ];
    model.op(3, (1, same), &[x, w, b], &[c]);
    let w2 = model.weights("w2", &[2, 12], &[3; 24], &[0.01], 0);
    let y = model.int8("y", &[1, 2], 0.125, 7);
    model.op(9, (8, vec![]), &[c, w2, -1], &[y]);
    model.bytes(&[x], &[y])
}

fn sum_tflite() -> Vec<u8> {
    let mut model = tflite::Model::new();
    let x = model.int8("x", &[1, 8], 0.5, 3);
    let z = model.int8("z", &[1, 8], 0.25, -5);
    let y = model.int8("y", &[1, 8], 0.75, 0);
    model.op(0, (11, vec![]), &[x, z], &[y]);
    model.bytes(&[x, z], &[y])
}

/// Frames of a host that opens a session and asks, and of a board that announces and answers:
/// header and body without version and check sum; then garbage.
fn frames() -> [Vec<u8>; 2] {
    let header = |kind, sequence| [kind, 7, 0, 0, 0, sequence, 0, 4, 0];
    let framed = |frame: &[u8]| [&[0x80 | frame.len() as u8], frame].concat();
    let host = [
        vec![3],
        framed(&header(2, 0)),
        framed(&[&header(16, 0)[..], &[0]].concat()),
        framed(&[&header(16, 1)[..], &[1, 2, 3]].concat()),
        vec![5, 1, 2, 0, 4, 5],
        framed(&header(1, 1)),
        framed(&header(0, 0)),
    ];
    let board = [
        vec![40],
        framed(&header(3, 0)),
        framed(&header(0, 0)),
        framed(&[&header(18, 0)[..], &[0, 1, 2]].concat()),
        framed(&[&header(19, 0)[..], b"log"].concat()),
    ];
    [host.concat(), board.concat()]
}

/// A session in which the board sends a message; and one in which the first of two is lost, after
/// which the board restarts and the host sends one. See `link_model.rs` for what the bytes mean.
fn link() -> [Vec<u8>; 2] {
    const HOST: u8 = 0;
    const BOARD: u8 = 1;
    let step = |side: u8, what: u8| what << 1 | side;
    let passes = |from: u8| [step(from, 0), step(1 - from, 1)];
    let (sends, hears) = (4, 5);
    let opens = [passes(HOST), passes(BOARD)].concat();
    let one = [
        opens.clone(),
        vec![step(BOARD, sends)],
        passes(BOARD).to_vec(),
        vec![step(HOST, hears)],
        passes(HOST).to_vec(),
    ];
    let (damages, passes_time, restarts) = (step(HOST, 2), step(HOST, 6) | 0xf0, step(BOARD, 7));
    let lost = [
        opens.clone(),
        vec![step(BOARD, sends); 2],
        vec![step(BOARD, 0), step(BOARD, 0), damages, step(HOST, 1)],
        passes(HOST).to_vec(),
        passes(BOARD).to_vec(),
        vec![step(HOST, hears), restarts],
        passes(BOARD).to_vec(),
        opens,
        vec![passes_time, step(HOST, sends)],
        passes(HOST).to_vec(),
        vec![step(BOARD, hears)],
    ];
    [one.concat(), lost.concat()]
}

/// The package of a plan, with two vectors whose outputs nobody has computed.
fn package(plan: &[u8]) -> Vec<u8> {
    let plan = PlanBuf::new(plan).unwrap();
    let input_len = (plan.plan().manifest().inputs.iter())
        .map(microtome_plan::Port::len_bytes)
        .sum();
    let inputs = [vec![1; input_len], vec![2; input_len]];
    let golden = inputs.each_ref().map(|input| Golden {
        input,
        output: [3; 32],
    });
    encode(5, &plan, &golden).unwrap()
}

/// Small random models, one of each size.
fn small(target: usize) -> Vec<Vec<u8>> {
    let models = (0..1_000).map(|seed| random::model(seed, Palette::All));
    let models = models.filter(|model| compile(model, &Options::new("seed")).is_ok());
    models
        .filter(|model| model.len() < target)
        .take(4)
        .collect()
}

#[test]
#[ignore = "writes the seeds into the checkout"]
fn make() {
    let onnx = small(1_500);
    let plan = |model: &Vec<u8>| compiled(model).plan.bytes().to_vec();
    let plans: Vec<Vec<u8>> = onnx.iter().map(plan).collect();
    let packages: Vec<Vec<u8>> = plans[..2].iter().map(|plan| package(plan)).collect();
    let seeds = [
        ("onnx", onnx),
        ("tflite", vec![dense_tflite(), sum_tflite()]),
        ("plan", plans),
        ("package", packages),
        ("frames", frames().to_vec()),
        ("link", link().to_vec()),
    ];
    for (target, seeds) in seeds {
        fs::create_dir_all(folder(target)).unwrap();
        for (index, bytes) in seeds.iter().enumerate() {
            fs::write(folder(target).join(index.to_string()), bytes).unwrap();
        }
    }
}
