//! Other spellings of a model become the one that lowering understands: one file a family of
//! operators, one line an operator in [`RULES`].
//!
//! The parsed file is rewritten before it is analysed. What comes out computes the same real
//! numbers (dynamic quantization excepted, whose activations are no longer rounded), in ONNX's
//! own operators and with quantization in the QDQ format alone. A node that no rule takes, or
//! whose rule refuses it, stays as it is. Bodies of `If`, `Loop` and `Scan` are not rewritten.

mod contributed;
mod dynamic;
mod gelu;
mod links;
mod passing;
mod qoperator;
mod quantizers;
mod rewriter;
#[cfg(test)]
mod tests;

use super::source::{Became, Origin};
use crate::error::{CompileError, Refusal};
use crate::report::Note;
use rewriter::Rewriter;
use std::mem;
use tract_onnx::pb::{GraphProto, NodeProto};

type Rule = fn(&mut Rewriter<'_>, &NodeProto) -> Result<(), Refusal>;

/// Every operator that becomes others.
const RULES: &[(&str, Rule)] = &[
    ("BiasGelu", contributed::bias_gelu),
    ("DequantizeLinear", quantizers::dequantize),
    ("DynamicQuantizeMatMul", dynamic::matmul),
    ("FastGelu", contributed::fast_gelu),
    ("FusedConv", contributed::conv),
    ("FusedGemm", contributed::gemm),
    ("FusedMatMul", contributed::matmul),
    ("Gelu", contributed::gelu),
    ("LayerNormalization", contributed::layer_norm),
    ("MatMulIntegerToFloat", dynamic::matmul_to_float),
    ("QGemm", qoperator::gemm),
    ("QLinearAdd", qoperator::add),
    ("QLinearAveragePool", qoperator::average_pool),
    ("QLinearConcat", qoperator::concat),
    ("QLinearConv", qoperator::conv),
    ("QLinearGlobalAveragePool", qoperator::global_average_pool),
    ("QLinearLeakyRelu", qoperator::leaky_relu),
    ("QLinearMatMul", qoperator::matmul),
    ("QLinearMul", qoperator::mul),
    ("QLinearReduceMean", qoperator::reduce_mean),
    ("QLinearSigmoid", qoperator::sigmoid),
    ("QLinearSoftmax", qoperator::softmax),
    ("QLinearWhere", qoperator::select),
    ("QuantizeLinear", quantizers::quantize),
    ("QuickGelu", contributed::quick_gelu),
    ("SimplifiedLayerNormalization", contributed::rms_norm),
    ("SkipLayerNormalization", contributed::skip_layer_norm),
    (
        "SkipSimplifiedLayerNormalization",
        contributed::skip_rms_norm,
    ),
];

/// The names of all operators that become others.
pub fn rewritten() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|&(name, _)| name)
}

/// What became of a file's nodes.
#[derive(Debug, Default)]
pub struct Rewritten {
    /// One entry a node of the file.
    pub origins: Vec<Origin>,
    /// Why rules refused nodes, which stay as they are.
    pub refusals: Vec<CompileError>,
    /// What the user should know.
    pub notes: Vec<Note>,
}

/// Rewrites `graph`, whose operators are of version `opset`.
pub fn rewrite(graph: &mut GraphProto, opset: i64) -> Rewritten {
    let source = mem::take(&mut graph.node);
    let mut cx = Rewriter::new(graph, &source, opset);
    let mut products = dynamic::find(&mut cx);
    let mut gelus = gelu::find(&mut cx);
    let mut rewritten = Rewritten::default();
    for (index, node) in source.iter().enumerate() {
        let name = node_name(node);
        let part = products
            .parts
            .get(&index)
            .or_else(|| gelus.parts.get(&index));
        let became = match part {
            Some(&whole) => Became::PartOf(whole),
            None => {
                let first = cx.nodes.len();
                if let Some(product) = products.nodes.remove(&index) {
                    cx.nodes.extend(product);
                    rewritten.notes.push(Note::Dynamic { node: name.into() });
                } else if let Some(gelu) = gelus.nodes.remove(&index) {
                    cx.nodes.extend(gelu);
                } else if let Err(refusal) = apply(&mut cx, node) {
                    cx.nodes.truncate(first);
                    cx.keep(node);
                    rewritten.refusals.push(refusal.at(name, &node.op_type));
                }
                Became::Nodes(first..cx.nodes.len())
            }
        };
        rewritten.origins.push(Origin {
            name: name.into(),
            op: node.op_type.clone(),
            became,
        });
    }
    graph.node = cx.nodes;
    rewritten
}

fn apply(cx: &mut Rewriter<'_>, node: &NodeProto) -> Result<(), Refusal> {
    cx.begin(node);
    let op = &*node.op_type;
    let is_known = matches!(&*node.domain, "" | "ai.onnx" | "com.microsoft");
    let rule = RULES.iter().find(|(name, _)| is_known && *name == op);
    if let Some((_, rule)) = rule {
        return rule(cx, node);
    }
    let is_passing = is_known && passing::PASSING.contains(&op);
    if !(is_passing && passing::pass(cx, node)?) {
        cx.keep(node);
    }
    Ok(())
}

/// The name of a node; of a nameless one, that of its first output.
pub fn node_name(node: &NodeProto) -> &str {
    if node.name.is_empty() {
        node.output.first().map_or("", |output| output)
    } else {
        &node.name
    }
}
