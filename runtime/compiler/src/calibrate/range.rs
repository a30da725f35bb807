//! Ranges of real numbers, and the ways to choose one for int8.

use crate::graph::Quantization;
use std::fmt;

/// Values of int8 beside the lowest.
const STEPS: f64 = 255.0;
/// Bins of a histogram.
const BINS: usize = 2048;

/// Real numbers from `low` to `high`, zero among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub low: f64,
    pub high: f64,
}

impl Range {
    /// Zero alone.
    pub const ZERO: Self = Self {
        low: 0.0,
        high: 0.0,
    };

    /// With all of `values`; `None` where one is infinite or NaN.
    pub fn with(self, values: &[f32]) -> Option<Self> {
        let (mut low, mut high) = (self.low as f32, self.high as f32);
        let mut finite = true;
        for &value in values {
            finite &= value.is_finite();
            low = low.min(value);
            high = high.max(value);
        }
        finite.then_some(Self {
            low: low.into(),
            high: high.into(),
        })
    }

    /// The smallest range that holds both.
    pub fn union(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// With both ends moved by factors.
    pub fn scaled(self, low: f64, high: f64) -> Self {
        Self {
            low: self.low * low,
            high: self.high * high,
        }
    }

    /// The int8 values that cover it best; zero is one of them exactly.
    pub fn quantization(self) -> Quantization {
        let scale = (self.high - self.low) / STEPS;
        let usable = scale as f32 > f32::MIN_POSITIVE && (scale as f32).is_finite();
        if !usable {
            let scale = 1.0 / 128.0;
            return Quantization { scale, zero: 0 };
        }
        // A cast of a float saturates.
        let zero = (f64::from(i8::MIN) - self.low / scale).round() as i8;
        // With the zero point rounded, both ends are within half a step of the int8 ends.
        let scale = scale as f32;
        Quantization { scale, zero }
    }
}

/// How a range was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Everything that the samples showed.
    MinMax,
    /// All but the outermost values: this many percent.
    Percentile(f64),
    /// The least mean square error of rounding and clipping.
    MeanSquare,
    /// One of the others, moved until the model's outputs were nearest to the float model's.
    Searched,
    /// The operator knows it.
    Fixed,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinMax => f.write_str("min-max"),
            Self::Percentile(percent) => write!(f, "percentile {percent}"),
            Self::MeanSquare => f.write_str("mean square"),
            Self::Searched => f.write_str("searched"),
            Self::Fixed => f.write_str("fixed"),
        }
    }
}

/// The methods that look at an edge alone.
pub(super) const METHODS: [Method; 5] = [
    Method::MinMax,
    Method::Percentile(99.999),
    Method::Percentile(99.99),
    Method::Percentile(99.9),
    Method::MeanSquare,
];

/// How often values fall into each part of a range.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    range: Range,
    counts: Vec<u64>,
    /// Values that are exactly zero, which every quantization keeps.
    zeros: u64,
}

impl Histogram {
    pub fn new(range: Range) -> Self {
        Self {
            range,
            counts: vec![0; BINS],
            zeros: 0,
        }
    }

    pub fn add(&mut self, values: &[f32]) {
        let low = self.range.low as f32;
        let width = self.width() as f32;
        if width <= 0.0 {
            self.zeros += values.len() as u64;
            return;
        }
        for &value in values {
            if value == 0.0 {
                self.zeros += 1;
            } else {
                // A cast of a float saturates.
                let bin = ((value - low) / width) as usize;
                self.counts[bin.min(BINS - 1)] += 1;
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.zeros += other.zeros;
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// The range that `method` chooses.
    pub fn range(&self, method: Method) -> Range {
        match method {
            Method::Percentile(percent) => self.percentile(percent / 100.0),
            Method::MeanSquare => self.mean_square(),
            Method::MinMax | Method::Searched | Method::Fixed => self.range,
        }
    }

    fn width(&self) -> f64 {
        (self.range.high - self.range.low) / BINS as f64
    }

    fn edge(&self, bin: usize) -> f64 {
        self.range.low + self.width() * bin as f64
    }

    /// The range that leaves `1 − share` of the values out, half of them at each end.
    fn percentile(&self, share: f64) -> Range {
        let all = self.zeros + self.counts.iter().sum::<u64>();
        let out = (all as f64 * (1.0 - share) / 2.0) as u64;
        let (first, last) = (
            self.first_kept(0..BINS, out),
            self.first_kept((0..BINS).rev(), out),
        );
        let first = first.map_or(0.0, |bin| self.edge(bin));
        let last = last.map_or(0.0, |bin| self.edge(bin + 1));
        Range {
            low: first.min(0.0),
            high: last.max(0.0),
        }
    }

    /// The first of `bins` in which more than `out` values have been seen.
    fn first_kept(&self, mut bins: impl Iterator<Item = usize>, out: u64) -> Option<usize> {
        let mut seen = 0;
        bins.find(|&bin| {
            seen += self.counts[bin];
            seen > out
        })
    }

    /// The range of the least sum of squared errors, of rounding within and of clipping outside.
    fn mean_square(&self) -> Range {
        const TRIES: usize = 64;
        let moments = Moments::new(self);
        let share = |step: usize| (step + 1) as f64 / TRIES as f64;
        let steps = |end: f64| {
            if end == 0.0 {
                TRIES - 1..TRIES
            } else {
                0..TRIES
            }
        };
        let mut best = (f64::INFINITY, self.range);
        for low in steps(self.range.low) {
            for high in steps(self.range.high) {
                let range = self.range.scaled(share(low), share(high));
                let error = moments.error(range);
                if error < best.0 {
                    best = (error, range);
                }
            }
        }
        best.1
    }
}

/// Sums over the bins before each one: of counts, values and squares.
struct Moments<'a> {
    histogram: &'a Histogram,
    sums: Vec<[f64; 3]>,
}

impl<'a> Moments<'a> {
    fn new(histogram: &'a Histogram) -> Self {
        let mut sums = vec![[0.0; 3]];
        let mut sum = [0.0; 3];
        for (bin, &count) in histogram.counts.iter().enumerate() {
            let middle = histogram.edge(bin) + histogram.width() / 2.0;
            for (power, sum) in sum.iter_mut().enumerate() {
                *sum += count as f64 * middle.powi(power as i32);
            }
            sums.push(sum);
        }
        Self { histogram, sums }
    }

    /// The sum of squared errors when `range` becomes int8.
    fn error(&self, range: Range) -> f64 {
        let bin = |end: f64| {
            let at = (end - self.histogram.range.low) / self.histogram.width();
            // A cast of a float saturates, and not a number is 0.
            (at.round() as usize).min(BINS)
        };
        let (first, last) = (bin(range.low), bin(range.high));
        let between = |from: usize, to: usize| {
            let (from, to) = (self.sums[from], self.sums[to]);
            [0, 1, 2].map(|power: usize| to[power] - from[power])
        };
        // Σ (x − end)² = Σ x² − 2 end Σ x + end² n
        let clipped =
            |[count, sum, square]: [f64; 3], end: f64| square - 2.0 * end * sum + end * end * count;
        let step = (range.high - range.low) / STEPS;
        let [inside, ..] = between(first, last.max(first));
        inside * step * step / 12.0
            + clipped(between(0, first), range.low)
            + clipped(between(last, BINS), range.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_exact_and_both_ends_are_held() {
        for (low, high) in [(-1.0, 3.0), (0.0, 6.0), (-0.3, 0.0), (-1e-3, 100.0)] {
            let range = Range { low, high };
            let quantization = range.quantization();
            assert_eq!(quantization.quantize(0.0), quantization.zero);
            let step = f64::from(quantization.scale);
            for end in [low, high] {
                let value = f64::from(quantization.quantize(end));
                let real = step * (value - f64::from(quantization.zero));
                assert!((real - end).abs() <= step * 0.51, "{end}: {real}");
            }
        }
    }

    #[test]
    fn what_is_always_zero_has_a_usable_scale() {
        let quantization = Range::ZERO.quantization();
        assert!(quantization.scale > 0.0 && quantization.zero == 0);
    }

    #[test]
    fn outliers_are_left_out_by_percentile_and_by_mean_square() {
        let range = Range {
            low: 0.0,
            high: 1000.0,
        };
        let mut histogram = Histogram::new(range);
        let bulk: Vec<f32> = (0..100_000).map(|at| (at % 1000) as f32 / 100.0).collect();
        histogram.add(&bulk);
        histogram.add(&[1000.0]);
        assert_eq!(histogram.range(Method::MinMax), range);
        let percentile = histogram.range(Method::Percentile(99.9));
        assert!((9.0..12.0).contains(&percentile.high), "{percentile:?}");
        // n values rounded by high / 255 and one clipped by 1000 − high have the least error
        // where high is 1000 / (1 + n / (12 · 255²)); 1000 / 64 lie between tries.
        let nearly = |found: Range, many: f64| {
            let best = 1000.0 / (1.0 + many / (12.0 * STEPS * STEPS));
            assert!((found.high - best).abs() < 16.0, "{found:?}, not {best}");
        };
        nearly(histogram.range(Method::MeanSquare), 1e5);
        let one = histogram.clone();
        for _ in 0..49 {
            histogram.add(&bulk);
        }
        nearly(histogram.range(Method::MeanSquare), 5e6);
        for _ in 0..100 {
            histogram.merge(&one);
        }
        nearly(histogram.range(Method::MeanSquare), 15e6 / 101.0);
    }
}
