//! Any function of one element, by a table: sigmoid, tanh, GELU, exponential.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// The output for each int8: that of `x` is the element `x + 128`.
pub type Table = [i8; 256];

/// Parameters of a lookup. Its constant is a [`Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// Elements.
    pub len: usize,
}

impl Operator for Lookup {
    fn kind(&self) -> &'static str {
        "lookup"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.len]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.len)
    }

    fn outputs(&self) -> Extents {
        one(Element::I8, self.len)
    }

    fn constants(&self) -> Extents {
        one(Element::I8, size_of::<Table>())
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let Some(table) = args.constant(0).first_chunk() else {
            return debug_assert!(false, "the constant has the stated extent");
        };
        if args.in_place {
            (set.lookup_in_place)(table, args.output(0));
        } else {
            (set.lookup)(table, args.input(0), args.output(0));
        }
    }
}

/// Writes the table's output for each element of `input`.
pub fn lookup(table: &Table, input: &[i8], output: &mut [i8]) {
    for (out, &value) in output.iter_mut().zip(input) {
        *out = element(table, value);
    }
}

/// Replaces each of `values` by the table's output for it.
pub fn lookup_in_place(table: &Table, values: &mut [i8]) {
    for value in values {
        *value = element(table, *value);
    }
}

const fn element(table: &Table, value: i8) -> i8 {
    table[(value as u8 ^ 0x80) as usize]
}
