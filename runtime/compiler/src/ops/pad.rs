//! Constant padding of rows, columns and channels.

use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
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

    /// Padding before the first frame is what the stream is before its start.
    fn pulse(&self, _edges: &Edges<'_>, _stream: &Stream) -> Pulsed {
        let [rows, columns, channels] = self.before;
        if self.output.height != self.input.height + rows {
            return Pulsed::Refused("padding behind the last frame needs the end of the sequence");
        }
        let (input, output) = (self.input, self.output);
        let is_rest = columns + channels > 0
            || [input.width, input.channels] != [output.width, output.channels];
        if is_rest {
            return Pulsed::Refused("pad frames and what is within them by nodes of their own");
        }
        Pulsed::Past {
            past: rows,
            fill: self.value,
            op: None,
        }
    }

    fn keeps_quantization(&self) -> bool {
        true
    }
}
