//! Bias correction: what rounding adds to the mean of an output channel is taken from its bias.

use super::groups::Groups;
use super::measure::{Judge, Marks};
use super::samples::Arranged;
use super::trace::Runnable;
use crate::error::CompileError;
use crate::graph::{Bounds, EdgeId, Graph, Op, Quantization};
use std::ops::ControlFlow;

/// Sums over the pixels of an edge, for each of its channels.
#[derive(Clone, Debug, Default)]
struct Means {
    sums: Vec<f64>,
    /// Pixels at which the channel is within its bounds, so that a bias counts.
    within: Vec<f64>,
    pixels: f64,
}

impl Means {
    fn new(channels: usize) -> Self {
        Self {
            sums: vec![0.0; channels],
            within: vec![0.0; channels],
            pixels: 0.0,
        }
    }

    fn add(&mut self, values: &[f32], bounds: Bounds) {
        for pixel in values.chunks_exact(self.sums.len()) {
            self.pixels += 1.0;
            for (channel, &value) in pixel.iter().enumerate() {
                let value = f64::from(value);
                self.sums[channel] += value;
                self.within[channel] += f64::from(value > bounds.min && value < bounds.max);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.pixels += other.pixels;
        let add = |to: &mut Vec<f64>, from: &[f64]| {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        };
        add(&mut self.sums, &other.sums);
        add(&mut self.within, &other.within);
    }
}

/// A convolution that becomes int8: its node, its result, and its channels.
#[derive(Clone, Copy)]
struct Site {
    node: usize,
    edge: EdgeId,
    channels: usize,
}

/// Corrects the biases of the convolutions in `template`, from the first to the last, each after
/// those before it; a correction that does not raise `score` is taken back. Gives the nodes that
/// were corrected and the score.
///
/// # Errors
/// When the corrected graph cannot be compiled.
pub(super) fn correct(
    template: &mut Graph,
    groups: &Groups,
    quantizations: &[Quantization],
    float: &Runnable,
    judge: &Judge,
    samples: &Arranged,
    mut score: Marks,
) -> Result<(Vec<usize>, Marks), CompileError> {
    let sites = sites(template, groups);
    let bounds: Vec<Bounds> = template.edges.iter().map(|edge| edge.bounds).collect();
    let wanted = means(float, samples, &sites, &bounds);
    let mut corrected = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        let graph = groups.quantized(template, quantizations);
        let found = means(
            &Runnable::new(&graph)?,
            samples,
            &sites[index..=index],
            &bounds,
        );
        let before = template.nodes[site.node].op.clone();
        shift(&mut template.nodes[site.node].op, &wanted[index], &found[0]);
        match judge.score_of(template, groups, quantizations) {
            Ok(better) if better.beats(score, 0.0) => {
                score = better;
                corrected.push(site.node);
            }
            _ => template.nodes[site.node].op = before,
        }
    }
    Ok((corrected, score))
}

fn sites(graph: &Graph, groups: &Groups) -> Vec<Site> {
    let site = |(node, found): (usize, &crate::graph::Node)| match &found.op {
        Op::Convolution(convolution) => Some(Site {
            node,
            edge: found.outputs[0],
            channels: convolution.output.channels,
        }),
        _ => None,
    };
    let sites = graph.nodes.iter().enumerate().filter_map(site);
    sites
        .filter(|site| groups.of_edge[site.edge.0].is_some())
        .collect()
}

/// The means of each site's result over `samples`, as `runnable` makes them.
fn means(runnable: &Runnable, samples: &Arranged, sites: &[Site], bounds: &[Bounds]) -> Vec<Means> {
    let start =
        || -> (usize, Vec<Means>) { (0, sites.iter().map(|it| Means::new(it.channels)).collect()) };
    let traced = runnable.trace(samples, start, |(seen, means), edge, values| {
        if let Some(at) = sites.iter().position(|site| site.edge == edge) {
            means[at].add(&values.reals(), bounds[edge.0]);
            *seen += 1;
        }
        if *seen == sites.len() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let (_, mut all) = start();
    for (_, sample) in &traced {
        for (all, sample) in all.iter_mut().zip(sample) {
            all.merge(sample);
        }
    }
    all
}

/// Moves the biases of `op` by what its means lack.
fn shift(op: &mut Op, wanted: &Means, found: &Means) {
    /// Least share of pixels at which a bias counts for it to be corrected.
    const WITHIN_LEAST: f64 = 0.05;
    let Op::Convolution(convolution) = op else {
        return;
    };
    for (channel, bias) in convolution.bias.iter_mut().enumerate() {
        let within = wanted.within[channel];
        if within > WITHIN_LEAST * wanted.pixels {
            *bias += (wanted.sums[channel] - found.sums[channel]) / within;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::measure::Judge;
    use crate::graph::{Kind, Layout, Node, Port};
    use crate::ops::convolution::{Convolution, Weights};
    use microtome_kernels::num::{Shape, Window};
    use microtome_plan::ModelType;

    const PIXELS: usize = 16;

    /// A 1×1 convolution of one channel.
    fn graph(weights: Weights) -> Graph {
        let shape = Shape {
            height: 1,
            width: PIXELS,
            channels: 1,
        };
        let mut graph = Graph::default();
        let edges = ["x", "y"].map(|name| graph.add_edge(name, Kind::Real, PIXELS));
        let port = |edge: EdgeId| Port {
            name: "port".into(),
            edge,
            layout: Layout::row_major(&[1, PIXELS]),
            model_type: ModelType::F32,
        };
        graph.inputs = vec![port(edges[0])];
        graph.outputs = vec![port(edges[1])];
        let convolution = Convolution {
            input: shape,
            output: shape,
            window: Window {
                kernel: [1, 1],
                stride: [1, 1],
                dilation: [1, 1],
                pad: [0, 0],
            },
            groups: 1,
            weights,
            bias: vec![0.25],
        };
        graph.add_node(Node {
            name: "conv".into(),
            source_op: "Conv".into(),
            op: convolution.into(),
            inputs: vec![edges[0]],
            outputs: vec![edges[1]],
        });
        graph
    }

    fn mean_of(graph: &Graph, samples: &Arranged) -> f64 {
        let runnable = Runnable::new(graph).unwrap();
        let values = runnable.values(samples, &[EdgeId(1)]);
        let all: Vec<f64> = values
            .iter()
            .flatten()
            .flatten()
            .map(|&it| it.into())
            .collect();
        all.iter().sum::<f64>() / all.len() as f64
    }

    #[test]
    fn a_mean_that_rounding_moved_is_moved_back() {
        let float = graph(Weights::Float(vec![1.0]));
        // The weight has lost a twentieth.
        let mut template = graph(Weights::Quantized {
            values: vec![95],
            scales: vec![0.01],
        });
        let sample = |at: usize| vec![(0..PIXELS).map(|it| ((it + at) % 7) as f64 / 7.0).collect()];
        let samples = Arranged((0..6).map(sample).collect());
        let runnable = Runnable::new(&float).unwrap();
        let groups = Groups::new(&template);
        let scale = 1.0 / 128.0;
        let quantizations = vec![Quantization { scale, zero: -128 }; groups.len()];
        let judge = Judge::new(&float, &runnable, samples.clone());
        let before = groups.quantized(&template, &quantizations);
        let score = judge.score(&before).unwrap();
        let (corrected, better) = correct(
            &mut template,
            &groups,
            &quantizations,
            &runnable,
            &judge,
            &samples,
            score,
        )
        .unwrap();
        assert_eq!(corrected, [0]);
        assert!(better.beats(score, 1.0), "{score:?} {better:?}");
        let after = groups.quantized(&template, &quantizations);
        let wanted = mean_of(&float, &samples);
        let error = |graph: &Graph| (mean_of(graph, &samples) - wanted).abs();
        assert!(error(&before) > 0.015 && error(&after) < 0.004);
    }
}
