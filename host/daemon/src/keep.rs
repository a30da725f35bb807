//! Which frames the journal keeps, and what it is told that they are made of.
//!
//! A board sends a frame with its question, and no other one; so that frame is what can be kept.

use microtome_journal::record::{Element as ElementRecord, Input};
use microtome_plan::{Element, ModelType, PlanBuf, Port};
use serde::Deserialize;

/// Which frames of a device are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// None.
    #[default]
    None,
    /// Those that the board asked about.
    Asked,
}

/// What becomes of the frames of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FramesConfig {
    /// Which are kept.
    pub keep: Keep,
}

/// What the frames of a board with this plan are made of.
pub(crate) fn inputs(plan: &PlanBuf) -> Vec<Input> {
    plan.plan().manifest().inputs.iter().map(input).collect()
}

fn input(port: &Port<'_>) -> Input {
    let dims = port.order.iter().map(|&axis| port.dims[usize::from(axis)]);
    Input {
        name: port.name.to_owned(),
        dims: dims.collect(),
        order: port.order.to_vec(),
        model_type: model_type(port.model_type).to_owned(),
        element: match port.element {
            Element::I8 => ElementRecord::I8,
            Element::I16 => ElementRecord::I16,
            Element::I32 => ElementRecord::I32,
            Element::F32 => ElementRecord::F32,
        },
        scale: port.scale,
        zero: port.zero,
    }
}

fn model_type(of: ModelType) -> &'static str {
    match of {
        ModelType::F32 => "f32",
        ModelType::I8 => "i8",
        ModelType::U8 => "u8",
        ModelType::I32 => "i32",
        ModelType::I64 => "i64",
        ModelType::Bool => "bool",
    }
}
