//! What a plan is for: the model, its inputs and outputs, the task, and when to ask for help.

use crate::op::ArenaAt;
use crate::target::Target;
use heapless::Vec;
use microtome_kernels::Element;
use serde::{Deserialize, Serialize};

/// Most inputs, and most outputs, that a plan has.
pub const PORTS_MAX: usize = 8;
/// Most axes that a model's input or output has.
pub const AXES_MAX: usize = 6;

/// The metadata of a plan that is not a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest<'a> {
    /// Name of the model.
    pub model: &'a str,
    /// What the constants were packed for.
    pub target: Target,
    /// Bytes of arena that a run needs.
    pub arena_bytes: usize,
    /// Steps of a run.
    pub steps: usize,
    /// Inputs in the model's order.
    #[serde(borrow)]
    pub inputs: Vec<Port<'a>, PORTS_MAX>,
    /// Outputs in the model's order.
    #[serde(borrow)]
    pub outputs: Vec<Port<'a>, PORTS_MAX>,
    /// How the first output is read.
    #[serde(borrow)]
    pub task: Task<'a>,
    /// When a heavier model is asked, if there is one.
    #[serde(borrow)]
    pub cascade: Option<Cascade<'a>>,
}

/// An input or output: of one type in the arena, and of another, perhaps, to the model's user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port<'a> {
    /// The model's name of it.
    pub name: &'a str,
    /// Where it lies.
    pub at: ArenaAt,
    /// Its axes in the model's own order, batch (1) included.
    pub dims: Vec<usize, AXES_MAX>,
    /// The model's axes in the order in which the arena has them, outermost first (channels
    /// last): an NCHW image has `[0, 2, 3, 1]`.
    pub order: Vec<u8, AXES_MAX>,
    /// The type that the model's user gives or gets.
    pub model_type: ModelType,
    /// The type of the elements in the arena.
    pub element: Element,
    /// Scale of quantized values: `real = scale · (value − zero)`; 1 for all others.
    pub scale: f32,
    /// Zero point of quantized values; 0 for all others.
    pub zero: i8,
}

impl Port<'_> {
    /// Elements. A port of a validated plan never overflows here.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Bytes in the arena.
    pub fn len_bytes(&self) -> usize {
        self.len() * self.element.bytes()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The int8 value of `real`: round half to even, then clamp, as ONNX's `QuantizeLinear`.
    /// NaN becomes the zero point.
    pub fn quantize(&self, real: f32) -> i8 {
        // Adding and subtracting 1.5 · 2^23 rounds half to even without `std`.
        const ROUND: f32 = 12_582_912.0;
        let scaled = (real / self.scale).clamp(-512.0, 512.0);
        let rounded = (scaled + ROUND) - ROUND;
        (rounded as i32 + i32::from(self.zero)).clamp(-128, 127) as i8
    }

    /// The real number that `value` stands for.
    pub fn dequantize(&self, value: i8) -> f32 {
        self.scale * (i32::from(value) - i32::from(self.zero)) as f32
    }
}

/// The element type of a port on the model's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelType {
    /// 32-bit float: as it is, or quantized on the way in and dequantized on the way out.
    F32,
    /// int8, taken as it is.
    I8,
    /// uint8: held as int8, with 128 subtracted.
    U8,
    /// int32.
    I32,
    /// int64: held as int32.
    I64,
    /// Truth value: held as int8, 0 or 1.
    Bool,
}

impl ModelType {
    /// Whether the arena may hold such values as elements of that type.
    pub const fn is_held_as(self, element: Element) -> bool {
        matches!(
            (self, element),
            (Self::F32, Element::F32 | Element::I8)
                | (Self::I8 | Self::U8 | Self::Bool, Element::I8)
                | (Self::I32 | Self::I64, Element::I32)
        )
    }
}

/// How the first output of a plan is turned into an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task<'a> {
    /// Not at all: the raw output is the answer.
    Raw,
    /// One class for the whole input; the output has one score a class.
    Classify {
        /// Names of the classes.
        #[serde(borrow)]
        labels: Labels<'a>,
    },
    /// Objects on a grid (FOMO): the output is HWC with one probability a class, class 0 the
    /// background.
    Grid {
        /// Names of the classes, background first.
        #[serde(borrow)]
        labels: Labels<'a>,
        /// Input pixels between neighbouring cells of the grid.
        stride: u16,
        /// Lowest probability of a detection, in 1/256.
        score_min: u8,
    },
}

/// Class names, in the order of the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels<'a>(
    /// The names, one a line.
    pub &'a str,
);

impl<'a> Labels<'a> {
    /// The name of `class`, if it has one.
    pub fn get(self, class: usize) -> Option<&'a str> {
        self.0.lines().nth(class)
    }
}

/// When a board asks the host for a heavier model's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cascade<'a> {
    /// A board's answer with less confidence than this, in 1/256, is not confident enough.
    pub confidence_min: u8,
    /// Name of the heavier model.
    pub model: &'a str,
}
