//! What the float model's edges are over the samples: ranges and histograms.

use super::error::CalibrationError;
use super::groups::Groups;
use super::range::{Histogram, Range};
use super::samples::Arranged;
use super::trace::Runnable;
use crate::error::CompileError;
use crate::graph::{Constant, EdgeId, Graph};
use std::ops::ControlFlow;

/// The range of each edge of `graph` over `samples`, by [`EdgeId`], constants included; that of
/// an edge that nothing makes is empty.
///
/// # Errors
/// When a sample makes an edge infinite or NaN.
pub(super) fn ranges(
    graph: &Graph,
    float: &Runnable,
    samples: &Arranged,
) -> Result<Vec<Range>, CompileError> {
    let count = graph.edges.len();
    let start = || vec![Some(Range::ZERO); count];
    let traced = float.trace(samples, start, |ranges, edge, values| {
        if let Some(range) = ranges.get_mut(edge.0) {
            *range = range.and_then(|range| range.with(&values.reals()));
        }
        ControlFlow::Continue(())
    });
    let mut all = vec![Range::ZERO; count];
    for (sample, ranges) in traced.iter().enumerate() {
        for (edge, range) in ranges.iter().enumerate() {
            let range = range.ok_or_else(|| not_finite(graph, sample, EdgeId(edge)))?;
            all[edge] = all[edge].union(range);
        }
    }
    for (edge, range) in graph.edges.iter().zip(&mut all) {
        if let Some(Constant::Real(values)) = &edge.constant {
            *range = range.with(values).unwrap_or(*range);
        }
    }
    Ok(all)
}

fn not_finite(graph: &Graph, sample: usize, edge: EdgeId) -> CompileError {
    let value = graph.edge(edge).name.clone();
    CalibrationError::NotFinite { sample, value }.into()
}

/// The histogram of each group over `samples`, within the union of its edges' `ranges`.
pub(super) fn histograms(
    graph: &Graph,
    groups: &Groups,
    ranges: &[Range],
    float: &Runnable,
    samples: &Arranged,
) -> Vec<Histogram> {
    let mut wholes = vec![Range::ZERO; groups.len()];
    for (range, group) in ranges.iter().zip(&groups.of_edge) {
        if let &Some(group) = group {
            wholes[group] = wholes[group].union(*range);
        }
    }
    let mut all: Vec<Histogram> = wholes.iter().map(|&it| Histogram::new(it)).collect();
    let empty = all.clone();
    // A few samples at a time, so that memory does not grow with their number.
    for part in samples.0.chunks(16) {
        let few = Arranged(part.to_vec());
        let traced = float.trace(
            &few,
            || empty.clone(),
            |histograms, edge, values| {
                if let Some(&Some(group)) = groups.of_edge.get(edge.0) {
                    histograms[group].add(&values.reals());
                }
                ControlFlow::Continue(())
            },
        );
        for part in &traced {
            for (histogram, part) in all.iter_mut().zip(part) {
                histogram.merge(part);
            }
        }
    }
    for (edge, group) in graph.edges.iter().zip(&groups.of_edge) {
        if let (Some(Constant::Real(values)), &Some(group)) = (&edge.constant, group) {
            all[group].add(values);
        }
    }
    all
}
