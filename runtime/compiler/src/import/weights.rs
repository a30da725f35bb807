//! Asymmetric weights as symmetric int8, which is what kernels take.
//!
//! `q − zero` is in −255..=255. Where a channel's are all int8, they are the new values, with the
//! same scale: exact, as always for uint8 around 128. The other channels are rounded again, to
//! 1/127 of their largest magnitude, and the report says so. Constants other than weights, and the
//! weights of float activations, are changed only where that is exact.

use super::rewrite::node_name;
use super::tensor;
use crate::report::Note;
use std::collections::HashMap;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// Makes the quantized constants of `graph` symmetric.
pub fn make_symmetric(graph: &mut GraphProto) -> Vec<Note> {
    let places: HashMap<String, usize> = graph
        .initializer
        .iter()
        .enumerate()
        .map(|(place, tensor)| (tensor.name.clone(), place))
        .collect();
    let mut uses: HashMap<&str, Vec<(&NodeProto, usize)>> = HashMap::new();
    for node in &graph.node {
        for (operand, name) in node.input.iter().enumerate() {
            uses.entry(name).or_default().push((node, operand));
        }
    }
    let mut makers: HashMap<&str, &NodeProto> = HashMap::new();
    for node in &graph.node {
        makers.extend(node.output.iter().map(|name| (name.as_str(), node)));
    }
    let tensor = |name: Option<&String>| graph.initializer.get(*places.get(name?)?);
    let mut changes = Vec::new();
    for (index, node) in graph.node.iter().enumerate() {
        let is_dequantize = node.op_type == "DequantizeLinear";
        let operands = [0, 1, 2].map(|operand| tensor(node.input.get(operand)));
        let ([Some(values), Some(scale), Some(zero)], true) = (operands, is_dequantize) else {
            continue;
        };
        let readers = node.output.first().and_then(|output| uses.get(&**output));
        let readers = readers.filter(|readers| {
            let mut readers = readers.iter();
            readers.all(|(reader, _)| is_quantized(reader, &makers))
        });
        let channels = readers.and_then(|readers| channel_axis(readers, values.dims.len()));
        if let Some(weights) = Weights::read(values, scale, zero, node)
            && let Some(change) = weights.symmetric(channels)
        {
            changes.push((index, change));
        }
    }
    let mut notes = Vec::new();
    for (index, change) in changes {
        notes.extend(change.apply(graph, index));
    }
    notes
}

/// Whether integers lie behind operand 0 of `node`: a `DequantizeLinear`, with no other product of
/// weights in between.
fn is_quantized(node: &NodeProto, makers: &HashMap<&str, &NodeProto>) -> bool {
    let behind = |node: &NodeProto| makers.get(node.input.first()?.as_str()).copied();
    let mut node = node;
    // A chain that is longer than the graph goes in a circle.
    for _ in 0..makers.len() {
        match behind(node) {
            Some(maker) if maker.op_type == "DequantizeLinear" => return true,
            Some(maker) if !matches!(&*maker.op_type, "Conv" | "MatMul" | "Gemm") => node = maker,
            _ => return false,
        }
    }
    false
}

/// The axis of the output channels, if all of `readers` have `rank` axes of weights there.
fn channel_axis(readers: &[(&NodeProto, usize)], rank: usize) -> Option<usize> {
    let axis = |&(node, operand): &(&NodeProto, usize)| match (&*node.op_type, operand) {
        ("Conv", 1) => Some(0),
        ("MatMul", 1) => rank.checked_sub(1),
        ("Gemm", 1) => {
            let transposed = node.attribute.iter().find(|it| it.name == "transB");
            Some(usize::from(transposed.is_none_or(|it| it.i == 0)))
        }
        _ => None,
    };
    let first = axis(readers.first()?)?;
    let same = readers.iter().all(|reader| axis(reader) == Some(first));
    (same && first < rank).then_some(first)
}

/// Quantized constants, taken apart.
struct Weights {
    dims: Vec<usize>,
    /// Integers less their zero points.
    centred: Vec<i32>,
    /// One, or one for each index of `axis`.
    scales: Vec<f32>,
    axis: usize,
}

/// New constants of a `DequantizeLinear`.
struct Symmetric {
    dims: Vec<usize>,
    values: Vec<i8>,
    scales: Vec<f32>,
    axis: usize,
    rounded: Option<(usize, f32)>,
}

impl Weights {
    /// `None` where there is no zero point to remove.
    fn read(
        values: &TensorProto,
        scale: &TensorProto,
        zero: &TensorProto,
        node: &NodeProto,
    ) -> Option<Self> {
        let ty = tensor::data_type(values);
        if !matches!(ty, DataType::Int8 | DataType::Uint8) || tensor::data_type(zero) != ty {
            return None;
        }
        let (scales, zeros) = (tensor::f32s(scale)?, tensor::integers(zero)?);
        if zeros.len() != scales.len()
            || zeros.iter().all(|&zero| zero == 0) && ty == DataType::Int8
        {
            return None;
        }
        let dims = tensor::dims(values)?;
        let axis = node.attribute.iter().find(|it| it.name == "axis");
        let axis = axis.map_or(1, |it| it.i);
        let axis = if axis < 0 {
            axis + dims.len() as i64
        } else {
            axis
        };
        let axis = if scales.len() == 1 {
            0
        } else {
            usize::try_from(axis).ok()?
        };
        if scales.len() != 1 && dims.get(axis) != Some(&scales.len()) {
            return None;
        }
        let mut centred = tensor::integers(values)?;
        let channel = channels(&dims, axis, scales.len());
        for (index, value) in centred.iter_mut().enumerate() {
            *value = value.checked_sub(zeros[channel(index)])?;
        }
        Some(Self {
            dims,
            centred,
            scales,
            axis,
        })
    }

    /// The same numbers with zero points of 0, or the nearest to them that int8 has a channel of
    /// `channel_axis`; `None` where they would change and are no weights.
    fn symmetric(self, channel_axis: Option<usize>) -> Option<Symmetric> {
        let fits = |&value: &i32| i8::try_from(value).is_ok();
        if self.centred.iter().all(fits) {
            return Some(Symmetric {
                values: self.centred.iter().map(|&value| value as i8).collect(),
                dims: self.dims,
                scales: self.scales,
                axis: self.axis,
                rounded: None,
            });
        }
        let axis = channel_axis?;
        if self.scales.len() > 1 && self.axis != axis {
            return None;
        }
        let count = self.dims[axis];
        let channel = channels(&self.dims, axis, count);
        // Steps of the old scale in one of the new: 1 where a channel's values fit as they are.
        let mut steps = vec![1.0_f32; count];
        for (index, value) in self.centred.iter().enumerate().filter(|(_, it)| !fits(it)) {
            let step = &mut steps[channel(index)];
            *step = step.max(value.abs() as f32 / 127.0);
        }
        let mut error_steps = 0.0_f32;
        let rounded = |(index, &value): (usize, &i32)| {
            let step = steps[channel(index)];
            let new = (value as f32 / step).round_ties_even();
            error_steps = error_steps.max((new * step - value as f32).abs());
            new as i8
        };
        let values = self.centred.iter().enumerate().map(rounded).collect();
        let changed = steps.iter().filter(|&&step| step > 1.0).count();
        let old = |channel: usize| *self.scales.get(channel).unwrap_or(&self.scales[0]);
        let scales = steps.iter().enumerate().map(|(at, step)| old(at) * step);
        Some(Symmetric {
            values,
            scales: scales.collect(),
            dims: self.dims,
            axis,
            rounded: Some((changed, error_steps)),
        })
    }
}

impl Symmetric {
    /// Gives node `index` these constants.
    fn apply(self, graph: &mut GraphProto, index: usize) -> Option<Note> {
        let node = &mut graph.node[index];
        let weights = node.input.first().cloned().unwrap_or_default();
        let named = |what: &str| format!("{}/symmetric_{what}_{index}", node_name(node));
        let (values, scale) = (named("values"), named("scale"));
        let dims: Vec<i64> = self.dims.iter().map(|&dim| dim as i64).collect();
        let scale_dims = match self.scales.len() {
            1 => Vec::new(),
            count => vec![count as i64],
        };
        node.input = vec![values.clone(), scale.clone()];
        node.attribute.retain(|it| it.name != "axis");
        if self.scales.len() > 1 {
            node.attribute.push(AttributeProto {
                name: "axis".into(),
                i: self.axis as i64,
                r#type: tract_onnx::pb::attribute_proto::AttributeType::Int as i32,
                ..Default::default()
            });
        }
        graph
            .initializer
            .push(tensor::of_i8s(&values, &dims, &self.values));
        graph
            .initializer
            .push(tensor::of_f32s(&scale, &scale_dims, &self.scales));
        let (channels, error_steps) = self.rounded?;
        Some(Note::WeightsRounded {
            weights,
            channels,
            channels_all: self.scales.len(),
            error_steps,
        })
    }
}

/// The channel of each element, where `count` channels lie along `axis`.
fn channels(dims: &[usize], axis: usize, count: usize) -> impl Fn(usize) -> usize + use<> {
    let inner: usize = dims.iter().skip(axis + 1).product();
    move |index| index / inner.max(1) % count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `MatMul` by `[2, channels]` weights of that type and zero point, scale 0.5.
    fn product(ty: DataType, values: &[i32], zero: i32, reader: &str) -> GraphProto {
        let node = |op: &str, inputs: &[&str], output: &str| NodeProto {
            op_type: op.into(),
            name: op.into(),
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![output.into()],
            ..Default::default()
        };
        let dims = [2, values.len() as i64 / 2];
        GraphProto {
            node: vec![
                node("DequantizeLinear", &["q", "s", "z"], "w"),
                node(reader, &["x", "w"], "y"),
                node("Relu", &["xd"], "x"),
                node("DequantizeLinear", &["xq", "xs"], "xd"),
            ],
            initializer: vec![
                tensor::of_integers("q", ty, &dims, values),
                tensor::of_f32s("s", &[], &[0.5]),
                tensor::of_integers("z", ty, &[], &[zero]),
            ],
            ..Default::default()
        }
    }

    /// The integers and scales that the dequantizer of `graph` has.
    fn found(graph: &GraphProto) -> (Vec<i32>, Vec<f32>) {
        let named = |name: &str| {
            let mut tensors = graph.initializer.iter();
            tensors.find(|tensor| tensor.name == name).unwrap()
        };
        let inputs = &graph.node[0].input;
        assert_eq!(inputs.len(), 2);
        let integers = tensor::integers(named(&inputs[0])).unwrap();
        (integers, tensor::f32s(named(&inputs[1])).unwrap())
    }

    #[test]
    fn uint8_around_128_is_int8_exactly() {
        let mut graph = product(DataType::Uint8, &[0, 127, 128, 255], 128, "MatMul");
        assert_eq!(make_symmetric(&mut graph), []);
        assert_eq!(found(&graph), (vec![-128, -1, 0, 127], vec![0.5]));
    }

    #[test]
    fn zero_points_that_leave_int8_values_are_exact_too() {
        let mut graph = product(DataType::Int8, &[-30, 0, 90, 127], 20, "Mul");
        assert_eq!(make_symmetric(&mut graph), []);
        assert_eq!(found(&graph), (vec![-50, -20, 70, 107], vec![0.5]));
    }

    #[test]
    fn only_channels_that_do_not_fit_are_rounded() {
        // Columns, less the zero point: (100, -27) and (-100, 155).
        let mut graph = product(DataType::Uint8, &[200, 0, 73, 255], 100, "MatMul");
        let notes = make_symmetric(&mut graph);
        let step = 155.0 / 127.0;
        let (integers, scales) = found(&graph);
        assert_eq!(integers, [100, -82, -27, 127]);
        assert_eq!(scales, [0.5, 0.5 * step]);
        let [note] = &*notes else {
            panic!("{notes:?}");
        };
        let Note::WeightsRounded {
            weights,
            channels: 1,
            channels_all: 2,
            error_steps,
        } = note
        else {
            panic!("{note:?}");
        };
        assert_eq!(weights, "q");
        assert!((error_steps - (82.0 * step - 100.0).abs()).abs() < 1e-5);
    }

    #[test]
    fn constants_that_are_no_weights_are_not_rounded() {
        let mut graph = product(DataType::Uint8, &[200, 0, 73, 255], 100, "Mul");
        let before = graph.clone();
        assert_eq!(make_symmetric(&mut graph), []);
        assert_eq!(graph, before);
    }

    #[test]
    fn weights_of_float_activations_are_not_rounded() {
        for operator in ["Relu", "MatMul", "Sigmoid"] {
            let mut graph = product(DataType::Uint8, &[200, 0, 73, 255], 100, "MatMul");
            // Nothing but an operator of a float input lies behind.
            graph.node.pop();
            graph.node[2].op_type = operator.into();
            let before = graph.clone();
            assert_eq!(make_symmetric(&mut graph), []);
            assert_eq!(graph, before);
        }
    }

    #[test]
    fn a_zero_point_for_each_channel_is_that_channels() {
        let mut graph = product(DataType::Uint8, &[200, 0, 73, 255], 0, "MatMul");
        graph.initializer[1] = tensor::of_f32s("s", &[2], &[0.5, 0.25]);
        graph.initializer[2] = tensor::of_integers("z", DataType::Uint8, &[2], &[100, 128]);
        assert_eq!(make_symmetric(&mut graph), []);
        let wanted = (vec![100, -128, -27, 127], vec![0.5, 0.25]);
        assert_eq!(found(&graph), wanted);
    }
}
