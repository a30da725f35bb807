//! The structure of rewritten graphs; what they compute is compared with onnxruntime in
//! `tests/qoperator.rs`.

use super::rewriter::{int, ints};
use super::*;
use crate::import::tensor;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, TensorProto, ValueInfoProto};

fn node(op: &str, name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: op.into(),
        name: name.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: outputs.iter().map(|&output| output.into()).collect(),
        ..Default::default()
    }
}

fn graph(nodes: Vec<NodeProto>, constants: Vec<TensorProto>, output: &str) -> GraphProto {
    let output = ValueInfoProto {
        name: output.into(),
        ..Default::default()
    };
    GraphProto {
        node: nodes,
        initializer: constants,
        output: vec![output],
        ..Default::default()
    }
}

fn scale(name: &str, value: f32) -> TensorProto {
    tensor::of_f32s(name, &[], &[value])
}

fn zero(name: &str, value: i32) -> TensorProto {
    tensor::of_integers(name, DataType::Uint8, &[], &[value])
}

fn ops(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|node| &*node.op_type).collect()
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    let mut tensors = graph.initializer.iter();
    tensors.find(|tensor| tensor.name == name).unwrap()
}

fn became(rewritten: &Rewritten) -> Vec<Became> {
    let origins = rewritten.origins.iter();
    origins.map(|origin| origin.became.clone()).collect()
}

fn conv() -> GraphProto {
    let inputs = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"];
    graph(
        vec![node("QLinearConv", "conv1", &inputs, &["y"])],
        vec![
            scale("xs", 0.5),
            zero("xz", 3),
            tensor::of_i8s("w", &[2, 1, 1, 1], &[5, -6]),
            tensor::of_f32s("ws", &[2], &[0.25, 0.125]),
            tensor::of_i8s("wz", &[2], &[0, 0]),
            tensor::of_f32s("ys", &[1], &[1.0]),
            zero("yz", 0),
            tensor::of_integers("b", DataType::Int32, &[2], &[7, 8]),
        ],
        "y",
    )
}

#[test]
fn a_quantized_convolution_becomes_a_real_one_between_quantizers() {
    let mut graph = conv();
    let rewritten = rewrite(&mut graph, 13);
    let wanted = ["DequantizeLinear", "DequantizeLinear", "DequantizeLinear"];
    assert_eq!(
        ops(&graph),
        [&wanted[..], &["Conv", "QuantizeLinear"]].concat()
    );
    assert_eq!(became(&rewritten), [Became::Nodes(0..5)]);
    assert_eq!(rewritten.origins[0].name, "conv1");
    assert_eq!(rewritten.origins[0].op, "QLinearConv");
    assert!(rewritten.refusals.is_empty() && rewritten.notes.is_empty());
    let [x, w, bias, conv, quantize] = &*graph.node else {
        panic!("five nodes");
    };
    assert_eq!(x.input, ["x", "xs", "xz"]);
    assert_eq!(w.attribute, [int("axis", 0)]);
    // The bias has the scale of the sums.
    let scales = tensor::f32s(constant(&graph, &bias.input[1])).unwrap();
    assert_eq!(scales, [0.125, 0.0625]);
    let made = [x, w, bias].map(|node| node.output[0].clone());
    assert_eq!(conv.input, made);
    // A scale of one element has no axes.
    assert!(constant(&graph, &quantize.input[1]).dims.is_empty());
    assert_eq!(quantize.output, ["y"]);
}

#[test]
fn what_has_no_constant_scale_stays_and_says_why() {
    let mut graph = conv();
    graph.initializer.retain(|tensor| tensor.name != "ys");
    let rewritten = rewrite(&mut graph, 13);
    assert_eq!(ops(&graph), ["QLinearConv"]);
    let refusal = Refusal::NotConstant { value: "ys".into() };
    assert_eq!(rewritten.refusals, [refusal.at("conv1", "QLinearConv")]);
}

#[test]
fn operators_of_other_domains_are_left_alone() {
    let mut graph = conv();
    graph.node[0].domain = "of.somebody".into();
    rewrite(&mut graph, 13);
    assert_eq!(ops(&graph), ["QLinearConv"]);
}

#[test]
fn axes_are_where_the_version_has_them() {
    let mean = |opset| {
        let mut mean = node(
            "QLinearReduceMean",
            "mean",
            &["x", "s", "z", "s", "z"],
            &["y"],
        );
        mean.domain = "com.microsoft".into();
        mean.attribute = vec![ints("axes", &[2, 3])];
        let mut graph = graph(vec![mean], vec![scale("s", 1.0), zero("z", 0)], "y");
        rewrite(&mut graph, opset);
        assert_eq!(
            ops(&graph),
            ["DequantizeLinear", "ReduceMean", "QuantizeLinear"]
        );
        graph
    };
    let old = mean(17);
    assert_eq!(old.node[1].attribute, [ints("axes", &[2, 3])]);
    let new = mean(18);
    assert!(new.node[1].attribute.is_empty());
    let axes = constant(&new, &new.node[1].input[1]);
    assert_eq!(axes.raw_data, tensor::of_i64s("", &[2, 3]).raw_data);
}

#[test]
fn a_pad_of_integers_pads_with_the_real_number() {
    let pad = |value: &str| {
        let quantize = node("QuantizeLinear", "quantize", &["x", "s", "z"], &["q"]);
        let pad = node("Pad", "pad", &["q", "pads", value], &["y"]);
        let constants = vec![scale("s", 0.5), zero("z", 10), zero("v", 14)];
        let mut graph = graph(vec![quantize, pad], constants, "y");
        let rewritten = rewrite(&mut graph, 13);
        assert_eq!(
            became(&rewritten),
            [Became::Nodes(0..1), Became::Nodes(1..4)]
        );
        assert_eq!(
            ops(&graph)[1..],
            ["DequantizeLinear", "Pad", "QuantizeLinear"]
        );
        assert_eq!(
            graph.node[2].input[..2],
            [&*graph.node[1].output[0], "pads"]
        );
        tensor::f32s(constant(&graph, &graph.node[2].input[2])).unwrap()
    };
    assert_eq!(pad("z"), [0.0]);
    assert_eq!(pad("v"), [2.0]);
    // ONNX pads with the integer 0 where nothing is said.
    assert_eq!(pad(""), [-5.0]);
}

fn dynamic(output: &str) -> GraphProto {
    let cast = NodeProto {
        attribute: vec![AttributeProto {
            name: "to".into(),
            i: DataType::Float as i64,
            r#type: AttributeType::Int as i32,
            ..Default::default()
        }],
        ..node("Cast", "cast", &["sums"], &["real"])
    };
    let nodes = vec![
        node(
            "DynamicQuantizeLinear",
            "quantize",
            &["x"],
            &["q", "qs", "qz"],
        ),
        node(
            "MatMulInteger",
            "product",
            &["q", "w", "qz", "wz"],
            &["sums"],
        ),
        cast,
        node("Mul", "scales", &["qs", "ws"], &["scale"]),
        node("Mul", "rescale", &["real", "scale"], &["y"]),
    ];
    let weights = tensor::of_integers("w", DataType::Uint8, &[2, 2], &[0, 1, 254, 255]);
    let constants = vec![weights, zero("wz", 128), scale("ws", 0.5)];
    graph(nodes, constants, output)
}

#[test]
fn a_dynamic_product_becomes_a_real_one_on_quantized_weights() {
    let mut graph = dynamic("y");
    let rewritten = rewrite(&mut graph, 13);
    assert_eq!(ops(&graph), ["DequantizeLinear", "MatMul"]);
    assert_eq!(graph.node[0].input, ["w", "ws", "wz"]);
    assert_eq!(graph.node[1].input, ["x", &graph.node[0].output[0]]);
    assert_eq!(graph.node[1].output, ["y"]);
    let part = Became::PartOf(1);
    let whole = Became::Nodes(0..2);
    let wanted = [part.clone(), whole, part.clone(), part.clone(), part];
    assert_eq!(became(&rewritten), wanted);
    let note = Note::Dynamic {
        node: "product".into(),
    };
    assert_eq!(rewritten.notes, [note]);
}

#[test]
fn what_others_read_of_a_dynamic_product_stays() {
    // The sums themselves: then there is no product to take.
    let mut sums = dynamic("sums");
    rewrite(&mut sums, 13);
    assert_eq!(ops(&sums).len(), 5);
    // The quantizer's scale: the quantizer stays, and its own product of scales goes.
    let mut scale = dynamic("qs");
    rewrite(&mut scale, 13);
    assert_eq!(
        ops(&scale),
        ["DynamicQuantizeLinear", "DequantizeLinear", "MatMul"]
    );
}

#[test]
fn gelu_spelled_out_becomes_one_operator() {
    let constants = || {
        vec![
            scale("root", std::f32::consts::SQRT_2),
            scale("one", 1.0),
            scale("half", 0.5),
        ]
    };
    let head = || {
        vec![
            node("Div", "div", &["x", "root"], &["scaled"]),
            node("Erf", "erf", &["scaled"], &["e"]),
            node("Add", "add", &["e", "one"], &["sum"]),
        ]
    };
    let tails = [
        [
            node("Mul", "first", &["x", "sum"], &["p"]),
            node("Mul", "second", &["p", "half"], &["y"]),
        ],
        [
            node("Mul", "first", &["half", "x"], &["p"]),
            node("Mul", "second", &["p", "sum"], &["y"]),
        ],
        [
            node("Mul", "first", &["sum", "half"], &["p"]),
            node("Mul", "second", &["x", "p"], &["y"]),
        ],
    ];
    for tail in tails {
        let mut whole = graph(head().into_iter().chain(tail).collect(), constants(), "y");
        rewrite(&mut whole, 17);
        assert_eq!(ops(&whole), ["Gelu"]);
        assert_eq!(whole.node[0].input, ["x"]);
        assert_eq!(whole.node[0].output, ["y"]);
    }
    // The sum of another constant is no GELU; nor is one of which a part is an output.
    let tail = [
        node("Mul", "first", &["x", "sum"], &["p"]),
        node("Mul", "second", &["p", "half"], &["y"]),
    ];
    let nodes: Vec<_> = head().into_iter().chain(tail).collect();
    let mut other = graph(nodes.clone(), constants(), "y");
    other.initializer[1] = scale("one", 2.0);
    rewrite(&mut other, 17);
    assert_eq!(other.node.len(), 5);
    let mut seen = graph(nodes, constants(), "sum");
    rewrite(&mut seen, 17);
    assert_eq!(seen.node.len(), 5);
}
