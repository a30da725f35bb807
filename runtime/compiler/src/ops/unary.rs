//! Functions of one number. Integer: a table of 256 entries.

use super::{Edges, GraphOp, Kernel, Pulsed};
use crate::error::Refusal;
use crate::pulse::Stream;
use microtome_kernels::float::unary::{self, Function};
use microtome_kernels::reference::lookup::Lookup;

/// A function of each element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unary(
    /// The function.
    pub Function,
);

impl GraphOp for Unary {
    fn is_of_reals(&self) -> bool {
        true
    }

    /// Entry `x + 128` is the function of what `x` stands for, quantized.
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let (input, output, store) = (edges.input(0)?, edges.output()?, edges.store()?);
        let mut reals: Vec<f32> = (i8::MIN..=i8::MAX)
            .map(|value| input.scale * (f32::from(value) - f32::from(input.zero)))
            .collect();
        self.0.apply(&mut reals);
        let entry = |&real: &f32| {
            // No number has no nearest int8; it stands for nothing better than zero.
            let real = if real.is_nan() { 0.0 } else { real };
            output.quantize(real.into()).clamp(store.min, store.max)
        };
        let table: Vec<u8> = reals.iter().map(|it| entry(it).cast_unsigned()).collect();
        let params = Lookup { len: edges.len() };
        Ok(Kernel::new(params, edges).with(vec![table]))
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let params = unary::Unary {
            function: self.0,
            len: edges.len(),
        };
        Ok(Kernel::new(params, edges))
    }

    fn pulse(&self, _edges: &Edges<'_>, _stream: &Stream) -> Pulsed {
        Pulsed::Local
    }

    fn takes_bounds(&self) -> bool {
        true
    }
}
