//! Padding of any axis. Row major, the last three axes being rows, columns and channels of an image.

use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
use microtome_kernels::Element;
use microtome_kernels::data::pad_by::{Fill, PadBy};
use microtome_kernels::num::Shape;
use microtome_kernels::reference::pad;
use microtome_kernels::rules;
use microtome_kernels::view::AXES;

/// What padding holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filling {
    /// This number.
    Value(f64),
    /// The nearest element.
    Edge,
    /// The mirrored input.
    Reflect,
    /// The repeated input.
    Wrap,
}

/// Parameters of a pad.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// Sizes of the input.
    pub input: [usize; AXES],
    /// Sizes of the output.
    pub output: [usize; AXES],
    /// Elements before the input along each axis.
    pub before: [usize; AXES],
    /// What the padding holds.
    pub filling: Filling,
}

impl Pad {
    /// As an image's, where no other axis is padded and the kernels take such an image.
    fn image(&self, value: i8) -> Option<pad::Pad> {
        let [.., rows, columns, channels] = self.before;
        let shape = |[.., height, width, channels]: [usize; AXES]| Shape {
            height,
            width,
            channels,
        };
        let single = |dims: &[usize; AXES]| dims[..AXES - 3] == [1; AXES - 3];
        let (input, output) = (shape(self.input), shape(self.output));
        let takes = rules::shape(output).is_ok();
        (single(&self.input) && single(&self.output) && takes).then_some(pad::Pad {
            input,
            output,
            before: [rows, columns, channels],
            value,
        })
    }
}

impl GraphOp for Pad {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        if let (Filling::Value(value), Some(quantization)) =
            (self.filling, edges.input_edge(0).quantization)
            && let Some(image) = self.image(quantization.quantize(value))
        {
            return Ok(Kernel::new(image, edges));
        }
        self.float(edges)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let edge = edges.input_edge(0);
        let element = edge.element();
        let value = |value: f64| match (element, edge.quantization) {
            (Element::F32, _) => (value as f32).to_le_bytes(),
            (Element::I8, Some(quantization)) => {
                [quantization.quantize(value).cast_unsigned(), 0, 0, 0]
            }
            _ => (value as i32).to_le_bytes(),
        };
        let params = PadBy {
            element,
            input: self.input,
            output: self.output,
            before: self.before,
            fill: match self.filling {
                Filling::Value(number) => Fill::Value(value(number)),
                Filling::Edge => Fill::Edge,
                Filling::Reflect => Fill::Reflect,
                Filling::Wrap => Fill::Wrap,
            },
        };
        Ok(Kernel::new(params, edges))
    }

    /// Padding before the first frame is what the stream is before its start.
    fn pulse(&self, _edges: &Edges<'_>, _stream: &Stream) -> Pulsed {
        let Filling::Value(fill) = self.filling else {
            return Pulsed::Refused("frames before the first one are a constant");
        };
        let axes = 0..self.input.len();
        let padded: Vec<usize> = axes
            .filter(|&axis| self.input[axis] != self.output[axis])
            .collect();
        let &[axis] = &*padded else {
            return Pulsed::Refused("pad frames and what is within them by nodes of their own");
        };
        let is_outermost = self.input[..axis].iter().all(|&dim| dim == 1);
        if !is_outermost || self.output[axis] != self.input[axis] + self.before[axis] {
            return Pulsed::Refused("padding behind the last frame needs the end of the sequence");
        }
        Pulsed::Past {
            past: self.before[axis],
            fill,
            op: None,
        }
    }

    fn keeps_quantization(&self) -> bool {
        true
    }
}
