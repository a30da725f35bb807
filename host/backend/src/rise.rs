//! Which parts of an image an answer rests on: RISE (Petsiuk, Das, Saenko: *RISE: Randomized Input
//! Sampling for Explanation of Black-box Models*, BMVC 2018).
//!
//! Many masked copies of the image are run; a pixel's saliency is the mean score of those that show
//! it, `Σ score · mask / (masks · keep)`. This is the specification, and how an executor runs that
//! has no better way; the GPU executor makes masks and sums where the samples lie.

use crate::{Backend, BackendError};
use microtome_plan::{Element, Manifest, Port};

/// Most elements along an axis of the grid.
pub const GRID_MAX: usize = 256;
/// Samples that are run at once by [`explain`].
const BATCH: usize = 16;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// How many masks.
    pub masks: u32,
    /// Cells of a mask along rows and columns, at most [`GRID_MAX`]; each is kept or hidden, and
    /// what lies between the middles of cells is interpolated.
    pub grid: [usize; 2],
    /// Probability that a cell is kept; above 0, at most 1.
    pub keep: f32,
    /// The same seed gives the same masks.
    pub seed: u32,
    /// What is explained.
    pub score: Score,
}

/// The mean of some elements of the plan's first output, as the arena has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Index of the first.
    pub first: usize,
    /// Elements from one to the next.
    pub step: usize,
    /// How many.
    pub count: usize,
}

/// A plan's first input as an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Rows; the steps of a sequence.
    pub height: usize,
    /// Columns; 1 for a sequence.
    pub width: usize,
    /// Elements of a pixel, which are masked together.
    pub channels: usize,
}

/// Why nothing is explained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RiseError {
    /// The first input is no image.
    #[error("the input {name} is no image or sequence: its axes are {dims:?}")]
    NoImage {
        /// The model's name of the input.
        name: String,
        /// Its axes in the arena's order.
        dims: Vec<usize>,
    },
    /// An input or output is of a type that has no scale to be masked or scored by.
    #[error("{name} holds {element:?}: only int8 and float can be masked and scored")]
    Type {
        /// The model's name of it.
        name: String,
        /// What it holds.
        element: Element,
    },
    /// There are other inputs, for which there are no values.
    #[error("the plan takes {0} inputs; only plans of one are explained")]
    Inputs(usize),
    /// The score lies outside of the first output.
    #[error("the score reaches element {last} of an output of {len}")]
    Score {
        /// Index of its last element.
        last: usize,
        /// Elements of the output.
        len: usize,
    },
    /// There are no masks, or the grid or the probability are out of range.
    #[error(
        "masks, grid and keep must be above 0, the grid at most {GRID_MAX} and keep at most 1: \
         {0:?}"
    )]
    Options(Rise),
    /// The executor failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl Image {
    /// The plan's first input, if it and `rise` are such that it can be explained.
    ///
    /// # Errors
    /// What does not fit.
    pub fn of(manifest: &Manifest<'_>, rise: &Rise) -> Result<Self, RiseError> {
        let [input] = &manifest.inputs[..] else {
            return Err(RiseError::Inputs(manifest.inputs.len()));
        };
        let output = &manifest.outputs[0];
        for port in [input, output] {
            if !matches!(port.element, Element::I8 | Element::F32) {
                return Err(RiseError::Type {
                    name: port.name.to_owned(),
                    element: port.element,
                });
            }
        }
        let in_range = |size: &usize| (1..=GRID_MAX).contains(size);
        let keeps = rise.keep > 0.0 && rise.keep <= 1.0;
        let Score { first, step, count } = rise.score;
        if rise.masks == 0 || !keeps || !rise.grid.iter().all(in_range) || count == 0 {
            return Err(RiseError::Options(*rise));
        }
        let last = step.saturating_mul(count - 1).saturating_add(first);
        let len = output.len();
        if last >= len {
            return Err(RiseError::Score { last, len });
        }
        image(input)
    }

    /// Pixels.
    pub const fn pixels(&self) -> usize {
        self.height * self.width
    }
}

fn image(port: &Port<'_>) -> Result<Image, RiseError> {
    let dims = port.order.iter().map(|&axis| port.dims[usize::from(axis)]);
    let dims: Vec<usize> = dims.collect();
    let first = dims.iter().position(|&size| size > 1).unwrap_or(0);
    let batch = dims.len().saturating_sub(3);
    match dims[first.min(batch)..] {
        [height, width, channels] => Ok(Image {
            height,
            width,
            channels,
        }),
        [height, channels] => Ok(Image {
            height,
            width: 1,
            channels,
        }),
        [height] => Ok(Image {
            height,
            width: 1,
            channels: 1,
        }),
        _ => Err(RiseError::NoImage {
            name: port.name.to_owned(),
            dims,
        }),
    }
}

impl Rise {
    /// Pixels of a cell along rows and columns.
    pub fn cell(&self, image: &Image) -> [usize; 2] {
        [
            image.height.div_ceil(self.grid[0]),
            image.width.div_ceil(self.grid[1]),
        ]
    }

    /// A cell is kept when its number is less.
    pub fn threshold(&self) -> u32 {
        (f64::from(self.keep) * 4_294_967_296.0) as u32
    }

    /// How much of the pixel mask `mask` shows, 0 to 1.
    pub fn mask(&self, image: &Image, mask: u32, [row, column]: [usize; 2]) -> f32 {
        let [height, width] = self.cell(image);
        // The grid lies anywhere within one cell to the top and left of the image.
        let nodes = [self.grid[0] + 2, self.grid[1] + 2];
        let key = hash(self.seed.wrapping_add(hash(mask)));
        let number = |index: usize| hash(key.wrapping_add(index as u32));
        let last = nodes[0] * nodes[1];
        let y = row + number(last) as usize % height;
        let x = column + number(last + 1) as usize % width;
        let node = |row: usize, column: usize| {
            let is_kept = number(row * nodes[1] + column) < self.threshold() || self.keep >= 1.0;
            f32::from(u8::from(is_kept))
        };
        let (top, left) = (y / height, x / width);
        let down = (y % height) as f32 / height as f32;
        let right = (x % width) as f32 / width as f32;
        let between = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let upper = between(node(top, left), node(top, left + 1), right);
        let lower = between(node(top + 1, left), node(top + 1, left + 1), right);
        between(upper, lower, down)
    }
}

/// A permutation of 32-bit numbers that looks random: PCG's output function (O'Neill 2014).
const fn hash(x: u32) -> u32 {
    let state = x.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}

/// The saliency of every pixel, row by row: on any executor, which runs every masked copy.
///
/// # Errors
/// When the plan cannot be explained so, or the executor fails.
pub fn explain(
    backend: &mut dyn Backend,
    manifest: &Manifest<'_>,
    input: &[u8],
    rise: &Rise,
) -> Result<Vec<f32>, RiseError> {
    let image = Image::of(manifest, rise)?;
    crate::check_inputs(manifest, &[vec![input]])?;
    let mut map = vec![0.0; image.pixels()];
    let masks: Vec<u32> = (0..rise.masks).collect();
    for masks in masks.chunks(BATCH) {
        let shown = |&mask: &u32| -> Vec<f32> {
            let pixels = (0..image.pixels()).map(|at| [at / image.width, at % image.width]);
            pixels.map(|at| rise.mask(&image, mask, at)).collect()
        };
        let shown: Vec<Vec<f32>> = masks.iter().map(shown).collect();
        let samples: Vec<_> = shown
            .iter()
            .map(|shown| masked(&manifest.inputs[0], &image, input, shown))
            .collect();
        let inputs: Vec<_> = samples.iter().map(|sample| vec![&sample[..]]).collect();
        let outputs = backend.run(&inputs)?;
        for (outputs, shown) in outputs.iter().zip(&shown) {
            let score = score(&manifest.outputs[0], &outputs[0], &rise.score);
            for (sum, shown) in map.iter_mut().zip(shown) {
                *sum += score * shown;
            }
        }
    }
    let weight = 1.0 / (rise.masks as f32 * rise.keep);
    map.iter_mut().for_each(|sum| *sum *= weight);
    Ok(map)
}

/// The input with every pixel dimmed towards zero.
fn masked(port: &Port<'_>, image: &Image, input: &[u8], shown: &[f32]) -> Vec<u8> {
    let shown = |index: usize| shown[index / image.channels];
    if port.element == Element::F32 {
        let (values, _) = input.as_chunks();
        let values = values.iter().enumerate();
        return values
            .flat_map(|(index, &bytes)| (f32::from_le_bytes(bytes) * shown(index)).to_le_bytes())
            .collect();
    }
    let zero = f32::from(port.zero);
    let dim = |(index, &value): (usize, &u8)| {
        let value = f32::from(value.cast_signed());
        let dimmed = ((value - zero) * shown(index) + zero + 0.5).floor();
        (dimmed as i8).cast_unsigned()
    };
    input.iter().enumerate().map(dim).collect()
}

/// The mean of the score's elements.
fn score(port: &Port<'_>, output: &[u8], score: &Score) -> f32 {
    let element = |index: usize| match port.element {
        Element::F32 => {
            let bytes = [0, 1, 2, 3].map(|byte| output[4 * index + byte]);
            f32::from_le_bytes(bytes)
        }
        _ => port.dequantize(output[index].cast_signed()),
    };
    let elements = (0..score.count).map(|index| element(score.first + index * score.step));
    elements.sum::<f32>() / score.count as f32
}
