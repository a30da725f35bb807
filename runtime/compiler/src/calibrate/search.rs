//! Which range each group takes: the method that is best for the whole model, and then, group by
//! group, whatever brings the model's outputs nearer to the float model's.

use super::groups::Groups;
use super::measure::{Judge, Marks};
use super::range::{Histogram, METHODS, Method, Range};
use crate::error::CompileError;
use crate::graph::{Graph, Quantization};

/// The range of each group, and how it came about.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub ranges: Vec<(Method, Range)>,
    /// The model-wide method that the search began with.
    pub base: Method,
    /// How near the model is with them.
    pub score: Marks,
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
        let choose = |(group, histogram): (usize, &Histogram)| {
            let method = match groups.fixed[group] {
                Some(_) => Method::Fixed,
                None if groups.is_input[group] => Method::MinMax,
                None => base,
            };
            (method, histogram.range(method))
        };
        let mut choice = Choice {
            ranges: histograms.iter().enumerate().map(choose).collect(),
            base,
            score: Marks::default(),
        };
        match judge.score_of(template, groups, &choice.quantizations(groups)) {
            Ok(score) => choice.score = score,
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        }
        if best
            .as_ref()
            .is_none_or(|best| choice.score.mean() > best.score.mean())
        {
            best = Some(choice);
        }
    }
    match (best, refused) {
        (Some(best), _) => Ok(best),
        (None, Some(error)) => Err(error),
        (None, None) => unreachable!("there are methods"),
    }
}

/// Least gain in decibels for which a group's range is moved.
const GAIN_LEAST: f64 = 0.05;

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
        // The samples are few of all inputs that will come: what they showed is never cut.
        if groups.fixed[group].is_some() || groups.is_input[group] {
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
                && score.beats(choice.score, GAIN_LEAST)
            {
                moved.score = score;
                *choice = moved;
            }
        }
    }
}
