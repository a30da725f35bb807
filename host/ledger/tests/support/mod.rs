//! Chance that is the same every time, and records.
#![allow(dead_code, reason = "every test uses a part")]

use microtome_journal::record::{Answer, Latency, Origin, Ticks};
use microtome_journal::{Hash, Record};

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Above 0, up to 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Of mean 0 and variance 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A result of the board's own, received so many microseconds after some midnight.
pub fn record(sequence: u64, at_us: u64) -> Record {
    Record {
        host_time_us: 1_795_824_000_000_000 + at_us,
        provenance: Hash::of(b"one"),
        boot: "00000000000000aa".to_owned(),
        sequence,
        acquisition: 0,
        frame: sequence as u32,
        ticks: Ticks::default(),
        clock: None,
        origin: Origin::Board,
        executor: "board".to_owned(),
        heavier: None,
        answer: Answer::Raw,
        confidence: 1.0,
        board_confidence: 1.0,
        latency_us: Latency {
            wait: 10,
            inference: 900,
            total: 910,
            ..Latency::default()
        },
        kept_frame: None,
        missed: 0,
    }
}
