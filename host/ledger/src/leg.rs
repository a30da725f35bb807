//! The legs of a result's way.

use microtome_journal::record::Latency;
use serde::{Serialize, Serializer};

/// A part of a result's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// From exposure to the begin of the board's inference.
    Wait,
    /// The board's inference.
    Inference,
    /// From its end until the host had the question and the whole frame.
    ToHost,
    /// In the offload queue.
    Queue,
    /// In the heavier model's executor.
    Executor,
    /// From the executor's answer until the board had it.
    ToBoard,
    /// From exposure to the final answer on the board.
    Total,
    /// From the final answer to the new level of the answer pin.
    Signal,
}

impl Leg {
    /// All, in the order of the way.
    pub const ALL: [Self; 8] = [
        Self::Wait,
        Self::Inference,
        Self::ToHost,
        Self::Queue,
        Self::Executor,
        Self::ToBoard,
        Self::Total,
        Self::Signal,
    ];

    /// As records have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Inference => "inference",
            Self::ToHost => "to_host",
            Self::Queue => "queue",
            Self::Executor => "executor",
            Self::ToBoard => "to_board",
            Self::Total => "total",
            Self::Signal => "signal",
        }
    }

    /// Its microseconds, where the result went this part of the way.
    pub fn of(self, latency: &Latency) -> Option<u64> {
        match self {
            Self::Wait => Some(latency.wait),
            Self::Inference => Some(latency.inference),
            Self::ToHost => latency.to_host,
            Self::Queue => latency.queue,
            Self::Executor => latency.executor,
            Self::ToBoard => latency.to_board,
            Self::Total => Some(latency.total),
            Self::Signal => latency.signal,
        }
    }
}

/// One thing for each leg; as JSON an object of those that are there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Legs<T>([T; Leg::ALL.len()]);

impl<T> Legs<T> {
    /// That of `leg`.
    pub fn get(&self, leg: Leg) -> &T {
        &self.0[leg as usize]
    }

    /// That of `leg`.
    pub fn get_mut(&mut self, leg: Leg) -> &mut T {
        &mut self.0[leg as usize]
    }

    /// Each leg with its own.
    pub fn iter(&self) -> impl Iterator<Item = (Leg, &T)> {
        Leg::ALL.into_iter().zip(&self.0)
    }

    /// Each leg with its own.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Leg, &mut T)> {
        Leg::ALL.into_iter().zip(&mut self.0)
    }

    /// Something else for each leg.
    pub fn map<U>(&self, of: impl FnMut(&T) -> U) -> Legs<U> {
        Legs(self.0.each_ref().map(of))
    }
}

impl<T: Serialize> Serialize for Legs<Option<T>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let there = self.iter();
        serializer.collect_map(there.filter_map(|(leg, it)| Some((leg, it.as_ref()?))))
    }
}
