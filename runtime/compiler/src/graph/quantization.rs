//! What int8 values stand for, and the real bounds of an activation.

/// Scale and zero point: `real = scale · (value − zero)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// Distance of neighbouring values; positive and finite.
    pub scale: f32,
    /// The value that stands for zero.
    pub zero: i8,
}

impl Quantization {
    /// That of every softmax: probabilities in 1/256.
    pub const PROBABILITY: Self = Self {
        scale: 1.0 / 256.0,
        zero: -128,
    };

    /// The int8 value of `real`: half to even, then saturated, as ONNX's `QuantizeLinear`.
    pub fn quantize(self, real: f64) -> i8 {
        let scaled = (real / f64::from(self.scale)).round_ties_even() + f64::from(self.zero);
        // A cast of a float saturates.
        scaled as i8
    }
}

/// Real numbers to which an activation is clamped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Bounds {
    /// No clamp.
    pub const NONE: Self = Self {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    };

    /// The clamp to `self` and then to `next`, as one.
    pub fn then(self, next: Self) -> Self {
        Self {
            min: self.min.clamp(next.min, next.max),
            max: self.max.clamp(next.min, next.max),
        }
    }

    /// The smallest and largest int8 values of an edge with these bounds.
    pub fn quantize(self, quantization: Quantization) -> (i8, i8) {
        (
            quantization.quantize(self.min),
            quantization.quantize(self.max),
        )
    }
}
