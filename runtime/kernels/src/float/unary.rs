//! Functions of one float, element by element, in place.

use super::math;
use crate::arch::simd::Kernel;
use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Which function. `alpha` and `beta` are those of [`Function`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnaryKind {
    /// `|x|`
    Abs,
    /// `−x`
    Neg,
    /// `e^x`
    Exp,
    /// `ln x`
    Log,
    /// `√x`
    Sqrt,
    /// `1 / x`
    Reciprocal,
    /// The largest integer that is not above `x`.
    Floor,
    /// The smallest integer that is not below `x`.
    Ceil,
    /// The nearest integer, halves to the even one.
    Round,
    /// −1, 0 or 1.
    Sign,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Tangent.
    Tan,
    /// Arc sine.
    Asin,
    /// Arc cosine.
    Acos,
    /// Arc tangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Its inverse for the sine.
    Asinh,
    /// Its inverse for the cosine.
    Acosh,
    /// Its inverse for the tangent.
    Atanh,
    /// `1 / (1 + e^−x)`
    Sigmoid,
    /// The error function.
    Erf,
    /// `max(x, 0)`
    Relu,
    /// `alpha · x` below 0, else `x`.
    LeakyRelu,
    /// `alpha · (e^x − 1)` below 0, else `x`.
    Elu,
    /// `alpha · (e^(x / alpha) − 1)` below 0, else `x`.
    Celu,
    /// `beta · elu(x)`; beta is ONNX's gamma.
    Selu,
    /// `x` above `alpha`, else 0.
    ThresholdedRelu,
    /// `alpha · x + beta`, limited to 0..1.
    HardSigmoid,
    /// `x · (x / 6 + 1/2)`, the factor limited to 0..1.
    HardSwish,
    /// `ln(1 + e^x)`
    Softplus,
    /// `x / (1 + |x|)`
    Softsign,
    /// `x · Φ(x)`
    Gelu,
    /// The same with a hyperbolic tangent for Φ.
    GeluTanh,
    /// `x · tanh(softplus(x))`
    Mish,
    /// `x · sigmoid(alpha · x)`
    Swish,
    /// Limited to `alpha..=beta`; NaN stays.
    Clip,
    /// `x` moved by `beta` towards 0 where `|x| > alpha`, else 0.
    Shrink,
    /// `alpha · x + beta`
    Affine,
    /// `alpha · tanh(beta · x)`
    ScaledTanh,
}

/// A function and its two parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Which.
    pub kind: UnaryKind,
    /// First parameter, where the function has one.
    pub alpha: f32,
    /// Second parameter, where the function has one.
    pub beta: f32,
}

impl Function {
    /// A function without parameters.
    pub const fn plain(kind: UnaryKind) -> Self {
        Self {
            kind,
            alpha: 1.0,
            beta: 0.0,
        }
    }

    /// Replaces each of `values` by its image.
    #[inline(always)]
    pub fn apply(&self, values: &mut [f32]) {
        use UnaryKind as Kind;
        let (alpha, beta) = (self.alpha, self.beta);
        match self.kind {
            Kind::Abs => each(values, f32::abs),
            Kind::Neg => each(values, |x| -x),
            Kind::Exp => each(values, math::exp),
            Kind::Log => each(values, libm::logf),
            Kind::Sqrt => each(values, libm::sqrtf),
            Kind::Reciprocal => each(values, |x| 1.0 / x),
            Kind::Floor => each(values, libm::floorf),
            Kind::Ceil => each(values, libm::ceilf),
            Kind::Round => each(values, libm::rintf),
            Kind::Sign => each(values, sign),
            Kind::Sigmoid => each(values, math::sigmoid),
            Kind::Erf => each(values, math::erf),
            Kind::Relu => each(values, |x| if x < 0.0 { 0.0 } else { x }),
            Kind::LeakyRelu => each(values, |x| if x < 0.0 { alpha * x } else { x }),
            Kind::Elu => each(values, |x| elu(x, alpha)),
            Kind::Celu => each(values, |x| celu(x, alpha)),
            Kind::Selu => each(values, |x| beta * elu(x, alpha)),
            Kind::ThresholdedRelu => each(values, |x| if x > alpha { x } else { 0.0 }),
            Kind::HardSigmoid => each(values, |x| clip(alpha * x + beta, 0.0, 1.0)),
            Kind::HardSwish => each(values, |x| x * clip(x / 6.0 + 0.5, 0.0, 1.0)),
            Kind::Softplus => each(values, math::softplus),
            Kind::Softsign => each(values, |x| x / (1.0 + x.abs())),
            Kind::Gelu => each(values, gelu),
            Kind::GeluTanh => each(values, gelu_tanh),
            Kind::Mish => each(values, |x| x * math::tanh(math::softplus(x))),
            Kind::Swish => each(values, |x| x * math::sigmoid(alpha * x)),
            Kind::Clip => each(values, |x| clip(x, alpha, beta)),
            Kind::Shrink => each(values, |x| shrink(x, alpha, beta)),
            Kind::Affine => each(values, |x| alpha * x + beta),
            Kind::ScaledTanh => each(values, |x| alpha * math::tanh(beta * x)),
            angle => trigonometric(angle, values),
        }
    }
}

/// The circular and hyperbolic functions and their inverses.
#[inline(always)]
fn trigonometric(kind: UnaryKind, values: &mut [f32]) {
    use UnaryKind as Kind;
    match kind {
        Kind::Sin => each(values, libm::sinf),
        Kind::Cos => each(values, libm::cosf),
        Kind::Tan => each(values, libm::tanf),
        Kind::Asin => each(values, libm::asinf),
        Kind::Acos => each(values, libm::acosf),
        Kind::Atan => each(values, libm::atanf),
        Kind::Sinh => each(values, libm::sinhf),
        Kind::Cosh => each(values, libm::coshf),
        Kind::Asinh => each(values, libm::asinhf),
        Kind::Acosh => each(values, libm::acoshf),
        Kind::Atanh => each(values, libm::atanhf),
        _ => each(values, math::tanh),
    }
}

#[inline(always)]
fn each(values: &mut [f32], function: impl Fn(f32) -> f32) {
    for value in values {
        *value = function(*value);
    }
}

fn sign(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}

/// `x` limited to `min..=max`; `max` where that is empty. NaN stays NaN.
#[inline(always)]
pub(super) fn clip(x: f32, min: f32, max: f32) -> f32 {
    let above = if x < min { min } else { x };
    if above > max { max } else { above }
}

fn elu(x: f32, alpha: f32) -> f32 {
    if x < 0.0 { alpha * libm::expm1f(x) } else { x }
}

fn celu(x: f32, alpha: f32) -> f32 {
    if x < 0.0 {
        alpha * libm::expm1f(x / alpha)
    } else {
        x
    }
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + math::erf(x * core::f32::consts::FRAC_1_SQRT_2))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    let inner = SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x);
    0.5 * x * (1.0 + math::tanh(inner))
}

fn shrink(x: f32, limit: f32, bias: f32) -> f32 {
    if x < -limit {
        x + bias
    } else if x > limit {
        x - bias
    } else {
        0.0
    }
}

/// Parameters of an element-wise function.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unary {
    /// The function.
    pub function: Function,
    /// Elements.
    pub len: usize,
}

impl Operator for Unary {
    fn kind(&self) -> &'static str {
        "unary_f32"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.len]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.len)
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.len)
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, set: &KernelSet, mut args: Args<'_>) {
        let values = args.replace_input();
        set.float.simd.run(Apply(self.function, values));
    }
}

struct Apply<'a>(Function, &'a mut [f32]);

impl Kernel for Apply<'_> {
    #[inline(always)]
    fn run(self) {
        self.0.apply(self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{close, floats, hostile, noise, run};
    use super::*;

    /// The function of `kind` with alpha 0.7 and beta 0.3, in double precision.
    fn exact(kind: UnaryKind, x: f64) -> f64 {
        use UnaryKind as Kind;
        let (a, b) = (f64::from(0.7_f32), f64::from(0.3_f32));
        let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
        let elu = |x: f64, a: f64| if x < 0.0 { a * libm::expm1(x) } else { x };
        match kind {
            Kind::Abs => libm::fabs(x),
            Kind::Neg => -x,
            Kind::Exp => libm::exp(x),
            Kind::Log => libm::log(x),
            Kind::Sqrt => libm::sqrt(x),
            Kind::Reciprocal => 1.0 / x,
            Kind::Floor => libm::floor(x),
            Kind::Ceil => libm::ceil(x),
            Kind::Round => libm::rint(x),
            Kind::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
            Kind::Sin => libm::sin(x),
            Kind::Cos => libm::cos(x),
            Kind::Tan => libm::tan(x),
            Kind::Asin => libm::asin(x),
            Kind::Acos => libm::acos(x),
            Kind::Atan => libm::atan(x),
            Kind::Sinh => libm::sinh(x),
            Kind::Cosh => libm::cosh(x),
            Kind::Tanh => libm::tanh(x),
            Kind::Asinh => libm::asinh(x),
            Kind::Acosh => libm::acosh(x),
            Kind::Atanh => libm::atanh(x),
            Kind::Sigmoid => sigmoid(x),
            Kind::Erf => libm::erf(x),
            Kind::Relu => x.max(0.0),
            Kind::LeakyRelu => x.max(0.0) + a * x.min(0.0),
            Kind::Elu => elu(x, a),
            Kind::Celu => x.max(0.0) + a * libm::expm1(x.min(0.0) / a),
            Kind::Selu => b * elu(x, a),
            Kind::ThresholdedRelu => f64::from(u8::from(x > a)) * x,
            Kind::HardSigmoid => (a * x + b).clamp(0.0, 1.0),
            Kind::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Kind::Softplus => libm::log1p(libm::exp(x)),
            Kind::Softsign => x / (1.0 + x.abs()),
            Kind::Gelu => x * (1.0 + libm::erf(x / libm::sqrt(2.0))) / 2.0,
            Kind::GeluTanh => {
                let inner = libm::sqrt(2.0 / core::f64::consts::PI) * (x + 0.044715 * x * x * x);
                x * (1.0 + libm::tanh(inner)) / 2.0
            }
            Kind::Mish => x * libm::tanh(libm::log1p(libm::exp(x))),
            Kind::Swish => x * sigmoid(a * x),
            Kind::Clip => x.max(a).min(b),
            Kind::Shrink if x.abs() <= a => 0.0,
            Kind::Shrink => x - b.copysign(x),
            Kind::Affine => a * x + b,
            Kind::ScaledTanh => a * libm::tanh(b * x),
        }
    }

    /// Every kind, by its number.
    fn kinds() -> impl Iterator<Item = UnaryKind> {
        (0..=u8::MAX).map_while(|kind| postcard::from_bytes(&[kind]).ok())
    }

    #[test]
    fn every_function_is_within_2e_6() {
        assert_eq!(kinds().last(), Some(UnaryKind::ScaledTanh));
        let mut values = noise(1, 300);
        values.extend([0.0, -0.5, 0.5, 1.5, 2.5, -1.5, 30.0, -30.0]);
        for kind in kinds() {
            let function = Function {
                kind,
                alpha: 0.7,
                beta: 0.3,
            };
            let unary = Unary {
                function,
                len: values.len(),
            };
            let got = run(&unary, &[floats(&values)], &[]);
            let expected = values.iter().map(|&x| exact(kind, f64::from(x)));
            close(&got[0], expected, 2e-6);
        }
    }

    #[test]
    fn nan_stays_nan_where_it_is_limited() {
        for kind in [
            UnaryKind::Clip,
            UnaryKind::Relu,
            UnaryKind::HardSigmoid,
            UnaryKind::Exp,
        ] {
            let mut values = [f32::NAN];
            Function::plain(kind).apply(&mut values);
            assert!(values[0].is_nan(), "{kind:?}");
        }
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        let function = Function::plain(UnaryKind::Mish);
        hostile(&[Unary { function, len: 17 }]);
    }
}
