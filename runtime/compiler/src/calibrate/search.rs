//! Which range each group takes: the method that is best for the whole model, and then, group by
//! group, whatever brings the model's outputs nearer to the float model's.

use super::groups::Groups;
use super::measure::Judge;
use super::range::{Histogram, METHODS, Method, Range};
use crate::error::CompileError;
use crate::graph::{Graph, Quantization};

/// The range of each group, and how it came about.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub ranges: Vec<(Method, Range)>,
    /// The model-wide method that the search began with.
    pub base: Method,
    /// Mean signal-to-noise ratio of the outputs, in decibels.
    pub score: f64,
}

impl Choice {
    /// The quantization of each group.
    pub fn quantizations(&self, groups: &Groups) -> Vec<Quantization> {
        let ranges = self.ranges.iter().zip(&groups.fixed);
        ranges
            .map(|((_, range), fixed)| fixed.unwrap_or_else(|| range.quantization()))
            .collect()
    }
}

/// The best model-wide method.
///
/// # Errors
/// When the graph cannot be compiled with any.
pub(super) fn by_method(
    template: &Graph,
    groups: &Groups,
    histograms: &[Histogram],
    judge: &Judge,
) -> Result<Choice, CompileError> {
    let mut best: Option<Choice> = None;
    let mut refused = None;
    for base in METHODS {
        let ranges = histograms.iter().zip(&groups.fixed);
        let choose = |(histogram, fixed): (&Histogram, &Option<Quantization>)| match fixed {
            Some(_) => (Method::Fixed, histogram.range(Method::Fixed)),
            None => (base, histogram.range(base)),
        };
        let mut choice = Choice {
            ranges: ranges.map(choose).collect(),
            base,
            score: 0.0,
        };
        match judge.score_of(template, groups, &choice.quantizations(groups)) {
            Ok(score) => choice.score = score,
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        }
        if best.as_ref().is_none_or(|best| choice.score > best.score) {
            best = Some(choice);
        }
    }
    match (best, refused) {
        (Some(best), _) => Ok(best),
        (None, Some(error)) => Err(error),
        (None, None) => unreachable!("there are methods"),
    }
}

/// Least gain of the score, in decibels, for which a group's range is moved: less is chance.
const GAIN_LEAST: f64 = 0.02;

/// Moves the ranges of single groups, in `order`, while the score grows and `tries` are left.
pub(super) fn by_group(
    template: &Graph,
    groups: &Groups,
    histograms: &[Histogram],
    judge: &Judge,
    order: &[usize],
    tries: &mut usize,
    choice: &mut Choice,
) {
    for &group in order {
        if groups.fixed[group].is_some() {
            continue;
        }
        let mut candidates: Vec<(Method, Range)> = METHODS
            .iter()
            .map(|&method| (method, histograms[group].range(method)))
            .collect();
        let (_, current) = choice.ranges[group];
        for factor in [0.85, 0.93, 1.08] {
            candidates.push((Method::Searched, current.scaled(factor, factor)));
        }
        if current.low < 0.0 {
            candidates.push((Method::Searched, current.scaled(0.9, 1.0)));
            candidates.push((Method::Searched, current.scaled(1.0, 0.9)));
        }
        let mut seen = vec![current];
        for candidate in candidates {
            if seen.contains(&candidate.1) {
                continue;
            }
            seen.push(candidate.1);
            let Some(left) = tries.checked_sub(1) else {
                return;
            };
            *tries = left;
            let mut moved = choice.clone();
            moved.ranges[group] = candidate;
            let score = judge.score_of(template, groups, &moved.quantizations(groups));
            if let Ok(score) = score
                && score > choice.score + GAIN_LEAST
            {
                moved.score = score;
                *choice = moved;
            }
        }
    }
}
