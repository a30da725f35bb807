//! Every TFLite operator that the reader knows becomes ONNX operators of fitting shapes: a float
//! model of it compiles, or one of those has no lowering; the translation itself refuses nothing.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

#[path = "common/tflite.rs"]
mod file;

use file::{Field, I32, Model, Table};
use microtome_compiler::{CompileError, Options, Refusal, compile};

/// An operand: an activation of these axes, or a constant.
enum Operand {
    X(&'static [i32]),
    /// Indices that are an activation.
    XI(&'static [i32]),
    F(&'static [i32]),
    I(&'static [i32]),
    /// One integer without axes.
    Scalar(i32),
    Left,
}
use Operand::{F, I, Left, Scalar, X, XI};

struct Case {
    code: i32,
    options: (u8, Table),
    operands: Vec<Operand>,
    results: Vec<&'static [i32]>,
}

fn case(
    code: i32,
    options: (u8, &[(usize, Field)]),
    operands: Vec<Operand>,
    results: &[&'static [i32]],
) -> Case {
    Case {
        code,
        options: (options.0, options.1.to_vec()),
        operands,
        results: results.to_vec(),
    }
}

/// The model of one operator, whose results have this type.
fn model(case: &Case, kind: u8) -> Vec<u8> {
    let mut model = Model::new();
    let (mut operands, mut inputs) = (Vec::new(), Vec::new());
    for (index, operand) in case.operands.iter().enumerate() {
        let name = format!("x{index}");
        operands.push(match operand {
            X(dims) => {
                inputs.push(model.float(&name, dims));
                inputs[inputs.len() - 1]
            }
            XI(dims) => {
                inputs.push(model.tensor(&name, I32, dims, None, None));
                inputs[inputs.len() - 1]
            }
            F(dims) => {
                let count = dims.iter().product::<i32>() as usize;
                model.f32s(&name, dims, &vec![0.5; count])
            }
            I(values) => model.i32s(&name, &[values.len() as i32], values),
            Scalar(value) => model.i32s(&name, &[], &[*value]),
            Left => -1,
        });
    }
    let results = case.results.iter().enumerate();
    let outputs: Vec<_> = results
        .map(|(index, dims)| model.tensor(&format!("y{index}"), kind, dims, None, None))
        .collect();
    model.op(case.code, case.options.clone(), &operands, &outputs);
    model.bytes(&inputs, &outputs)
}

fn check(case: &Case, kind: u8) {
    match compile(&model(case, kind), &Options::new("test")) {
        Ok(_) => {}
        Err(CompileError::Node { op, refusal, .. }) => {
            // What the reader itself refuses names an attribute, a shape or a type.
            let lacks_lowering = refusal == Refusal::Operator || op == "MIRROR_PAD";
            assert!(lacks_lowering, "{} ({op}): {refusal}", case.code);
        }
        Err(CompileError::Port { .. }) => {}
        Err(other) => panic!("{}: {other}", case.code),
    }
}

#[test]
fn operators_of_one_or_two_operands() {
    const IMAGE: &[i32] = &[1, 4, 6, 2];
    let none = (0, &[][..]);
    // ABS, CEIL, COS, ELU, EXP, FLOOR, GELU, HARD_SWISH, LEAKY_RELU, LOG, LOGISTIC, LOG_SOFTMAX,
    // NEG, RELU, RELU6, RELU_N1_TO_1, RSQRT, SIN, SQRT, SQUARE, TANH.
    for code in [
        101, 104, 108, 111, 47, 8, 150, 117, 98, 73, 14, 50, 59, 19, 21, 20, 76, 66, 75, 92, 28,
    ] {
        check(&case(code, none, vec![X(IMAGE)], &[IMAGE]), file::F32);
    }
    // ADD, DIV, MAXIMUM, MINIMUM, MUL, POW, PRELU, SUB.
    for code in [0, 42, 55, 57, 18, 78, 54, 41] {
        let operands = vec![X(IMAGE), F(&[2])];
        check(&case(code, none, operands, &[IMAGE]), file::F32);
        let operands = vec![X(IMAGE), X(&[1, 1, 6, 2])];
        check(&case(code, none, operands, &[IMAGE]), file::F32);
    }
    let beta = (9, &[(0, Field::Float(1.0))][..]);
    check(&case(25, beta, vec![X(IMAGE)], &[IMAGE]), file::F32);
    let tanh = (11, &[(0, Field::Byte(4))][..]);
    check(
        &case(0, tanh, vec![X(IMAGE), X(IMAGE)], &[IMAGE]),
        file::F32,
    );
}

#[test]
fn operators_on_images() {
    const IMAGE: &[i32] = &[1, 4, 6, 8];
    let strides = [(1, Field::Int(2)), (2, Field::Int(2))];
    let block = [(0, Field::Int(2))];
    let pads = || I(&[0, 0, 1, 1, 0, 2, 0, 0]);
    let cases = [
        // SAME and VALID TRANSPOSE_CONV.
        case(
            67,
            (49, &strides),
            vec![I(&[1, 8, 12, 3]), F(&[3, 3, 3, 8]), X(IMAGE), F(&[3])],
            &[&[1, 8, 12, 3]],
        ),
        case(
            67,
            (49, &[&strides[..], &[(0, Field::Byte(1))]].concat()),
            vec![I(&[1, 9, 13, 3]), F(&[3, 3, 3, 8]), X(IMAGE)],
            &[&[1, 9, 13, 3]],
        ),
        // RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.
        case(
            23,
            (15, &[(3, Field::Byte(1))]),
            vec![X(IMAGE), I(&[8, 9])],
            &[&[1, 8, 9, 8]],
        ),
        case(
            97,
            (74, &[]),
            vec![X(IMAGE), I(&[8, 12])],
            &[&[1, 8, 12, 8]],
        ),
        // SPACE_TO_DEPTH and DEPTH_TO_SPACE.
        case(26, (19, &block), vec![X(IMAGE)], &[&[1, 2, 3, 32]]),
        case(5, (94, &block), vec![X(IMAGE)], &[&[1, 8, 12, 2]]),
        // PAD, PADV2, MIRROR_PAD.
        case(34, (0, &[]), vec![X(IMAGE), pads()], &[&[1, 6, 8, 8]]),
        case(
            60,
            (0, &[]),
            vec![X(IMAGE), pads(), F(&[1])],
            &[&[1, 6, 8, 8]],
        ),
        case(100, (77, &[]), vec![X(IMAGE), pads()], &[&[1, 6, 8, 8]]),
        // MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD.
        case(40, (0, &[]), vec![X(IMAGE), I(&[1, 2])], &[&[1, 8]]),
        case(74, (0, &[]), vec![X(IMAGE), I(&[-1])], &[&[1, 4, 6, 1]]),
        case(82, (0, &[]), vec![X(IMAGE), I(&[2])], &[&[1, 4, 8]]),
        case(89, (0, &[]), vec![X(IMAGE), Scalar(1)], &[&[1, 6, 8]]),
        case(81, (0, &[]), vec![X(&[1, 5, 3]), I(&[1])], &[&[1, 3]]),
    ];
    for case in &cases {
        check(case, file::F32);
    }
}

#[test]
fn operators_on_axes() {
    const X3: &[i32] = &[1, 4, 6];
    let axis = |field: usize, axis: i32| [(field, Field::Int(axis))];
    let cases = [
        // CONCATENATION, PACK, UNPACK, SPLIT, SPLIT_V.
        case(
            2,
            (10, &axis(0, -1)),
            vec![X(X3), X(&[1, 4, 2])],
            &[&[1, 4, 8]],
        ),
        case(83, (59, &axis(1, -1)), vec![X(X3), X(X3)], &[&[1, 4, 6, 2]]),
        case(
            88,
            (64, &axis(1, 1)),
            vec![X(&[1, 2, 6])],
            &[&[1, 6], &[1, 6]],
        ),
        case(
            49,
            (0, &[]),
            vec![Scalar(2), X(X3)],
            &[&[1, 4, 3], &[1, 4, 3]],
        ),
        case(
            102,
            (0, &[]),
            vec![X(X3), I(&[1, 3]), Scalar(-2)],
            &[&[1, 1, 6], &[1, 3, 6]],
        ),
        // RESHAPE, SQUEEZE, EXPAND_DIMS, TRANSPOSE.
        case(22, (0, &[]), vec![X(X3), I(&[1, 24])], &[&[1, 24]]),
        case(43, (0, &[]), vec![X(&[1, 1, 6])], &[&[1, 6]]),
        case(70, (0, &[]), vec![X(X3), Scalar(1)], &[&[1, 1, 4, 6]]),
        case(39, (0, &[]), vec![X(X3), I(&[0, 2, 1])], &[&[1, 6, 4]]),
        // SLICE, STRIDED_SLICE.
        case(
            65,
            (0, &[]),
            vec![X(X3), I(&[0, 1, 2]), I(&[1, 2, -1])],
            &[&[1, 2, 4]],
        ),
        case(
            45,
            (32, &[(1, Field::Int(4)), (4, Field::Int(2))]),
            vec![X(X3), I(&[0, -1, 5]), I(&[1, 0, 0]), I(&[1, 1, -2])],
            &[&[1, 3]],
        ),
        // GATHER, EMBEDDING_LOOKUP, BATCH_MATMUL, FULLY_CONNECTED.
        case(
            36,
            (23, &axis(0, 2)),
            vec![X(X3), I(&[5, 0, 1])],
            &[&[1, 4, 3]],
        ),
        case(7, (0, &[]), vec![XI(&[1]), F(&[5, 4])], &[&[1, 4]]),
        case(
            126,
            (101, &[(1, Field::Byte(1))]),
            vec![X(X3), X(&[1, 5, 6])],
            &[&[1, 4, 5]],
        ),
        case(
            126,
            (101, &[(1, Field::Byte(1))]),
            vec![X(X3), F(&[5, 6])],
            &[&[1, 4, 5]],
        ),
        case(
            9,
            (8, &[(2, Field::Byte(1))]),
            vec![X(X3), F(&[5, 6]), F(&[5])],
            &[&[1, 4, 5]],
        ),
    ];
    for case in &cases {
        check(case, file::F32);
    }
    // ARG_MAX, ARG_MIN, CAST.
    for code in [56, 79] {
        check(
            &case(code, (0, &[]), vec![X(X3), Scalar(-1)], &[&[1, 4]]),
            I32,
        );
    }
    check(&case(53, (0, &[]), vec![X(X3)], &[X3]), I32);
}

#[test]
fn results_of_another_type_and_models_without_inputs_are_refused_by_name() {
    const X3: &[i32] = &[1, 4, 6];
    let refused = |case: &Case, kind: u8| compile(&model(case, kind), &Options::new("test"));
    // ABS of floats is no int32.
    let wrong = case(101, (0, &[]), vec![X(X3)], &[X3]);
    let Err(CompileError::Port { port, refusal }) = refused(&wrong, I32) else {
        panic!("it was compiled");
    };
    assert_eq!(port, "y0");
    assert!(matches!(refusal, Refusal::Type { .. }), "{refusal}");
    let constant = case(7, (0, &[]), vec![I(&[3]), F(&[5, 4])], &[&[1, 4]]);
    let error = refused(&constant, file::F32).unwrap_err();
    assert_eq!(error, CompileError::NoPort { what: "input" });
}

#[test]
fn an_lstm_of_a_whole_sequence() {
    let square = || F(&[3, 3]);
    let wide = || F(&[3, 4]);
    let bias = || F(&[3]);
    let mut operands = vec![X(&[1, 7, 4])];
    operands.extend([wide(), wide(), wide(), wide()]);
    operands.extend([square(), square(), square(), square()]);
    operands.extend([Left, Left, Left]);
    operands.extend([bias(), bias(), bias(), bias()]);
    operands.extend([Left, Left, F(&[1, 3]), F(&[1, 3])]);
    let options = [(0, Field::Byte(4)), (1, Field::Float(10.0))];
    check(
        &case(44, (71, &options), operands, &[&[1, 7, 3]]),
        file::F32,
    );
}
