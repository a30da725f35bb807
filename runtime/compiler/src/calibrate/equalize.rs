//! Cross-layer equalization: channels of very different size share one scale badly, so they are
//! scaled to be alike, by the weights before them, and back by the weights behind them.
//!
//! What a chain of edges is made of: convolutions make and read it, and operators that keep
//! factors of channels (clamps at zero, sums, pools, padding with zero) lie between. The float
//! model computes the same before and after, but for the rounding of its weights.

use super::samples::Arranged;
use super::trace::Runnable;
use crate::graph::{Bounds, EdgeId, Graph, Kind, Node, Op};
use crate::ops::binary::{Binary, Function};
use crate::ops::convolution::{Convolution, Weights};
use crate::ops::pad::Filling;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Edges whose channels are scaled together.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub channels: usize,
    pub edges: Vec<EdgeId>,
}

/// Largest factor of a channel.
const FACTOR_MAX: f64 = 256.0;

/// Every chain of `graph`, whose weights are float.
pub(super) fn chains(graph: &Graph) -> Vec<Chain> {
    let mut chain_of: Vec<usize> = (0..graph.edges.len()).collect();
    let mut join = |edges: &[EdgeId]| {
        let lowest = edges.iter().map(|edge| chain_of[edge.0]).min();
        let joined: Vec<usize> = edges.iter().map(|edge| chain_of[edge.0]).collect();
        for chain in &mut chain_of {
            if joined.contains(chain) {
                *chain = lowest.unwrap_or(*chain);
            }
        }
    };
    for node in &graph.nodes {
        if keeps_factors(graph, node).is_some() {
            let edges: Vec<_> = node.inputs.iter().chain(&node.outputs).copied().collect();
            join(&edges);
        }
    }
    let mut members: BTreeMap<usize, Vec<EdgeId>> = BTreeMap::new();
    for (edge, &chain) in chain_of.iter().enumerate() {
        members.entry(chain).or_default().push(EdgeId(edge));
    }
    let whole = members
        .into_values()
        .filter_map(|edges| chain(graph, edges));
    whole.collect()
}

/// The chain of these edges, if they can be scaled.
fn chain(graph: &Graph, edges: Vec<EdgeId>) -> Option<Chain> {
    let is_port = |edge: &EdgeId| {
        let mut ports = graph.inputs.iter().chain(&graph.outputs);
        ports.any(|port| port.edge == *edge)
    };
    let scalable = |edge: &EdgeId| {
        let found = graph.edge(*edge);
        found.kind == Kind::Real
            && found.constant.is_none()
            && found.producer.is_some()
            && is_homogeneous(found.bounds)
            && !is_port(edge)
    };
    if !edges.iter().all(scalable) {
        return None;
    }
    let (mut made, mut kept, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for node in &graph.nodes {
        let makes = node.outputs.iter().any(|edge| edges.contains(edge));
        let reads = node.inputs.iter().any(|edge| edges.contains(edge));
        match (&node.op, keeps_factors(graph, node)) {
            _ if !makes && !reads => {}
            (_, Some(channels)) => kept.push(channels),
            (Op::Convolution(convolution), None) => {
                if !matches!(convolution.weights, Weights::Float(_)) {
                    return None;
                }
                if makes {
                    made.push(convolution.output.channels);
                }
                if reads {
                    read.push(convolution.input.channels);
                }
            }
            _ => return None,
        }
    }
    let channels = *made.first()?;
    let alike = made
        .iter()
        .chain(&kept)
        .all(|&it| it == channels || it == 0);
    let fits = channels > 1 && !read.is_empty() && read.iter().all(|it| it % channels == 0);
    (alike && fits).then_some(Chain { channels, edges })
}

fn is_homogeneous(bounds: Bounds) -> bool {
    let ends = [bounds.min, bounds.max];
    ends.iter().all(|end| *end == 0.0 || end.is_infinite())
}

/// The channels of a node that only passes factors of channels on; 0 where it does not tell.
fn keeps_factors(graph: &Graph, node: &Node) -> Option<usize> {
    match &node.op {
        Op::MaxPool(pool) => Some(pool.input.channels),
        Op::AveragePool(pool) => Some(pool.input.channels),
        Op::Requantize(_) => Some(0),
        Op::Pad(pad) => {
            let [channels, padded] = [pad.input, pad.output].map(|dims| dims[dims.len() - 1]);
            let is_zero = !matches!(pad.filling, Filling::Value(value) if value != 0.0);
            (is_zero && channels == padded).then_some(channels)
        }
        Op::Binary(Binary {
            function: Function::Add | Function::Sub,
            views,
        }) => {
            let [a, b] = views.strides;
            let len = |edge: &EdgeId| graph.edge(*edge).len;
            let mut edges = node.inputs.iter();
            let whole = edges.all(|edge| len(edge) == len(&node.outputs[0]));
            (whole && a == b).then_some(0)
        }
        _ => None,
    }
}

/// The factors that make the channels of `chain` over `samples` as large as the largest (`share`
/// 1), or part of the way.
pub(super) fn factors(float: &Runnable, samples: &Arranged, chains: &[Chain]) -> Vec<Vec<f64>> {
    let edges = chains.iter().map(|chain| &chain.edges);
    let count = edges.flatten().map(|edge| edge.0 + 1).max().unwrap_or(0);
    let mut chain_of = vec![None; count];
    for (index, chain) in chains.iter().enumerate() {
        for edge in &chain.edges {
            chain_of[edge.0] = Some(index);
        }
    }
    let empty: Vec<Vec<f32>> = chains.iter().map(|it| vec![0.0; it.channels]).collect();
    let traced = float.trace(
        samples,
        || empty.clone(),
        |largest, edge, values| {
            if let Some(&Some(chain)) = chain_of.get(edge.0) {
                let channels = chains[chain].channels;
                for pixel in values.reals().chunks_exact(channels) {
                    for (largest, value) in largest[chain].iter_mut().zip(pixel) {
                        *largest = largest.max(value.abs());
                    }
                }
            }
            ControlFlow::Continue(())
        },
    );
    let mut all = empty;
    for sample in traced {
        for (all, chain) in all.iter_mut().zip(sample) {
            for (all, value) in all.iter_mut().zip(chain) {
                *all = all.max(value);
            }
        }
    }
    all.iter().map(|largest| ratios(largest)).collect()
}

/// How often each of `sizes` goes into the largest; 1 for what is always zero.
fn ratios(sizes: &[f32]) -> Vec<f64> {
    let largest = sizes.iter().copied().fold(0.0, f32::max);
    let ratio = |&size: &f32| {
        if size > 0.0 {
            (f64::from(largest) / f64::from(size)).min(FACTOR_MAX)
        } else {
            1.0
        }
    };
    sizes.iter().map(ratio).collect()
}

/// Multiplies the channels of `chain` by `factors` raised to `share`, and what reads them by the
/// inverse.
pub(super) fn scale(graph: &mut Graph, chain: &Chain, factors: &[f64], share: f64) {
    let factors: Vec<f64> = factors.iter().map(|it| it.powf(share)).collect();
    for node in &mut graph.nodes {
        let makes = node.outputs.iter().any(|edge| chain.edges.contains(edge));
        let reads = node.inputs.iter().any(|edge| chain.edges.contains(edge));
        if let Op::Convolution(convolution) = &mut node.op {
            if reads {
                scale_inputs(convolution, &factors);
            }
            if makes {
                scale_outputs(convolution, &factors);
            }
        }
    }
}

fn scale_outputs(convolution: &mut Convolution, factors: &[f64]) {
    let taps = convolution.taps();
    let Weights::Float(weights) = &mut convolution.weights else {
        return;
    };
    let channels = weights.chunks_exact_mut(taps).zip(&mut convolution.bias);
    for ((weights, bias), factor) in channels.zip(factors) {
        *bias *= factor;
        for weight in weights {
            *weight = (f64::from(*weight) * factor) as f32;
        }
    }
}

fn scale_inputs(convolution: &mut Convolution, factors: &[f64]) {
    let taps = convolution.taps();
    let depth = convolution.input.channels / convolution.groups;
    let group_len = convolution.output.channels / convolution.groups;
    let Weights::Float(weights) = &mut convolution.weights else {
        return;
    };
    for (channel, weights) in weights.chunks_exact_mut(taps).enumerate() {
        let first = channel / group_len * depth;
        for (at, weight) in weights.iter_mut().enumerate() {
            let factor = factors[(first + at % depth) % factors.len()];
            *weight = (f64::from(*weight) / factor) as f32;
        }
    }
}
