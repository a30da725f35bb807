//! Tiny models of one operator, in float and in int8: what compiles of them is what the table of
//! operators says.

#![allow(dead_code, reason = "the builder is shared with the compiler's tests")]

#[path = "../../runtime/compiler/tests/common/onnx.rs"]
mod onnx;

use onnx::{Model, Value};
use tract_onnx::pb::tensor_proto::DataType;

/// An operand of a trial.
#[derive(Clone, Copy)]
pub enum Operand {
    /// An activation of real numbers.
    Real(&'static [i64]),
    /// An activation of integers.
    Integer(&'static [i64]),
    /// An activation of truth values.
    Truth(&'static [i64]),
    /// Constant real numbers: weights, gamma.
    Weights(&'static [i64]),
    /// Constant integers: axes, a shape, indices.
    Known(&'static [i64]),
    /// Left out.
    None,
}

use Operand::{Integer, Known, None as Nothing, Real, Truth, Weights};

/// Operands and attributes that operators may take.
pub struct Form {
    operands: &'static [Operand],
    attributes: &'static [(&'static str, Attribute)],
}

/// An attribute's value.
enum Attribute {
    Int(i64),
    Ints(&'static [i64]),
    Text(&'static str),
}

use Attribute::{Int, Ints, Text};

const IMAGE: &[i64] = &[1, 4, 6, 6];
const KERNEL: (&str, Attribute) = ("kernel_shape", Ints(&[3, 3]));
const HIDDEN: (&str, Attribute) = ("hidden_size", Int(4));

const fn form(
    operands: &'static [Operand],
    attributes: &'static [(&'static str, Attribute)],
) -> Form {
    Form {
        operands,
        attributes,
    }
}

/// Every form; an operator compiles if one of them does.
pub const FORMS: &[Form] = &[
    form(&[Real(IMAGE)], &[]),
    form(&[Real(IMAGE), Real(IMAGE)], &[]),
    form(&[Real(IMAGE), Real(IMAGE)], &[("axis", Int(1))]),
    form(&[Real(IMAGE)], &[KERNEL]),
    form(&[Real(IMAGE), Weights(&[4, 4, 3, 3])], &[KERNEL]),
    form(
        &[Real(IMAGE), Weights(&[4, 1, 3, 3])],
        &[KERNEL, ("group", Int(4))],
    ),
    form(&[Real(IMAGE), Weights(&[4, 1, 1])], &[]),
    form(&[Real(&[1, 8]), Weights(&[8, 8])], &[]),
    form(
        &[Real(&[1, 8]), Weights(&[8, 8])],
        &[("equation", Text("ij,jk->ik"))],
    ),
    form(&[Real(&[1, 5, 8]), Real(&[1, 8, 6])], &[]),
    form(&[Real(IMAGE)], &[("to", Int(DataType::Int32 as i64))]),
    form(&[Truth(IMAGE)], &[]),
    form(&[Truth(IMAGE), Truth(IMAGE)], &[]),
    form(&[Truth(IMAGE), Real(IMAGE), Real(IMAGE)], &[]),
    form(&[Integer(IMAGE), Integer(IMAGE)], &[]),
    form(
        &[Integer(IMAGE), Integer(IMAGE)],
        &[("direction", Text("LEFT"))],
    ),
    form(&[Real(IMAGE)], &[("axes", Ints(&[0]))]),
    form(&[Real(IMAGE)], &[("axes", Ints(&[2, 3]))]),
    form(
        &[Real(IMAGE)],
        &[("axes", Ints(&[2, 3])), ("keepdims", Int(0))],
    ),
    form(&[Real(IMAGE)], &[("axis", Int(1))]),
    form(&[Real(IMAGE)], &[("blocksize", Int(2))]),
    form(&[Real(IMAGE)], &[("size", Int(3))]),
    form(&[Real(IMAGE)], &[("pads", Ints(&[0, 0, 1, 1, 0, 0, 1, 1]))]),
    form(&[Real(IMAGE), Known(&[1, 144])], &[]),
    form(&[Real(IMAGE), Known(&[0])], &[]),
    form(&[Real(IMAGE), Known(&[0])], &[("axis", Int(1))]),
    form(&[Real(IMAGE), Known(&[2, 3])], &[]),
    form(&[Real(IMAGE), Known(&[2])], &[]),
    form(&[Real(IMAGE), Known(&[1, 1, 1, 2])], &[]),
    form(&[Real(IMAGE), Known(&[0, 0, 1, 1, 0, 0, 1, 1])], &[]),
    form(&[Real(IMAGE), Known(&[0]), Known(&[2]), Known(&[2])], &[]),
    form(
        &[Real(IMAGE), Nothing, Nothing, Known(&[1, 4, 12, 12])],
        &[],
    ),
    form(&[Integer(&[1, 4]), Known(&[3]), Weights(&[2])], &[]),
    form(&[Real(IMAGE), Weights(&[6])], &[]),
    form(&[Real(IMAGE), Weights(&[4]), Weights(&[4])], &[]),
    form(
        &[Real(IMAGE), Weights(&[4]), Weights(&[4])],
        &[("num_groups", Int(2))],
    ),
    form(&[Real(&[1, 5, 8]), Weights(&[8]), Weights(&[8])], &[]),
    form(&[Real(&[1, 5, 8]), Real(&[1, 5, 8]), Weights(&[8])], &[]),
    form(
        &[
            Real(IMAGE),
            Weights(&[4]),
            Weights(&[4]),
            Weights(&[4]),
            Weights(&[4]),
        ],
        &[],
    ),
    form(
        &[Real(&[5, 1, 4]), Weights(&[1, 16, 4]), Weights(&[1, 16, 4])],
        &[HIDDEN],
    ),
    form(
        &[Real(&[5, 1, 4]), Weights(&[1, 12, 4]), Weights(&[1, 12, 4])],
        &[HIDDEN],
    ),
    form(
        &[Real(&[5, 1, 4]), Weights(&[1, 4, 4]), Weights(&[1, 4, 4])],
        &[HIDDEN],
    ),
];

/// Scale and zero point of a result: of numbers about 0, and of probabilities.
pub const RESULTS: [(f32, i8); 2] = [(0.05, 3), (1.0 / 256.0, -128)];

/// The versions of ONNX's operator set in which an operator is tried.
pub const OPSETS: [i64; 2] = [13, 21];

/// A float model of `op` alone.
pub fn float(op: &str, form: &Form, opset: i64) -> Vec<u8> {
    let model = Model::new().opset(opset);
    let (model, names) = operands(model, form, false);
    node(model, op, &names, form, "y")
        .output("y", DataType::Float)
        .bytes()
}

/// The same between quantizers, with int8 weights.
pub fn int8(op: &str, form: &Form, opset: i64, (scale, zero): (f32, i8)) -> Vec<u8> {
    let model = Model::new().opset(opset);
    let (model, names) = operands(model, form, true);
    node(model, op, &names, form, "y")
        .quantized("y", "out", scale, zero)
        .output("out", DataType::Float)
        .bytes()
}

/// A model of `op` alone whose result is no real number.
pub fn int8_in(op: &str, form: &Form, opset: i64) -> Vec<u8> {
    let model = Model::new().opset(opset);
    let (model, names) = operands(model, form, true);
    node(model, op, &names, form, "y")
        .output("y", DataType::Bool)
        .bytes()
}

fn node(model: Model, op: &str, names: &[String], form: &Form, output: &str) -> Model {
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let value = |attribute: &'static Attribute| match *attribute {
        Int(value) => Value::Int(value),
        Ints(values) => Value::Ints(values),
        Text(text) => Value::Text(text),
    };
    let attributes: Vec<_> = form
        .attributes
        .iter()
        .map(|(name, it)| (*name, value(it)))
        .collect();
    model.node(op, &names, output, &attributes)
}

fn operands(mut model: Model, form: &Form, quantized: bool) -> (Model, Vec<String>) {
    let mut names = Vec::new();
    for (index, operand) in form.operands.iter().enumerate() {
        let mut name = format!("x{index}");
        let len = |dims: &[i64]| dims.iter().product::<i64>() as usize;
        model = match *operand {
            Real(dims) if quantized => {
                let given = format!("{name}_given");
                model
                    .input(&given, DataType::Float, dims)
                    .quantized(&given, &name, 0.05, 3)
            }
            Real(dims) => model.input(&name, DataType::Float, dims),
            Integer(dims) => model.input(&name, DataType::Int32, dims),
            Truth(dims) => model.input(&name, DataType::Bool, dims),
            Weights(dims) if quantized => {
                let values = vec![7; len(dims)];
                model.weights(&name, dims, &values, &[0.05], 0)
            }
            Weights(dims) => model.f32s(&name, dims, &vec![0.35; len(dims)]),
            Known(values) => model.i64s(&name, values),
            Nothing => {
                name.clear();
                model
            }
        };
        names.push(name);
    }
    (model, names)
}
