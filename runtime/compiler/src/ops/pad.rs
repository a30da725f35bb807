//! Constant padding of rows, columns and channels.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::data::pad_by::{Fill, PadBy};
use microtome_kernels::num::Shape;
use microtome_kernels::reference::pad;

/// Parameters of a pad.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// Rows above, columns to the left and channels before the input.
    pub before: [usize; 3],
    /// The real value of the padding.
    pub value: f64,
}

impl GraphOp for Pad {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = pad::Pad {
            input: self.input,
            output: self.output,
            before: self.before,
            value: edges.input(0).quantize(self.value),
        };
        Ok(Kernel::new(params, edges))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let [input, output] = [self.input, self.output]
            .map(|shape| [1, 1, 1, shape.height, shape.width, shape.channels]);
        let [rows, columns, channels] = self.before;
        let params = PadBy {
            element: edges.input_edge(0).element(),
            input,
            output,
            before: [0, 0, 0, rows, columns, channels],
            fill: Fill::Value((self.value as f32).to_le_bytes()),
        };
        Ok(Kernel::new(params, edges))
    }

    fn keeps_quantization(&self) -> bool {
        true
    }
}
