//! What an operator says of itself, so that plan, planner and executor need no list of operators.
//!
//! A file with an operator's parameters implements [`Operator`] for them: what it reads and
//! writes, which parameters are valid, and how it runs. Everything follows from the parameters
//! alone; operands and constants are slices of exactly the extents that the operator states.

use crate::num::Shape;
use crate::set::KernelSet;
use bytemuck::AnyBitPattern;
use core::fmt::Debug;
use heapless::Vec;

/// Most operands, constants, or results of an operator.
pub const OPERANDS_MAX: usize = 8;
/// Most elements of an operand, a result or a constant.
pub const LEN_MAX: usize = 1 << 28;

/// Type of the elements of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Element {
    /// int8: a quantized activation, or a truth value (0 or 1).
    I8,
    /// int16.
    I16,
    /// int32: sums, indices.
    I32,
    /// 32-bit float.
    F32,
}

impl Element {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
        }
    }
}

/// How many elements of which type an operand has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Type of the elements.
    pub element: Element,
    /// Elements.
    pub len: usize,
}

impl Extent {
    /// `len` elements of type `element`.
    pub const fn new(element: Element, len: usize) -> Self {
        Self { element, len }
    }

    /// Bytes in all.
    pub const fn bytes(self) -> usize {
        self.len * self.element.bytes()
    }
}

/// The extents of operands, constants or results, in their order.
pub type Extents = Vec<Extent, OPERANDS_MAX>;

/// The list of `extents`, of which there are at most [`OPERANDS_MAX`].
pub fn extents(extents: &[Extent]) -> Extents {
    extents.iter().copied().take(OPERANDS_MAX).collect()
}

/// One operand of `len` elements.
pub fn one(element: Element, len: usize) -> Extents {
    extents(&[Extent::new(element, len)])
}

/// A rule that an operator's parameters or constants break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A size is zero or beyond its limit.
    #[error("a size is zero or too large")]
    Size,
    /// Shapes of operands, output or window do not fit together.
    #[error("the shapes do not fit together")]
    Shape,
    /// A fixed-point factor, a clamp or an index is out of its range.
    #[error("a factor, clamp or index is out of range")]
    Number,
    /// The operator is not in this build.
    #[error("this build was made without the operator")]
    Absent,
}

/// `fault` unless `holds`.
pub const fn require(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}

/// The product of `sizes`, which is neither 0 nor more than [`LEN_MAX`].
///
/// # Errors
/// [`Fault::Size`] if it is.
pub fn checked_len(sizes: &[usize]) -> Result<usize, Fault> {
    let product = sizes
        .iter()
        .try_fold(1_usize, |len, &size| len.checked_mul(size));
    match product {
        Some(len) if len > 0 && len <= LEN_MAX => Ok(len),
        _ => Err(Fault::Size),
    }
}

/// An operator: the parameters of one step of a plan.
pub trait Operator: Debug {
    /// Its name, as reports print it: `conv2d`.
    fn kind(&self) -> &'static str;

    /// Checks every parameter. After `Ok`, no other method panics or overflows, and
    /// [`Operator::run`] stays within slices of the stated extents.
    ///
    /// # Errors
    /// The rule that is broken.
    fn check(&self) -> Result<(), Fault>;

    /// The activations that it reads.
    fn inputs(&self) -> Extents;

    /// The activations that it writes.
    fn outputs(&self) -> Extents;

    /// The constants that it reads.
    fn constants(&self) -> Extents {
        Extents::new()
    }

    /// Checks the contents of constants of the stated extents, where [`Operator::run`] relies on
    /// them (indices, factors).
    ///
    /// # Errors
    /// The rule that is broken.
    fn check_constants(&self, _constants: &Constants<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// What it keeps from one run to the next: read and written.
    fn state(&self) -> Extents {
        Extents::new()
    }

    /// The byte that fills its state at a reset.
    fn state_fill(&self) -> i8 {
        0
    }

    /// Bytes of the arena that it needs while it runs, besides operands and results.
    fn scratch_bytes(&self) -> usize {
        0
    }

    /// Whether the first output may lie exactly on the first input.
    fn in_place(&self) -> bool {
        false
    }

    /// Multiply–accumulates; saturates.
    fn macs(&self) -> usize {
        0
    }

    /// Shape of the first output for reports; a vector where the operator knows no shape.
    fn output_shape(&self) -> Shape {
        Shape {
            height: 1,
            width: 1,
            channels: self.outputs().first().map_or(0, |extent| extent.len),
        }
    }

    /// Computes the outputs with the kernels of `set`.
    fn run(&self, set: &KernelSet, args: Args<'_>);
}

/// A step's constants, in the order of [`Operator::constants`].
#[derive(Clone, Debug, Default)]
pub struct Constants<'a>(
    /// The bytes of each, aligned for its elements.
    pub Vec<&'a [u8], OPERANDS_MAX>,
);

impl<'a> Constants<'a> {
    /// The elements of constant `index`.
    pub fn get<T: AnyBitPattern>(&self, index: usize) -> &'a [T] {
        bytemuck::cast_slice(self.0[index])
    }
}

/// The memory that one step works on.
#[derive(Debug, Default)]
pub struct Args<'a> {
    /// The operands' bytes, in the order of [`Operator::inputs`]. That of an operand which the
    /// output replaces is empty: the first output holds it.
    pub inputs: Vec<&'a [u8], OPERANDS_MAX>,
    /// The constants.
    pub constants: Constants<'a>,
    /// The outputs' bytes, in the order of [`Operator::outputs`].
    pub outputs: Vec<&'a mut [u8], OPERANDS_MAX>,
    /// What is kept, in the order of [`Operator::state`].
    pub state: Vec<&'a mut [u8], OPERANDS_MAX>,
    /// Scratch of [`Operator::scratch_bytes`], at a multiple of 4 bytes.
    pub scratch: &'a mut [u8],
    /// Whether the first output lies on the first input.
    pub in_place: bool,
}

impl<'a> Args<'a> {
    /// The elements of operand `index`.
    pub fn input<T: AnyBitPattern>(&self, index: usize) -> &'a [T] {
        bytemuck::cast_slice(self.inputs[index])
    }

    /// The elements of constant `index`.
    pub fn constant<T: AnyBitPattern>(&self, index: usize) -> &'a [T] {
        self.constants.get(index)
    }

    /// The elements of output `index`.
    pub fn output<T: bytemuck::Pod>(&mut self, index: usize) -> &mut [T] {
        bytemuck::cast_slice_mut(self.outputs[index])
    }

    /// Copies the first operand to the first output, unless it lies there already: what an
    /// element-wise operator that only has a kernel in place does first.
    pub fn replace_input<T: bytemuck::Pod>(&mut self) -> &mut [T] {
        if !self.in_place {
            self.outputs[0].copy_from_slice(self.inputs[0]);
        }
        self.output(0)
    }
}
