//! What calibration cost, as `microtome compile` prints it.

use crate::report::{self, facts};
use microtome_compiler::{QuantizationReport, Score};
use serde::Serialize;

/// Activations that the table shows; JSON has all.
const SHOWN: usize = 12;

/// The report for programs.
#[derive(Serialize)]
pub struct Json {
    samples: usize,
    method: String,
    edges: Vec<Edge>,
    outputs: Vec<Output>,
    float_nodes: Vec<Node>,
    chains_equalized: usize,
    biases_corrected: Vec<String>,
    accuracy: Option<Accuracy>,
}

#[derive(Serialize)]
struct Edge {
    name: String,
    op: Option<String>,
    method: String,
    scale: f32,
    zero: i8,
    snr_db: Option<f64>,
}

#[derive(Serialize)]
struct Output {
    name: String,
    snr_db: Option<f64>,
}

#[derive(Serialize)]
struct Node {
    node: String,
    op: String,
}

#[derive(Serialize)]
struct Accuracy {
    score: &'static str,
    float: f64,
    int8: f64,
}

/// The report for programs; what is exact has no ratio.
pub fn json(report: &QuantizationReport) -> Json {
    let edges = report.edges.iter().map(|edge| Edge {
        name: edge.name.clone(),
        op: edge.op.clone(),
        method: edge.method.to_string(),
        scale: edge.scale,
        zero: edge.zero,
        snr_db: finite(edge.snr_db),
    });
    let outputs = report.outputs.iter().map(|output| Output {
        name: output.name.clone(),
        snr_db: finite(output.snr_db),
    });
    let float_nodes = report.float_nodes.iter().map(|(node, op)| Node {
        node: node.clone(),
        op: op.clone(),
    });
    Json {
        samples: report.samples,
        method: report.base.to_string(),
        edges: edges.collect(),
        outputs: outputs.collect(),
        float_nodes: float_nodes.collect(),
        chains_equalized: report.chains_equalized,
        biases_corrected: report.biases_corrected.clone(),
        accuracy: report.accuracy.map(|accuracy| Accuracy {
            score: name(accuracy.score),
            float: accuracy.float,
            int8: accuracy.int8,
        }),
    }
}

/// Prints the report for people: the activations that lose most, and what was done.
pub fn print(report: &QuantizationReport) {
    let mut table = report::table(
        ["activation", "made by", "range", "scale", "zero", "SNR, dB"],
        3,
    );
    for edge in report.edges.iter().take(SHOWN) {
        table.add_row([
            edge.name.clone(),
            edge.op.clone().unwrap_or_else(|| "input".to_owned()),
            edge.method.to_string(),
            format!("{:.3e}", edge.scale),
            edge.zero.to_string(),
            decibels(edge.snr_db),
        ]);
    }
    println!("\n{table}");
    if let Some(left) = report.edges.len().checked_sub(SHOWN).filter(|&it| it > 0) {
        println!("and {left} activations that lose less (all with --json)");
    }
    for (node, op) in &report.float_nodes {
        println!("note: '{node}' ({op}) has no integer form and stays float");
    }
    println!();
    let outputs = report.outputs.iter();
    let outputs: Vec<String> = outputs
        .map(|output| format!("{} {} dB", output.name, decibels(output.snr_db)))
        .collect();
    let mut lines = vec![
        ("calibration samples", report.samples.to_string()),
        ("ranges by", report.base.to_string()),
        ("chains equalized", report.chains_equalized.to_string()),
        (
            "biases corrected",
            report.biases_corrected.len().to_string(),
        ),
        ("outputs, SNR", outputs.join(", ")),
    ];
    if let Some(accuracy) = report.accuracy {
        let score = name(accuracy.score);
        let change = accuracy.int8 - accuracy.float;
        let text = format!(
            "{score} float {:.4}, int8 {:.4} ({change:+.4})",
            accuracy.float, accuracy.int8
        );
        lines.push(("on the labels", text));
    }
    facts(&lines);
    println!();
}

fn decibels(ratio: f64) -> String {
    match finite(ratio) {
        Some(ratio) => format!("{ratio:.1}"),
        None => "exact".to_owned(),
    }
}

fn finite(ratio: f64) -> Option<f64> {
    ratio.is_finite().then_some(ratio)
}

const fn name(score: Score) -> &'static str {
    match score {
        Score::Accuracy => "accuracy",
        Score::Rmse => "rmse",
    }
}
