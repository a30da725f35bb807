//! A board's model and the heavier one that answers its questions.

use microtome_plan::{Element, PlanBuf, Port};
use std::sync::Arc;

/// A board's model and the heavier one that it asks.
#[derive(Clone, Debug)]
pub(crate) struct Cascade {
    pub plan: Arc<PlanBuf>,
    /// The bytes of the heavier model's value for each of the board's; `None` where they are the
    /// same.
    converted: Option<Vec<Vec<u8>>>,
}

/// Why a board's questions can not be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCascade {
    #[error("its plan names no heavier model")]
    NotAsked,
    #[error("there is no plan of its heavier model {0}: compile it and list it under `plans`")]
    Unknown(String),
    #[error("its heavier model {0} takes an input of another shape")]
    Shape(String),
    #[error("its heavier model {0} takes an input of another type")]
    Type(String),
}

impl Cascade {
    /// The heavier model of `board`, which `find` knows by name.
    pub fn new(
        board: &PlanBuf,
        find: impl FnOnce(&str) -> Option<Arc<PlanBuf>>,
    ) -> Result<Self, NoCascade> {
        let board = board.plan();
        let name = board.manifest().cascade.ok_or(NoCascade::NotAsked)?.model;
        let plan = find(name).ok_or_else(|| NoCascade::Unknown(name.to_owned()))?;
        let heavier = plan.plan();
        let (from, to) = (&board.manifest().inputs[0], &heavier.manifest().inputs[0]);
        if heavier.manifest().inputs.len() != 1 || !shape(from).eq(shape(to)) {
            return Err(NoCascade::Shape(name.to_owned()));
        }
        let is_same = from.element == to.element && from.scale == to.scale && from.zero == to.zero;
        let converted = match (from.element, to.element) {
            _ if is_same => None,
            (Element::I8, Element::I8 | Element::F32) => Some(converted(from, to)),
            _ => return Err(NoCascade::Type(name.to_owned())),
        };
        Ok(Self {
            plan: Arc::clone(&plan),
            converted,
        })
    }

    /// The board's frame as the heavier model's input.
    pub fn convert(&self, values: Vec<u8>) -> Vec<u8> {
        match &self.converted {
            Some(table) => values
                .iter()
                .flat_map(|&value| &table[usize::from(value)])
                .copied()
                .collect(),
            None => values,
        }
    }
}

/// The extents of a port in the arena's order.
fn shape(port: &Port<'_>) -> impl Iterator<Item = usize> {
    port.order.iter().map(|&axis| port.dims[usize::from(axis)])
}

/// The bytes that `to` has for each int8 value of `from`.
fn converted(from: &Port<'_>, to: &Port<'_>) -> Vec<Vec<u8>> {
    let convert = |value: u8| {
        let real = from.dequantize(value.cast_signed());
        match to.element {
            Element::F32 => real.to_le_bytes().to_vec(),
            _ => vec![to.quantize(real).cast_unsigned()],
        }
    };
    (0..=u8::MAX).map(convert).collect()
}
