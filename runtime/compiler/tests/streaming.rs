//! A plan of a stream gives, run by run, the bits of the plan of the whole sequence.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod common;

use common::noise;
use common::onnx::{Model, Value};
use microtome_compiler::{CompileError, Options, Refusal, compile};
use microtome_exec::Executor;
use microtome_plan::PlanBuf;
use tract_onnx::pb::tensor_proto::DataType::Float;

const CHANNELS: usize = 3;
const FRAMES: usize = 20;

/// A causal dilated net in int8 over `frames` frames, or over an open axis for 0: padding is that of
/// a convolution, and a `Pad` of its own.
fn net(frames: i64) -> Model {
    Model::new()
        .input("x", Float, &[1, CHANNELS as i64, frames])
        .quantized("x", "xq", 0.05, 3)
        .weights("w", &[4, 3, 3], &noise(1, 36), &[0.01], 0)
        .node("Conv", &["xq", "w"], "a", &[("pads", Value::Ints(&[2, 0]))])
        .node("Relu", &["a"], "b", &[])
        .quantized("b", "bq", 0.06, -100)
        .i64s("pads", &[0, 0, 4, 0, 0, 0])
        .node("Pad", &["bq", "pads"], "p", &[])
        .quantized("p", "pq", 0.06, -100)
        .weights("v", &[4, 4, 3], &noise(2, 48), &[0.02], 0)
        .node(
            "Conv",
            &["pq", "v"],
            "c",
            &[("dilations", Value::Ints(&[2]))],
        )
        .quantized("c", "cq", 0.3, 5)
        .node("Add", &["bq", "cq"], "d", &[])
        .quantized("d", "out", 0.3, -7)
        .output("out", Float)
}

fn stream(model: Model, frames: usize) -> Result<PlanBuf, CompileError> {
    let mut options = Options::new("test");
    options.pulse = Some(frames);
    compile(&model.bytes(), &options).map(|compiled| compiled.plan)
}

/// The int8 outputs of runs one after another on `frames` frames each.
fn runs(plan: &PlanBuf, inputs: &[i8], frames: usize, times: usize) -> Vec<u8> {
    let plan = plan.plan();
    let mut arena = vec![0x5a5a_5a5a_u32; plan.manifest().arena_bytes.div_ceil(4)];
    let mut executor = Executor::new(&plan, bytemuck::cast_slice_mut(&mut arena)).unwrap();
    let mut outputs = Vec::new();
    for _ in 0..times {
        outputs.clear();
        executor.reset();
        for input in inputs.chunks_exact(CHANNELS * frames) {
            executor
                .input_mut(0)
                .copy_from_slice(bytemuck::cast_slice(input));
            executor.run(&mut ());
            outputs.extend_from_slice(executor.output(0));
        }
    }
    outputs
}

#[test]
fn a_stream_has_the_bits_of_the_whole_sequence() {
    let whole = compile(&net(FRAMES as i64).bytes(), &Options::new("test")).unwrap();
    // Frames lie one after another in the arena: [frame][channel].
    let inputs = noise(3, CHANNELS * FRAMES);
    let expected = runs(&whole.plan, &inputs, FRAMES, 1);
    assert!(expected.iter().any(|&value| value != expected[0]));
    for frames in [1, 2, 4, 5, 10, 20] {
        let plan = stream(net(0), frames).unwrap();
        assert_eq!(runs(&plan, &inputs, frames, 1), expected, "{frames} a run");
    }
}

#[test]
fn a_reset_begins_the_stream_anew() {
    let inputs = noise(4, CHANNELS * FRAMES);
    let plan = stream(net(0), 2).unwrap();
    assert_eq!(runs(&plan, &inputs, 2, 3), runs(&plan, &inputs, 2, 1));
}

#[test]
fn what_looks_ahead_is_refused_by_name() {
    let model = Model::new()
        .input("x", Float, &[1, 3, 0])
        .quantized("x", "xq", 0.05, 0)
        .weights("w", &[4, 3, 3], &noise(1, 36), &[0.01], 0)
        .node("Conv", &["xq", "w"], "y", &[("pads", Value::Ints(&[1, 1]))])
        .quantized("y", "out", 0.1, 0)
        .output("out", Float);
    match stream(model, 4).unwrap_err() {
        CompileError::Node { node, refusal, .. } => {
            assert_eq!(node, "Conv_y");
            assert!(matches!(refusal, Refusal::NotStreaming { .. }), "{refusal}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_model_without_an_open_axis_is_no_stream() {
    let refused = stream(net(FRAMES as i64), 4).unwrap_err();
    assert_eq!(refused, CompileError::NoFrames);
}
