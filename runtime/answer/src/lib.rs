//! From the raw output of a plan to an answer and its confidence.
//!
//! Board and host read outputs with this same integer code, so that they agree on every answer.
//! Probabilities are in 1/256 throughout.
#![no_std]
#![deny(missing_docs)]

mod grid;

use heapless::Vec;
use microtome_plan::{Element, Port, Task};
use serde::{Deserialize, Serialize};

/// Most detections in one answer; what is found beyond it is counted, not listed.
pub const DETECTIONS_MAX: usize = 64;

/// What a model says of one frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is no allocator to box with"
)]
pub enum Answer {
    /// The task has no reading but its raw output.
    Raw,
    /// The most probable class.
    Class {
        /// Index of the class.
        class: u16,
        /// Its probability.
        score: u8,
    },
    /// Objects that were found, in raster order.
    Objects {
        /// The first of them.
        found: Vec<Detection, DETECTIONS_MAX>,
        /// How many more there were.
        more: u16,
    },
}

/// One object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// Index of its class.
    pub class: u8,
    /// Its probability.
    pub score: u8,
    /// Column of its centre, in input pixels.
    pub x: u16,
    /// Row of its centre, in input pixels.
    pub y: u16,
}

/// An answer with the confidence of the model in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The answer.
    pub answer: Answer,
    /// 0 is none, 255 is full.
    pub confidence: u8,
}

/// Reads `output`, the bytes of `port` in the arena's order, as `task` says.
///
/// The confidence of a class is its probability; that of a grid is described in
/// `docs/architecture.md`; a raw output has full confidence.
pub fn read(task: &Task<'_>, port: &Port<'_>, output: &[u8]) -> Reading {
    match *task {
        Task::Raw => Reading {
            answer: Answer::Raw,
            confidence: u8::MAX,
        },
        Task::Classify { .. } => classify(port, output),
        Task::Grid {
            stride, score_min, ..
        } => grid::read(port, output, stride, score_min),
    }
}

fn classify(port: &Port<'_>, output: &[u8]) -> Reading {
    let mut best = (0_u16, 0_u8);
    for class in 0..output.len() / port.element.bytes() {
        let score = probability(port, output, class);
        if class == 0 || score > best.1 {
            best = (class as u16, score);
        }
    }
    Reading {
        answer: Answer::Class {
            class: best.0,
            score: best.1,
        },
        confidence: best.1,
    }
}

/// The probability that element `index` of `output` stands for, in 1/256, at most 255/256. It is
/// 0 where there is no such element, or one of another type than int8 and float.
fn probability(port: &Port<'_>, output: &[u8], index: usize) -> u8 {
    let size = port.element.bytes();
    let bytes = output.get(index * size..(index + 1) * size);
    let real = match (port.element, bytes) {
        (Element::I8, Some(&[byte])) => port.dequantize(byte.cast_signed()),
        (Element::F32, Some(&[a, b, c, d])) => f32::from_le_bytes([a, b, c, d]),
        _ => 0.0,
    };
    (real * 256.0 + 0.5).clamp(0.0, 255.0) as u8
}
