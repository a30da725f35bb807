//! What tract 0.23.9 computes wrongly: found by reading which
//! attributes it reads, and by the ONNX backend node suite (`tests/conformance`).

use super::rewrite::node_name;
use crate::error::{CompileError, Refusal};
use tract_onnx::model::ParseResult;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::ToDim;

/// An attribute that tract does not read, and the only value with which that is right.
struct Ignored {
    ops: &'static [&'static str],
    attribute: &'static str,
    harmless: Harmless,
    fault: &'static str,
}

enum Harmless {
    /// The attribute has to be missing.
    Missing,
    Int(i64),
    Float(f32),
    Text(&'static str),
    /// Each of these texts in turn, over and over.
    Texts(&'static [&'static str]),
}

const RECURRENT: &[&str] = &["GRU", "LSTM", "RNN"];
const BROADCAST: &[&str] = &[
    "Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor",
];

#[rustfmt::skip]
const IGNORED: &[Ignored] = &[
    Ignored { ops: &["GRU"], attribute: "activations", harmless: Harmless::Texts(&["Sigmoid", "Tanh"]), fault: "it has no other activations in a GRU" },
    Ignored { ops: &["LSTM"], attribute: "activations", harmless: Harmless::Texts(&["Sigmoid", "Tanh", "Tanh"]), fault: "it has no other activations in an LSTM" },
    Ignored { ops: &["RNN"], attribute: "activations", harmless: Harmless::Texts(&["Tanh"]), fault: "it has no other activation in an RNN" },
    Ignored { ops: RECURRENT, attribute: "activation_alpha", harmless: Harmless::Missing, fault: "it ignores activation_alpha" },
    Ignored { ops: RECURRENT, attribute: "activation_beta", harmless: Harmless::Missing, fault: "it ignores activation_beta" },
    Ignored { ops: RECURRENT, attribute: "clip", harmless: Harmless::Missing, fault: "it ignores clip" },
    Ignored { ops: &["LSTM"], attribute: "input_forget", harmless: Harmless::Int(0), fault: "it ignores input_forget" },
    Ignored { ops: &["Attention"], attribute: "left_window_size", harmless: Harmless::Int(-1), fault: "it ignores left_window_size" },
    Ignored { ops: &["Attention"], attribute: "right_window_size", harmless: Harmless::Int(-1), fault: "it ignores right_window_size" },
    Ignored { ops: &["BatchNormalization"], attribute: "training_mode", harmless: Harmless::Int(0), fault: "it ignores training_mode" },
    Ignored { ops: &["Celu"], attribute: "alpha", harmless: Harmless::Float(1.0), fault: "it does not scale Celu by alpha" },
    Ignored { ops: &["DequantizeLinear", "QuantizeLinear"], attribute: "output_dtype", harmless: Harmless::Int(0), fault: "it ignores output_dtype" },
    Ignored { ops: &["QuantizeLinear"], attribute: "precision", harmless: Harmless::Int(0), fault: "it ignores precision" },
    Ignored { ops: &["Pad"], attribute: "paddings", harmless: Harmless::Missing, fault: "it ignores paddings" },
    Ignored { ops: &["Scan"], attribute: "directions", harmless: Harmless::Missing, fault: "it ignores directions" },
    Ignored { ops: &["SpaceToDepth"], attribute: "mode", harmless: Harmless::Text("DCR"), fault: "it ignores mode" },
    Ignored { ops: &["Swish"], attribute: "alpha", harmless: Harmless::Float(1.0), fault: "it ignores alpha" },
    Ignored { ops: BROADCAST, attribute: "axis", harmless: Harmless::Missing, fault: "it broadcasts as operator set 7 does" },
    Ignored { ops: &["TreeEnsembleClassifier"], attribute: "base_values_as_tensor", harmless: Harmless::Missing, fault: "it ignores values in tensors" },
    Ignored { ops: &["TreeEnsembleClassifier"], attribute: "class_weights_as_tensor", harmless: Harmless::Missing, fault: "it ignores values in tensors" },
    Ignored { ops: &["TreeEnsembleClassifier"], attribute: "nodes_values_as_tensor", harmless: Harmless::Missing, fault: "it ignores values in tensors" },
];

impl Ignored {
    fn harms(&self, node: &NodeProto) -> bool {
        let mut attributes = node.attribute.iter();
        let found = attributes.find(|it| it.name == self.attribute);
        self.ops.contains(&&*node.op_type) && found.is_some_and(|it| !self.harmless.is(it))
    }
}

impl Harmless {
    fn is(&self, attribute: &AttributeProto) -> bool {
        match *self {
            Self::Missing => false,
            Self::Int(value) => attribute.i == value,
            Self::Float(value) => attribute.f == value,
            Self::Text(text) => attribute.s == text.as_bytes(),
            Self::Texts(texts) => {
                let found = attribute.strings.iter();
                found
                    .zip(texts.iter().cycle())
                    .all(|(it, text)| it == text.as_bytes())
            }
        }
    }
}

/// Refuses the first operator that tract computes wrongly whatever the values.
pub(super) fn check_attributes(proto: &ModelProto) -> Result<(), CompileError> {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    for node in nodes {
        let ignored = IGNORED.iter().find(|it| it.harms(node));
        if let Some(fault) = ignored.map(|it| it.fault).or_else(|| fault(node)) {
            return Err(Refusal::WrongInTract { fault }.at(node_name(node), &node.op_type));
        }
    }
    Ok(())
}

/// A fault that is in no single attribute.
fn fault(node: &NodeProto) -> Option<&'static str> {
    let int = |name: &str| {
        node.attribute
            .iter()
            .find(|it| it.name == name)
            .map(|it| it.i)
    };
    let text = |name: &str| {
        node.attribute
            .iter()
            .find(|it| it.name == name)
            .map(|it| &it.s[..])
    };
    let has_input = |index: usize| node.input.get(index).is_some_and(|name| !name.is_empty());
    match &*node.op_type {
        "GRU" | "LSTM" | "RNN" if text("direction") == Some(b"reverse") => {
            Some("it runs the sequence forwards where direction is reverse")
        }
        "Attention" if int("is_causal") == Some(1) && has_input(4) => {
            Some("its causal mask does not count the past keys")
        }
        _ => None,
    }
}

/// Refuses the first operator that tract computes wrongly for some values of its operands, unless
/// these are known and among the others.
pub(super) fn check_values(proto: &ModelProto, parsed: &ParseResult) -> Result<(), CompileError> {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    for node in nodes {
        let known = |index: usize| {
            let name = node.input.get(index)?;
            let outlet = parsed.outlets_by_name.get(name)?;
            parsed.model.outlet_fact(*outlet).ok()?.value.concretize()
        };
        let is_empty = |index: usize| {
            let outlet = parsed.outlets_by_name.get(node.input.get(index)?)?;
            let fact = parsed.model.outlet_fact(*outlet).ok()?;
            let dims = fact.shape.concretize()?;
            Some(dims.contains(&0.to_dim()))
        };
        let has_mask = node.input.get(3).is_some_and(|name| !name.is_empty());
        let fault = match &*node.op_type {
            "BitShift" if !known(1).is_some_and(|shifts| are_within_width(&shifts)) => {
                "it takes shifts only between 0 and the width, as constants"
            }
            "Attention" if has_mask && !known(3).is_some_and(|mask| shows_every_row(&mask)) => {
                "it takes masks only as constants, with a key for every query"
            }
            "ReduceMax" | "ReduceMin" if is_empty(0) == Some(true) => {
                "its extremum of no element is finite"
            }
            _ => continue,
        };
        return Err(Refusal::WrongInTract { fault }.at(node_name(node), &node.op_type));
    }
    Ok(())
}

fn are_within_width(shifts: &Tensor) -> bool {
    let bits = shifts.datum_type().size_of() as i64 * 8;
    let shifts = shifts.cast_to::<i64>();
    let is_within = |shifts: &Tensor| {
        let view = shifts.as_plain_ram()?;
        let mut shifts = view.as_slice::<i64>().ok()?.iter();
        Some(shifts.all(|shift| (0..bits).contains(shift)))
    };
    shifts.is_ok_and(|shifts| is_within(&shifts) == Some(true))
}

/// Whether each row of the mask, for all queries alike, lets the first key through: so it does
/// under a causal mask too.
fn shows_every_row(mask: &Tensor) -> bool {
    let keys = mask.shape().last().copied().unwrap_or(0).max(1);
    let is_shown: Option<Vec<bool>> = (|| {
        if mask.datum_type() == DatumType::Bool {
            return Some(mask.as_plain_ram()?.as_slice::<bool>().ok()?.to_vec());
        }
        let mask = mask.cast_to::<f32>().ok()?;
        let values = mask.as_plain_ram()?.as_slice::<f32>().ok()?.to_vec();
        Some(values.iter().map(|&value| value > f32::MIN).collect())
    })();
    is_shown.is_some_and(|shown| shown.chunks(keys).all(|row| row.contains(&true)))
}
