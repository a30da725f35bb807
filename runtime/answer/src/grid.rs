//! Objects on a grid of class probabilities (FOMO: "Faster Objects, More Objects").
//!
//! A *candidate* is a cell whose most probable class other than the background has at least
//! [`CANDIDATE_MIN`] and is not exceeded by that class in the eight cells around it; of equal
//! neighbours the first in raster order wins. Candidates of at least `score_min` are detections.
//! The confidence of the frame is the mean over its candidates of `|2p − 256|`: how far, on
//! average, its decisions are from undecided. A frame without candidates has full confidence.

use crate::{Answer, DETECTIONS_MAX, Detection, Reading, probability};
use heapless::Vec;
use microtome_plan::Port;

/// Lowest probability, in 1/256, of a cell that counts for the confidence.
const CANDIDATE_MIN: u8 = 32;

pub(crate) fn read(port: &Port<'_>, output: &[u8], stride: u16, score_min: u8) -> Reading {
    let Some(grid) = Grid::new(port, output) else {
        return Reading {
            answer: Answer::Raw,
            confidence: 0,
        };
    };
    let mut found = Vec::<Detection, DETECTIONS_MAX>::new();
    let (mut more, mut candidates, mut certainty) = (0_u16, 0_u32, 0_u32);
    for row in 0..grid.height {
        for column in 0..grid.width {
            let Some((class, score)) = grid.candidate(row, column) else {
                continue;
            };
            candidates += 1;
            certainty += (2 * u32::from(score)).abs_diff(256).min(255);
            if score < score_min {
                continue;
            }
            let centre = |cell: usize| {
                (cell as u16)
                    .saturating_mul(stride)
                    .saturating_add(stride / 2)
            };
            let detection = Detection {
                class: class as u8,
                score,
                x: centre(column),
                y: centre(row),
            };
            if found.push(detection).is_err() {
                more = more.saturating_add(1);
            }
        }
    }
    let confidence = certainty
        .checked_div(candidates)
        .map_or(u8::MAX, |mean| mean as u8);
    Reading {
        answer: Answer::Objects { found, more },
        confidence,
    }
}

struct Grid<'a> {
    port: &'a Port<'a>,
    output: &'a [u8],
    height: usize,
    width: usize,
    classes: usize,
}

impl<'a> Grid<'a> {
    /// `None` when the port is no batch of one of rows, columns and at least two classes.
    fn new(port: &'a Port<'a>, output: &'a [u8]) -> Option<Self> {
        let extent = |axis: usize| {
            let from = usize::from(*port.order.get(axis)?);
            port.dims.get(from).copied()
        };
        let (height, width, classes) = (extent(1)?, extent(2)?, extent(3)?);
        let fits = port.dims.len() == 4 && classes >= 2 && output.len() == port.len_bytes();
        fits.then_some(Self {
            port,
            output,
            height,
            width,
            classes,
        })
    }

    fn score(&self, row: usize, column: usize, class: usize) -> u8 {
        let at = (row * self.width + column) * self.classes + class;
        probability(self.port, self.output, at)
    }

    /// Class and score of the cell if it is a candidate.
    fn candidate(&self, row: usize, column: usize) -> Option<(usize, u8)> {
        let mut best = (0, 0);
        for class in 1..self.classes {
            let score = self.score(row, column, class);
            if score > best.1 {
                best = (class, score);
            }
        }
        let (class, score) = best;
        (score >= CANDIDATE_MIN && self.is_peak(row, column, class, score)).then_some(best)
    }

    fn is_peak(&self, row: usize, column: usize, class: usize, score: u8) -> bool {
        let rows = row.saturating_sub(1)..(row + 2).min(self.height);
        rows.into_iter().all(|r| {
            let columns = column.saturating_sub(1)..(column + 2).min(self.width);
            columns.into_iter().all(|c| {
                let other = self.score(r, c, class);
                let is_earlier = (r, c) < (row, column);
                if is_earlier {
                    other < score
                } else {
                    other <= score
                }
            })
        })
    }
}
