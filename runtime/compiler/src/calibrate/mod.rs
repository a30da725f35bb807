//! Our own quantizer: from a float graph and samples to a graph with int8 edges.
//!
//! 1. `groups`: which edges become int8, and which of them share a quantization.
//! 2. `equalize`: channels of different size are made alike where that helps.
//! 3. `observe`, `range`: ranges and histograms of every edge over the samples, and the ways to
//!    choose a range from them; `weights`: int8, a scale an output channel.
//! 4. `search`: the best way for the whole model, then for single edges, by the error that the
//!    model's outputs then have; `bias`: means that rounding has moved are moved back.
//! 5. `report`: what is lost where.
//!
//! Both graphs run as plans (`trace`), so that what is measured are the bits of a board. Nothing
//! depends on time or chance: the same model and samples give the same plan on machines with the
//! same float kernels. Search is limited by multiply–accumulates.

mod accuracy;
mod bias;
mod equalize;
pub mod error;
mod groups;
mod measure;
mod observe;
mod range;
pub mod report;
pub mod samples;
mod search;
mod trace;
mod weights;

pub use error::CalibrationError;
pub use range::Method;
pub use report::{Accuracy, OutputNoise, QuantizationReport, QuantizedEdge, Score};
pub use samples::{Sample, Samples, Truth};

use crate::error::CompileError;
use crate::graph::{EdgeId, Graph, Kind, Op};
use crate::ops::convolution::Weights;
use groups::Groups;
use measure::Judge;
use samples::Arranged;
use search::Choice;
use std::collections::VecDeque;
use trace::Runnable;

/// Multiply–accumulates that the search may spend.
const SEARCH_MACS: usize = 40_000_000_000;
/// Multiply–accumulates of one run over the samples with which the search measures.
const RUN_MACS: usize = 100_000_000;
/// Fewest and most of those samples.
const SEARCH_SAMPLES: (usize, usize) = (8, 64);
/// Fewest and most runs over them.
const TRIES: (usize, usize) = (24, 600);
/// Runs that a graph with other channels costs.
const CANDIDATE_TRIES: usize = 7;
/// Least gain in decibels for which channels are equalized.
const GAIN_LEAST: f64 = 0.05;
/// How far channels are equalized: in part, wholly, not at all.
const SHARES: [f64; 3] = [0.5, 1.0, 0.0];

/// The int8 graph of `graph`, which is float, by `samples`.
///
/// # Errors
/// When the model has quantization of its own, when samples do not fit it, and when no choice of
/// ranges compiles.
pub(crate) fn calibrate(
    graph: &Graph,
    samples: &Samples,
) -> Result<(Graph, QuantizationReport), CompileError> {
    require_float(graph)?;
    let all = Arranged::new(samples, graph)?;
    let float = Runnable::new(graph)?;
    let macs = float.macs().max(1);
    let few = all.spread((RUN_MACS / macs).clamp(SEARCH_SAMPLES.0, SEARCH_SAMPLES.1));
    let judge = Judge::new(graph, &float, few.clone());
    let tries = SEARCH_MACS / macs.saturating_mul(few.0.len());
    let mut tries = tries.clamp(TRIES.0, TRIES.1);
    let (scaled, chains_equalized) = equalized(graph, &few, &judge, &mut tries)?;
    let mut candidate = Candidate::new(scaled, &all, &judge)?;
    let biases_corrected = candidate.correct(&few, &judge)?;
    candidate.search(&few, &judge, &mut tries)?;
    let (quantized, mut report) = candidate.report(samples, &all)?;
    report.chains_equalized = chains_equalized;
    report.biases_corrected = biases_corrected;
    Ok((quantized, report))
}

fn require_float(graph: &Graph) -> Result<(), CalibrationError> {
    let already = |value: &str| {
        let value = value.into();
        Err(CalibrationError::AlreadyQuantized { value })
    };
    if let Some(edge) = graph.edges.iter().find(|it| it.quantization.is_some()) {
        return already(&edge.name);
    }
    let is_int8 = |op: &Op| match op {
        Op::Convolution(convolution) => matches!(convolution.weights, Weights::Quantized { .. }),
        _ => false,
    };
    match graph.nodes.iter().find(|node| is_int8(&node.op)) {
        Some(node) => already(&node.name),
        None => Ok(()),
    }
}

/// A float graph, and how it becomes int8.
struct Candidate {
    /// In float.
    float: Graph,
    runnable: Runnable,
    /// The same with int8 weights.
    template: Graph,
    groups: Groups,
    histograms: Vec<range::Histogram>,
    choice: Choice,
}

impl Candidate {
    fn new(float: Graph, all: &Arranged, judge: &Judge) -> Result<Self, CompileError> {
        let mut template = float.clone();
        weights::quantize(&mut template);
        let groups = Groups::new(&template);
        let runnable = Runnable::new(&float)?;
        let ranges = observe::ranges(&float, &runnable, all)?;
        let histograms = observe::histograms(&float, &groups, &ranges, &runnable, all);
        let choice = search::by_method(&template, &groups, &histograms, judge)?;
        Ok(Self {
            float,
            runnable,
            template,
            groups,
            histograms,
            choice,
        })
    }

    fn quantized(&self) -> Graph {
        let quantizations = self.choice.quantizations(&self.groups);
        self.groups.quantized(&self.template, &quantizations)
    }

    /// Signal and noise of each edge.
    fn noise(&self, samples: &Arranged) -> Result<Vec<measure::Powers>, CompileError> {
        let integer = Runnable::new(&self.quantized())?;
        let count = self.float.edges.len();
        Ok(measure::edges(&self.runnable, &integer, samples, count))
    }

    /// Moves the ranges of groups, those that lose most first.
    fn search(
        &mut self,
        few: &Arranged,
        judge: &Judge,
        tries: &mut usize,
    ) -> Result<(), CompileError> {
        let noise = self.noise(&few.spread(8))?;
        let mut lost = vec![f64::INFINITY; self.groups.len()];
        for (powers, group) in noise.iter().zip(&self.groups.of_edge) {
            if let &Some(group) = group {
                lost[group] = lost[group].min(powers.decibels());
            }
        }
        let mut order: Vec<usize> = (0..lost.len()).collect();
        order.sort_by(|&a, &b| lost[a].total_cmp(&lost[b]));
        search::by_group(
            &self.template,
            &self.groups,
            &self.histograms,
            judge,
            &order,
            tries,
            &mut self.choice,
        );
        Ok(())
    }

    /// Corrects biases; gives the names of the nodes.
    fn correct(&mut self, few: &Arranged, judge: &Judge) -> Result<Vec<String>, CompileError> {
        let quantizations = self.choice.quantizations(&self.groups);
        let (nodes, score) = bias::correct(
            &mut self.template,
            &self.groups,
            &quantizations,
            &self.runnable,
            judge,
            few,
            self.choice.score,
        )?;
        self.choice.score = score;
        let name = |&node: &usize| self.template.nodes[node].name.clone();
        Ok(nodes.iter().map(name).collect())
    }

    fn report(
        &self,
        samples: &Samples,
        all: &Arranged,
    ) -> Result<(Graph, QuantizationReport), CompileError> {
        let quantized = self.quantized();
        let noise = self.noise(all)?;
        let mut edges = Vec::new();
        for (index, edge) in quantized.edges.iter().enumerate() {
            let group = self.groups.of_edge.get(index).copied().flatten();
            let (Some(group), Some(quantization)) = (group, edge.quantization) else {
                continue;
            };
            let is_shown = edge.constant.is_none() && edge.kind == Kind::Real;
            if !is_shown || !is_read_or_made(&quantized, EdgeId(index)) {
                continue;
            }
            let producer = edge.producer.map(|node| &quantized.nodes[node.0]);
            edges.push(QuantizedEdge {
                name: edge.name.clone(),
                op: producer.map(|node| node.source_op.clone()),
                method: self.choice.ranges[group].0,
                scale: quantization.scale,
                zero: quantization.zero,
                snr_db: noise[index].decibels(),
            });
        }
        edges.sort_by(|a, b| a.snr_db.total_cmp(&b.snr_db));
        let outputs = quantized.outputs.iter().map(|port| OutputNoise {
            name: port.name.clone(),
            snr_db: noise[port.edge.0].decibels(),
        });
        let accuracy = match &samples.truth {
            None => None,
            Some(truth) => {
                let port = &quantized.outputs[0];
                let float = self.runnable.values(all, &[port.edge]);
                let int8 = Runnable::new(&quantized)?.values(all, &[port.edge]);
                Some(accuracy::accuracy(truth, port, &float, &int8)?)
            }
        };
        let float_node = |&node: &usize| {
            let node = &quantized.nodes[node];
            (node.name.clone(), node.source_op.clone())
        };
        let report = QuantizationReport {
            samples: all.0.len(),
            base: self.choice.base,
            edges,
            outputs: outputs.collect(),
            float_nodes: self.groups.float_nodes.iter().map(float_node).collect(),
            chains_equalized: 0,
            biases_corrected: Vec::new(),
            accuracy,
        };
        Ok((quantized, report))
    }
}

fn is_read_or_made(graph: &Graph, edge: EdgeId) -> bool {
    let is_input = graph.inputs.iter().any(|port| port.edge == edge);
    is_input || graph.edge(edge).producer.is_some()
}

/// The best of `graph` with its channels equalized by one of [`SHARES`], then with another share
/// for single chains while `tries` are left; and how many chains are equalized.
fn equalized(
    graph: &Graph,
    samples: &Arranged,
    judge: &Judge,
    tries: &mut usize,
) -> Result<(Graph, usize), CompileError> {
    let chains = equalize::chains(graph);
    let mut best = Candidate::new(graph.clone(), samples, judge)?;
    let factors = equalize::factors(&best.runnable, samples, &chains);
    let mut shares = vec![0.0; chains.len()];
    let whole = SHARES.iter().map(|&share| vec![share; chains.len()]);
    let mut plans: VecDeque<Vec<f64>> = whole.collect();
    let single = (0..chains.len()).flat_map(|chain| SHARES.map(|share| (chain, share)));
    let mut single = single.collect::<VecDeque<(usize, f64)>>();
    while !chains.is_empty() {
        let tried = match (plans.pop_front(), single.pop_front()) {
            (Some(tried), None) => tried,
            (Some(tried), Some(next)) => {
                single.push_front(next);
                tried
            }
            (None, Some((chain, share))) => {
                let mut tried = shares.clone();
                tried[chain] = share;
                tried
            }
            (None, None) => break,
        };
        if tried == shares {
            continue;
        }
        let Some(left) = tries.checked_sub(CANDIDATE_TRIES) else {
            break;
        };
        *tries = left;
        let mut scaled = graph.clone();
        for ((chain, factors), &share) in chains.iter().zip(&factors).zip(&tried) {
            equalize::scale(&mut scaled, chain, factors, share);
        }
        let candidate = Candidate::new(scaled, samples, judge)?;
        if candidate.choice.score.beats(best.choice.score, GAIN_LEAST) {
            (best, shares) = (candidate, tried);
        }
    }
    let count = shares.iter().filter(|&&share| share > 0.0).count();
    Ok((best.float, count))
}
