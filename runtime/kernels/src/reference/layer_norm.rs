//! Normalisation over some axes: to mean 0 and variance 1 (layer, group and instance norm), or to
//! a root mean square of 1.

use crate::fixed::inverse_sqrt;
use crate::num::{Multiplier, Output};
use crate::operator::{
    Args, Element, Extent, Extents, Fault, Operator, checked_len, extents, one, require,
};
use crate::rules;
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each};
use serde::{Deserialize, Serialize};

/// Most elements that are normalised together: keeps sums of squares within 64 bits.
pub const NORMALIZED_MAX: usize = 1 << 19;
/// Largest [`LayerNorm::epsilon`].
pub const EPSILON_MAX: u64 = 1 << 62;

/// Parameters of a normalisation. Input and output lie in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerNorm {
    /// Elements along each axis: first those that are kept apart, then those that are normalised.
    pub dims: [usize; AXES],
    /// How many axes are kept apart.
    pub kept: usize,
    /// How the axes lie in memory; together they are all of it.
    pub view: Strides,
    /// Whether the mean is left as it is, and not subtracted.
    pub rms: bool,
    /// Zero point of the input.
    pub zero: i8,
    /// What is added to the variance, over the square of the input's scale, times the square of
    /// how many elements are normalised together, times 256.
    pub epsilon: u64,
    /// How gamma and beta are read along the axes, if there are any: two constants, int16 and
    /// int32. With a scale `s` of gamma, that of beta is `s · 2^−8`.
    pub affine: Option<Strides>,
    /// With gamma and beta, `s · 2^−8` over the output's scale; else `2^−20` over it.
    pub factor: Multiplier,
    /// How scaled values become outputs.
    pub store: Output,
}

/// Mean and deviation of elements that are normalised together.
#[derive(Clone, Copy)]
struct Moments {
    /// How many they are.
    count: i64,
    /// What is subtracted from `count` times an element.
    sum: i64,
    /// Mantissa in Q1.30, and the power of two that divides it, of the inverse of 16 times the
    /// square root; `None` if all that is normalised is 0.
    inverse: Option<(u32, u32)>,
}

/// Fractional bits of a normalised value.
const BITS: u32 = 20;

impl Moments {
    fn normalize(self, value: i8) -> i32 {
        let Some((mantissa, exponent)) = self.inverse else {
            return 0;
        };
        let deviation = self.count * i64::from(value) - self.sum;
        // The mantissa has 30 fractional bits; the root is 16 times too large.
        let shift = 30 + exponent - 4 - BITS;
        ((deviation * i64::from(mantissa) + (1 << (shift - 1))) >> shift) as i32
    }
}

impl LayerNorm {
    fn kept_dims(&self) -> [usize; AXES] {
        let mut dims = self.dims;
        dims[self.kept..].fill(1);
        dims
    }

    fn normalized_dims(&self) -> [usize; AXES] {
        let mut dims = self.dims;
        dims[..self.kept].fill(1);
        dims
    }

    fn moments(&self, view: &Strides, input: &[i8]) -> Moments {
        let dims = self.normalized_dims();
        let count = dims.iter().product::<usize>() as i64;
        let (mut sum, mut squares) = (0, 0);
        for_each(dims, |index| {
            let value = i64::from(input[view.at(index)]) - i64::from(self.zero);
            sum += value;
            squares += value * value;
        });
        let root = count * squares - if self.rms { 0 } else { sum * sum };
        let zero = count * i64::from(self.zero);
        Moments {
            count,
            sum: zero + if self.rms { 0 } else { sum },
            inverse: inverse_sqrt(((root as u64) << 8) + self.epsilon),
        }
    }

    fn output(&self, normalized: i32, affine: Option<(i16, i32)>) -> i8 {
        let sum = match affine {
            None => normalized,
            Some((gamma, beta)) => {
                let product = i64::from(normalized) * i64::from(gamma);
                let sum = ((product + (1 << 11)) >> 12) + i64::from(beta);
                sum.clamp(i32::MIN.into(), i32::MAX.into()) as i32
            }
        };
        self.store.store(self.factor.apply(sum))
    }
}

impl Operator for LayerNorm {
    fn kind(&self) -> &'static str {
        if self.rms { "rms_norm" } else { "layer_norm" }
    }

    fn check(&self) -> Result<(), Fault> {
        require(self.kept <= AXES, Fault::Size)?;
        checked_len(&self.dims)?;
        let count: usize = self.normalized_dims().iter().product();
        require(count <= NORMALIZED_MAX, Fault::Size)?;
        require(self.view.is_permutation(self.dims), Fault::Shape)?;
        require(self.epsilon <= EPSILON_MAX, Fault::Number)?;
        if let Some(affine) = self.affine {
            affine.check_reach(self.dims)?;
        }
        rules::factor(self.factor)?;
        rules::store(&self.store)
    }

    fn inputs(&self) -> Extents {
        one(Element::I8, self.dims.iter().product())
    }

    fn outputs(&self) -> Extents {
        self.inputs()
    }

    fn constants(&self) -> Extents {
        let Some(affine) = self.affine else {
            return Extents::new();
        };
        let len = affine.reach(self.dims);
        extents(&[
            Extent::new(Element::I16, len),
            Extent::new(Element::I32, len),
        ])
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let affine = self.affine.map(|view| {
            let (gamma, beta) = (args.constant(0), args.constant(1));
            (view, gamma, beta)
        });
        layer_norm(self, affine, args.replace_input());
    }
}

/// Normalises `values` where they are. Gamma and beta come with how they are read.
pub fn layer_norm(
    params: &LayerNorm,
    affine: Option<(Strides, &[i16], &[i32])>,
    values: &mut [i8],
) {
    for_each(params.kept_dims(), |kept| {
        let within = |view: Strides| Strides {
            offset: view.at(kept),
            ..view
        };
        let view = within(params.view);
        let affine = affine.map(|(view, gamma, beta)| (within(view), gamma, beta));
        let moments = params.moments(&view, values);
        for_each(params.normalized_dims(), |index| {
            let affine = affine.map(|(view, gamma, beta)| {
                let at = view.at(index);
                (gamma[at], beta[at])
            });
            let value = &mut values[view.at(index)];
            *value = params.output(moments.normalize(*value), affine);
        });
    });
}
