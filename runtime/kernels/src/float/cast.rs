//! Changes of type between floats, int32 and truth values.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a change of type. To int32, floats lose their fraction and saturate, NaN becomes
/// 0; to int8, which is a truth value on both sides, all but 0 becomes 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    /// Type of the input.
    pub from: Element,
    /// Type of the output.
    pub to: Element,
    /// Elements.
    pub len: usize,
}

impl Operator for Cast {
    fn kind(&self) -> &'static str {
        "cast"
    }

    fn check(&self) -> Result<(), Fault> {
        let known = self.from != Element::I16 && self.to != Element::I16;
        require(known, Fault::Shape)?;
        checked_len(&[self.len]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(self.from, self.len)
    }

    fn outputs(&self) -> Extents {
        one(self.to, self.len)
    }

    fn in_place(&self) -> bool {
        self.from == self.to
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        use Element::{F32, I8, I32};
        match (self.from, self.to) {
            (F32, I32) => map(&mut args, |x: f32| x as i32),
            (F32, I8) => map(&mut args, |x: f32| i8::from(x != 0.0)),
            (I32, F32) => map(&mut args, |x: i32| x as f32),
            (I32, I8) => map(&mut args, |x: i32| i8::from(x != 0)),
            (I8, F32) => map(&mut args, |x: i8| f32::from(u8::from(x != 0))),
            (I8, I32) => map(&mut args, |x: i8| i32::from(x != 0)),
            _ => drop(args.replace_input::<i8>().len()),
        }
    }
}

fn map<A: bytemuck::AnyBitPattern, B: bytemuck::Pod>(args: &mut Args<'_>, f: impl Fn(A) -> B) {
    let input = args.input(0);
    for (out, &x) in args.output(0).iter_mut().zip(input) {
        *out = f(x);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Data, bytes, floats, hostile, ints, run};
    use super::*;

    fn cast(data: Data, from: Element, to: Element, len: usize) -> Data {
        run(&Cast { from, to, len }, &[data], &[]).remove(0)
    }

    #[test]
    fn every_change() {
        use Element::{F32, I8, I32};
        let reals = floats(&[-1.7, 1e10, f32::NAN, 0.0]);
        assert_eq!(
            cast(reals.clone(), F32, I32, 4),
            ints(&[-1, i32::MAX, 0, 0])
        );
        assert_eq!(cast(reals, F32, I8, 4), bytes(&[1, 1, 1, 0]));
        assert_eq!(cast(ints(&[-3, 0]), I32, F32, 2), floats(&[-3.0, 0.0]));
        assert_eq!(cast(ints(&[256, 0]), I32, I8, 2), bytes(&[1, 0]));
        assert_eq!(cast(bytes(&[1, 0]), I8, F32, 2), floats(&[1.0, 0.0]));
        assert_eq!(cast(bytes(&[1, 0]), I8, I32, 2), ints(&[1, 0]));
        assert_eq!(cast(ints(&[7, -9]), I32, I32, 2), ints(&[7, -9]));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[Cast {
            from: Element::F32,
            to: Element::I8,
            len: 5,
        }]);
    }
}
