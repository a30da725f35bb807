//! Resampling of one axis by a table of taps: nearest, linear, cubic, antialiased, cropped, in
//! every coordinate mode. The compiler makes the table.

use crate::operator::{
    Args, Constants, Element, Extent, Extents, Fault, Operator, checked_len, extents, one, require,
};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a resampling of the middle axis of `[outer][in_len][inner]` to `out_len`
/// elements. The constants are `[out_len][taps]`: int32 places in the input, and float weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResampleF32 {
    /// What lies outside of the axis.
    pub outer: usize,
    /// Elements of the input along the axis.
    pub in_len: usize,
    /// Elements of the output along the axis.
    pub out_len: usize,
    /// What lies inside of the axis.
    pub inner: usize,
    /// Inputs that make one output.
    pub taps: usize,
    /// What the place −1 reads.
    pub outside: f32,
}

impl Operator for ResampleF32 {
    fn kind(&self) -> &'static str {
        "resample_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.outer, self.in_len, self.inner])?;
        checked_len(&[self.outer, self.out_len, self.inner])?;
        checked_len(&[self.out_len, self.taps]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.outer * self.in_len * self.inner)
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.outer * self.out_len * self.inner)
    }

    fn constants(&self) -> Extents {
        let taps = self.out_len * self.taps;
        extents(&[
            Extent::new(Element::I32, taps),
            Extent::new(Element::F32, taps),
        ])
    }

    fn check_constants(&self, constants: &Constants<'_>) -> Result<(), Fault> {
        let places: &[i32] = constants.get(0);
        let inside = |&place: &i32| place >= -1 && (place as i64) < self.in_len as i64;
        require(places.iter().all(inside), Fault::Number)
    }

    fn macs(&self) -> usize {
        let outputs = self.outer * self.out_len * self.inner;
        outputs.saturating_mul(self.taps)
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let (places, weights) = (args.constant::<i32>(0), args.constant::<f32>(1));
        let input: &[f32] = args.input(0);
        let blocks = input.chunks_exact(self.in_len * self.inner);
        let outs = args.output(0).chunks_exact_mut(self.out_len * self.inner);
        for (block, out) in blocks.zip(outs) {
            let taps = places
                .chunks_exact(self.taps)
                .zip(weights.chunks_exact(self.taps));
            for (out, (places, weights)) in out.chunks_exact_mut(self.inner).zip(taps) {
                out.fill(0.0);
                for (&place, &weight) in places.iter().zip(weights) {
                    let Ok(place) = usize::try_from(place) else {
                        out.iter_mut().for_each(|out| *out += weight * self.outside);
                        continue;
                    };
                    let values = &block[place * self.inner..][..self.inner];
                    for (out, &x) in out.iter_mut().zip(values) {
                        *out += weight * x;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, ints, run};
    use super::*;

    const RESAMPLE: ResampleF32 = ResampleF32 {
        outer: 2,
        in_len: 2,
        out_len: 3,
        inner: 2,
        taps: 2,
        outside: -7.0,
    };

    #[test]
    fn taps_are_weighted() {
        let input = floats(&[1.0, 2.0, 3.0, 6.0, 10.0, 20.0, 30.0, 60.0]);
        let constants = [
            ints(&[0, 1, 0, 1, -1, 0]),
            floats(&[1.0, 0.0, 0.5, 0.5, 1.0, 0.0]),
        ];
        let got = run(&RESAMPLE, &[input], &constants);
        let first = [1.0, 2.0, 2.0, 4.0, -7.0, -7.0];
        let second = [10.0, 20.0, 20.0, 40.0, -7.0, -7.0];
        close(&got[0], [first, second].concat(), 0.0);
    }

    #[test]
    fn places_are_checked() {
        let places = |places: [i32; 6]| {
            let places = bytemuck::cast_slice(&places);
            let constants = Constants([places, places].into_iter().collect());
            RESAMPLE.check_constants(&constants)
        };
        assert_eq!(places([0, 1, -1, 1, 1, 1]), Ok(()));
        assert_eq!(places([0, 1, 2, 1, 1, 1]), Err(Fault::Number));
        assert_eq!(places([0, 1, -2, 1, 1, 1]), Err(Fault::Number));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[ResampleF32 {
            in_len: 5,
            ..RESAMPLE
        }]);
    }
}
