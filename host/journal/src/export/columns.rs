//! The columns of tables.

use crate::hash::Hash;
use crate::record::{Answer, Calibration, Provenance, Record};

/// A record on its way into a table.
pub(super) struct Row<'r> {
    pub index: u64,
    pub hash: Hash,
    pub record: &'r Record,
    pub provenance: &'r Provenance,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Real,
}

/// One value; integers beyond the range of `i64` do not occur.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Text(String),
    Integer(i64),
    Real(f64),
}

impl Value {
    /// As in a CSV file; nothing for [`Value::Null`].
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f32> for Value {
    /// Through the shortest decimal form, so that 0.1 stays 0.1.
    fn from(number: f32) -> Self {
        let exact = number.to_string().parse();
        Self::Real(exact.unwrap_or_else(|_| number.into()))
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Self::Text(hash.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A column.
pub(super) struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub value: fn(&Row<'_>) -> Value,
}

macro_rules! columns {
    ($($kind:ident $name:ident = |$row:ident| $value:expr;)*) => {
        [$(Column {
            name: stringify!($name),
            kind: Kind::$kind,
            value: |$row| ($value).into(),
        }),*]
    };
}

/// All columns, in their order.
pub(super) const COLUMNS: [Column; 46] = columns! {
    Integer index = |row| row.index;
    Integer host_time_us = |row| row.record.host_time_us;
    Integer exposed_host_time_us = |row| exposed_us(row);
    Integer clock_uncertainty_us = |row| row.record.clock.map(|clock| clock.uncertainty_us);
    Text device = |row| &*row.provenance.device;
    Integer acquisition = |row| row.record.acquisition;
    Integer frame = |row| row.record.frame;
    Text origin = |row| row.record.origin.name();
    Text executor = |row| &*row.record.executor;
    Text class = |row| class(row).map(|(class, _)| class);
    Real class_score = |row| class(row).map(|(_, score)| score);
    Integer objects = |row| objects(row).map(|(count, _)| count);
    Text objects_json = |row| objects(row).and_then(|(_, json)| json);
    Real confidence = |row| row.record.confidence;
    Real board_confidence = |row| row.record.board_confidence;
    Integer latency_wait_us = |row| row.record.latency_us.wait;
    Integer latency_inference_us = |row| row.record.latency_us.inference;
    Integer latency_to_host_us = |row| row.record.latency_us.to_host;
    Integer latency_queue_us = |row| row.record.latency_us.queue;
    Integer latency_executor_us = |row| row.record.latency_us.executor;
    Integer latency_to_board_us = |row| row.record.latency_us.to_board;
    Integer latency_total_us = |row| row.record.latency_us.total;
    Integer latency_signal_us = |row| row.record.latency_us.signal;
    Integer missed = |row| row.record.missed;
    Text model = |row| &*row.provenance.model;
    Text plan = |row| row.provenance.plan;
    Text heavier_model = |row| row.record.heavier.as_ref().map(|heavier| &*heavier.model);
    Text heavier_plan = |row| row.record.heavier.as_ref().map(|heavier| heavier.plan);
    Text board = |row| &*row.provenance.board;
    Text unit = |row| &*row.provenance.unit;
    Text firmware = |row| &*row.provenance.firmware;
    Text daemon = |row| &*row.provenance.daemon;
    Text calibration = |row| calibration(row).map(|calibration| &*calibration.name);
    Integer pixel_size_nm = |row| calibration(row).and_then(|calibration| calibration.pixel_size_nm);
    Text boot = |row| &*row.record.boot;
    Integer sequence = |row| row.record.sequence;
    Integer ticks_hz = |row| row.provenance.ticks_hz;
    Integer exposed_ticks = |row| row.record.ticks.exposed;
    Integer begun_ticks = |row| row.record.ticks.begun;
    Integer inferred_ticks = |row| row.record.ticks.inferred;
    Integer answered_ticks = |row| row.record.ticks.answered;
    Integer signalled_ticks = |row| row.record.ticks.signalled;
    Integer clock_offset_us = |row| row.record.clock.map(|clock| clock.offset_us);
    Text provenance = |row| row.record.provenance;
    Text hash = |row| row.hash;
    Text frame_sha256 = |row| row.record.kept_frame.map(|frame| frame.sha256);
};

/// When the frame was exposed on the host's clock, where the clocks were compared.
pub(super) fn exposed_us(row: &Row<'_>) -> Option<u64> {
    let clock = row.record.clock?;
    let ticks_hz = u128::from(row.provenance.ticks_hz.max(1));
    let board_us = u128::from(row.record.ticks.exposed) * 1_000_000 / ticks_hz;
    u64::try_from(board_us)
        .ok()?
        .checked_add_signed(clock.offset_us)
}

fn class<'r>(row: &Row<'r>) -> Option<(&'r str, f32)> {
    match &row.record.answer {
        Answer::Class { class, score } => Some((class, *score)),
        _ => None,
    }
}

/// How many objects there were, and those listed, as JSON.
fn objects(row: &Row<'_>) -> Option<(u64, Option<String>)> {
    match &row.record.answer {
        Answer::Objects { found, more } => {
            let count = found.len() as u64 + u64::from(*more);
            Some((count, serde_json::to_string(found).ok()))
        }
        _ => None,
    }
}

fn calibration<'r>(row: &Row<'r>) -> Option<&'r Calibration> {
    row.provenance.calibration.as_ref()
}
