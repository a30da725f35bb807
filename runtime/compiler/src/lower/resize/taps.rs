//! What each element of a resized axis is made of, as ONNX defines `Resize`.

use crate::error::Refusal;
use crate::ops::resample::Taps;

/// How a place in the output becomes one in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    TfHalfPixel,
    AlignCorners,
    Asymmetric,
    CropAndResize,
}

/// Which neighbour is the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
}

/// What is made of the neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Method {
    Nearest(Nearest),
    Linear,
    /// With the coefficient of the cubic.
    Cubic(f64),
}

/// How all axes are resampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampling {
    pub rules: Rules,
    pub method: Method,
    pub antialias: bool,
    pub exclude_outside: bool,
    /// What lies outside of a crop.
    pub outside: f64,
}

/// One axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub in_len: usize,
    pub out_len: usize,
    pub scale: f64,
    /// Start and end of the crop, in units of the axis.
    pub crop: Option<[f64; 2]>,
}

/// Most taps of an axis.
const TAPS_MAX: usize = 1 << 24;

/// Each element by itself, as two taps.
pub(super) fn identity(len: usize) -> Taps {
    Taps {
        taps: 2,
        places: (0..len as i32).flat_map(|place| [place; 2]).collect(),
        weights: [1.0, 0.0].repeat(len),
    }
}

impl Sampling {
    /// What the elements of `axis` are made of.
    pub fn taps(&self, axis: &Axis) -> Result<Taps, Refusal> {
        // Antialiasing widens the filter where the axis shrinks.
        let scale = if self.antialias {
            axis.scale.min(1.0)
        } else {
            1.0
        };
        let taps = match self.method {
            Method::Nearest(_) => 1,
            Method::Linear => (2.0 / scale).ceil() as usize + usize::from(scale < 1.0),
            Method::Cubic(_) => (4.0 / scale).ceil() as usize + usize::from(scale < 1.0),
        };
        if taps.saturating_mul(axis.out_len) > TAPS_MAX {
            return Err(Refusal::TooMany {
                what: "taps of a resized axis",
                found: taps,
                most: TAPS_MAX / axis.out_len.max(1),
            });
        }
        let mut table = Taps {
            taps,
            places: Vec::new(),
            weights: Vec::new(),
        };
        for out in 0..axis.out_len {
            self.element(axis, scale, self.coordinate(axis, out as f64), &mut table);
        }
        Ok(table)
    }

    /// The coordinate in the input of element `out` of the output.
    fn coordinate(&self, axis: &Axis, out: f64) -> f64 {
        let (input, output) = (axis.in_len as f64, axis.out_len as f64);
        // Scales may not divide evenly; corners and crops are those of the resized, uncut axis.
        let resized = input * axis.scale;
        let half_pixel = (out + 0.5) / axis.scale - 0.5;
        match self.rules {
            Rules::HalfPixel => half_pixel,
            Rules::HalfPixelSymmetric => {
                let adjustment = output / resized;
                let centre = input / 2.0;
                centre * (1.0 - adjustment) + half_pixel
            }
            Rules::PytorchHalfPixel if resized <= 1.0 => -0.5,
            Rules::PytorchHalfPixel => half_pixel,
            Rules::TfHalfPixel => (out + 0.5) / axis.scale,
            Rules::AlignCorners if resized == 1.0 => 0.0,
            Rules::AlignCorners => out * (input - 1.0) / (resized - 1.0),
            Rules::Asymmetric => out / axis.scale,
            Rules::CropAndResize => {
                let [start, end] = axis.crop.unwrap_or([0.0, 1.0]);
                if output > 1.0 {
                    (start + out * (end - start) / (output - 1.0)) * (input - 1.0)
                } else {
                    (start + end) * (input - 1.0) / 2.0
                }
            }
        }
    }

    /// Adds the taps of the element at `coordinate`.
    fn element(&self, axis: &Axis, scale: f64, coordinate: f64, table: &mut Taps) {
        let last = axis.in_len as f64 - 1.0;
        let is_outside = !(0.0..=last).contains(&coordinate);
        if self.rules == Rules::CropAndResize && is_outside {
            table.places.extend(vec![-1; table.taps]);
            table.weights.push(1.0);
            table.weights.extend(vec![0.0; table.taps - 1]);
            return;
        }
        if let Method::Nearest(nearest) = self.method {
            let place = match nearest {
                Nearest::RoundPreferFloor => (coordinate - 0.5).ceil(),
                Nearest::RoundPreferCeil => (coordinate + 0.5).floor(),
                Nearest::Floor => coordinate.floor(),
                Nearest::Ceil => coordinate.ceil(),
            };
            table.places.push(place.clamp(0.0, last) as i32);
            table.weights.push(1.0);
            return;
        }
        // Neighbours on both sides, from the first that the filter reaches on.
        let reach = if self.method == Method::Linear {
            1.0
        } else {
            2.0
        } / scale;
        let first = (coordinate - reach).floor() + 1.0;
        let places = (0..table.taps).map(|tap| first + tap as f64);
        let weight = |place: f64| {
            let is_excluded = self.exclude_outside && !(0.0..=last).contains(&place);
            if is_excluded {
                0.0
            } else {
                self.filter((place - coordinate) * scale)
            }
        };
        let weights: Vec<f64> = places.clone().map(weight).collect();
        let sum: f64 = weights.iter().sum();
        table
            .places
            .extend(places.map(|place| place.clamp(0.0, last) as i32));
        table
            .weights
            .extend(weights.iter().map(|weight| (weight / sum) as f32));
    }

    /// The weight of a neighbour at that distance.
    fn filter(&self, distance: f64) -> f64 {
        let x = distance.abs();
        match self.method {
            Method::Nearest(_) => 1.0,
            Method::Linear => (1.0 - x).max(0.0),
            Method::Cubic(a) if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            Method::Cubic(a) if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            Method::Cubic(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(rules: Rules, method: Method) -> Sampling {
        Sampling {
            rules,
            method,
            antialias: false,
            exclude_outside: false,
            outside: 0.0,
        }
    }

    #[test]
    fn linear_doubling_by_half_pixels() {
        let axis = Axis {
            in_len: 2,
            out_len: 4,
            scale: 2.0,
            crop: None,
        };
        let taps = sampling(Rules::HalfPixel, Method::Linear)
            .taps(&axis)
            .unwrap();
        assert_eq!(taps.places, [0, 0, 0, 1, 0, 1, 1, 1]);
        assert_eq!(
            taps.weights,
            [0.25, 0.75, 0.75, 0.25, 0.25, 0.75, 0.75, 0.25]
        );
    }

    #[test]
    fn halves_go_to_the_floor_or_the_ceiling() {
        let axis = Axis {
            in_len: 4,
            out_len: 2,
            scale: 0.5,
            crop: None,
        };
        let places = |nearest| {
            let it = sampling(Rules::HalfPixel, Method::Nearest(nearest));
            it.taps(&axis).unwrap().places
        };
        assert_eq!(places(Nearest::RoundPreferFloor), [0, 2]);
        assert_eq!(places(Nearest::RoundPreferCeil), [1, 3]);
    }
}
