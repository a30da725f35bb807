//! Random models, each from its seed: chains with branches and skips, of every shape of operator
//! that has an integer kernel, with some values left in float.
//!
//! What is drawn is valid and compiles; only an operator that has no lowering yet may be refused.

use super::onnx::{Model, Value};
use tract_onnx::pb::tensor_proto::DataType::Float;

/// Which models are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// Every operator; one value in eight stays in float.
    All,
    /// Operators that every executor has, on int8 alone.
    Common,
}

/// Most output ports of a plan.
const OUTPUTS_MAX: usize = 4;

/// The model of `seed`, as its file has it.
pub fn model(seed: u64, palette: Palette) -> Vec<u8> {
    let mut draft = Draft {
        model: Some(Model::new()),
        random: Random::new(seed),
        palette,
        values: Vec::new(),
        names: 0,
    };
    for _ in 0..draft.random.between(1, 2) {
        draft.input();
    }
    let inputs = draft.values.len();
    let nodes = draft.random.between(1, 12);
    while draft.values.len() < inputs + nodes {
        draft.node();
    }
    draft.finish(inputs)
}

/// A value of the model: int8 behind its `DequantizeLinear`, or float.
#[derive(Clone)]
struct Drawn {
    name: String,
    /// `[1, channels, height, width]`, or `[1, features]`.
    dims: Vec<i64>,
    /// Scale and zero point, if it is quantized.
    quantization: Option<(f32, i8)>,
}

impl Drawn {
    fn is_image(&self) -> bool {
        self.dims.len() == 4
    }
}

/// A model in the making.
struct Draft {
    model: Option<Model>,
    random: Random,
    palette: Palette,
    values: Vec<Drawn>,
    names: usize,
}

type Draw = fn(&mut Draft, Drawn);

impl Draft {
    fn input(&mut self) {
        let name = self.name();
        let dims = if self.random.one_in(4) {
            vec![1, self.random.dim(24)]
        } else {
            vec![
                1,
                self.random.dim(8),
                self.random.dim(9),
                self.random.dim(9),
            ]
        };
        self.add(|model| model.input(&name, Float, &dims));
        self.quantize(&name, dims);
    }

    /// Draws an operator and its operand; most chains go on with the youngest value.
    fn node(&mut self) {
        const COMMON: [Draw; 7] = [
            Draft::convolution,
            Draft::max_pool,
            Draft::average_pool,
            Draft::dense,
            Draft::pad,
            Draft::relu,
            Draft::sum,
        ];
        const MORE: [Draw; 6] = [
            Draft::softmax,
            Draft::function,
            Draft::pair,
            Draft::with_constant,
            Draft::transpose,
            Draft::reshape,
        ];
        let all = COMMON.len() + MORE.len();
        let drawn = match self.palette {
            Palette::All => self.random.below(all),
            Palette::Common => self.random.below(COMMON.len()),
        };
        let youngest = self.values.len() - 1;
        let of = if self.random.one_in(3) {
            self.random.below(youngest + 1)
        } else {
            youngest
        };
        let operand = self.values[of].clone();
        let draw = COMMON.iter().chain(&MORE).nth(drawn);
        draw.expect("one of them")(self, operand);
    }

    fn convolution(&mut self, x: Drawn) {
        if !x.is_image() {
            return self.dense(x);
        }
        let (channels, window) = (x.dims[1], self.window(&x.dims, 2));
        let groups = match self.random.below(3) {
            0 => channels,
            1 if channels % 2 == 0 => 2,
            _ => 1,
        };
        let out = groups * self.random.dim(if groups > 1 { 2 } else { 9 });
        let dims = [out, channels / groups, window.kernel[0], window.kernel[1]];
        let w = self.weights(&dims, 0);
        let b = self.bias(out);
        let mut inputs = vec![&*x.name, &*w];
        inputs.extend(b.as_deref());
        let y = self.name();
        let attributes = [
            ("group", Value::Int(groups)),
            ("strides", Value::Ints(&window.strides)),
            ("dilations", Value::Ints(&window.dilations)),
            ("pads", Value::Ints(&window.pads)),
        ];
        self.add(|model| model.node("Conv", &inputs, &y, &attributes));
        self.maybe_clipped(y, vec![1, out, window.out[0], window.out[1]]);
    }

    fn dense(&mut self, x: Drawn) {
        let x = self.flat(x);
        let (features, out) = (x.dims[1], self.random.dim(9));
        let y = self.name();
        if self.random.one_in(2) {
            let w = self.weights(&[features, out], 1);
            self.add(|model| model.node("MatMul", &[&x.name, &w], &y, &[]));
        } else {
            let w = self.weights(&[out, features], 0);
            let b = self.bias(out);
            let mut inputs = vec![&*x.name, &*w];
            inputs.extend(b.as_deref());
            let attributes = [("transB", Value::Int(1))];
            self.add(|model| model.node("Gemm", &inputs, &y, &attributes));
        }
        self.maybe_clipped(y, vec![1, out]);
    }

    fn max_pool(&mut self, x: Drawn) {
        if !x.is_image() {
            return self.relu(x);
        }
        let window = self.window(&x.dims, 1);
        let y = self.name();
        let attributes = [
            ("kernel_shape", Value::Ints(&window.kernel)),
            ("strides", Value::Ints(&window.strides)),
            ("pads", Value::Ints(&window.pads)),
        ];
        self.add(|model| model.node("MaxPool", &[&x.name], &y, &attributes));
        self.quantize_like(&x, y, vec![1, x.dims[1], window.out[0], window.out[1]]);
    }

    fn average_pool(&mut self, x: Drawn) {
        if !x.is_image() {
            return self.sum(x);
        }
        let y = self.name();
        if self.random.one_in(3) {
            self.add(|model| model.node("GlobalAveragePool", &[&x.name], &y, &[]));
            return self.quantize_like(&x, y, vec![1, x.dims[1], 1, 1]);
        }
        let window = self.window(&x.dims, 1);
        let counts = self.random.below(2) as i64;
        let attributes = [
            ("kernel_shape", Value::Ints(&window.kernel)),
            ("strides", Value::Ints(&window.strides)),
            ("pads", Value::Ints(&window.pads)),
            ("count_include_pad", Value::Int(counts)),
        ];
        self.add(|model| model.node("AveragePool", &[&x.name], &y, &attributes));
        self.quantize_like(&x, y, vec![1, x.dims[1], window.out[0], window.out[1]]);
    }

    fn pad(&mut self, x: Drawn) {
        if !x.is_image() {
            return self.relu(x);
        }
        let mut pads = [0; 8];
        let mut dims = x.dims.clone();
        for axis in 1..4 {
            pads[axis] = self.random.below(3) as i64;
            pads[axis + 4] = self.random.below(3) as i64;
            dims[axis] += pads[axis] + pads[axis + 4];
        }
        let (list, y) = (self.name(), self.name());
        self.add(|model| {
            let model = model.i64s(&list, &pads);
            model.node("Pad", &[&x.name, &list], &y, &[])
        });
        self.quantize_like(&x, y, dims);
    }

    fn relu(&mut self, x: Drawn) {
        let y = self.name();
        self.add(|model| model.node("Relu", &[&x.name], &y, &[]));
        self.quantize_like(&x, y, x.dims.clone());
    }

    /// The sum of two values of one shape, perhaps of one with itself.
    fn sum(&mut self, x: Drawn) {
        self.of_two("Add", x);
    }

    fn pair(&mut self, x: Drawn) {
        let ops = ["Sub", "Mul", "Max", "Min"];
        let op = ops[self.random.below(ops.len())];
        self.of_two(op, x);
    }

    fn of_two(&mut self, op: &str, x: Drawn) {
        let mates: Vec<&Drawn> = self.values.iter().filter(|it| it.dims == x.dims).collect();
        let mate = mates[self.random.below(mates.len())].name.clone();
        let y = self.name();
        self.add(|model| model.node(op, &[&x.name, &mate], &y, &[]));
        self.maybe_clipped(y, x.dims);
    }

    /// An operator with a constant of one number, or one a channel.
    fn with_constant(&mut self, x: Drawn) {
        let dims = match (self.random.below(2), x.is_image()) {
            (0, _) => vec![],
            (_, true) => vec![x.dims[1], 1, 1],
            (_, false) => vec![x.dims[1]],
        };
        let ops = ["Add", "Sub", "Mul"];
        let op = ops[self.random.below(ops.len())];
        let len = dims.iter().product::<i64>();
        let values: Vec<f32> = (0..len).map(|_| self.random.real(0.1, 2.0)).collect();
        let (c, y) = (self.name(), self.name());
        self.add(|model| {
            let model = model.f32s(&c, &dims, &values);
            model.node(op, &[&x.name, &c], &y, &[])
        });
        self.maybe_clipped(y, x.dims);
    }

    fn softmax(&mut self, x: Drawn) {
        let axis = self.random.between(1, x.dims.len() - 1) as i64;
        let y = self.name();
        let attributes = [("axis", Value::Int(axis))];
        self.add(|model| model.node("Softmax", &[&x.name], &y, &attributes));
        self.quantize_as(y, x.dims, 1.0 / 256.0, -128);
    }

    fn function(&mut self, x: Drawn) {
        let ops = [
            "Sigmoid",
            "Tanh",
            "LeakyRelu",
            "Elu",
            "HardSigmoid",
            "Softplus",
            "Abs",
            "Neg",
            "Exp",
            "Erf",
        ];
        let op = ops[self.random.below(ops.len())];
        let y = self.name();
        self.add(|model| model.node(op, &[&x.name], &y, &[]));
        self.quantize(&y, x.dims);
    }

    fn transpose(&mut self, x: Drawn) {
        if !x.is_image() {
            return self.function(x);
        }
        let orders = [[0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [0, 3, 2, 1]];
        let order = orders[self.random.below(orders.len())];
        let y = self.name();
        let attributes = [("perm", Value::Ints(&order))];
        self.add(|model| model.node("Transpose", &[&x.name], &y, &attributes));
        let dims = order.map(|axis| x.dims[axis as usize]).to_vec();
        self.quantize_like(&x, y, dims);
    }

    /// Halves an axis of a vector into rows, or makes rows of an image's channels.
    fn reshape(&mut self, x: Drawn) {
        let len = x.dims.iter().product::<i64>();
        let rows = [4, 3, 2, 1].into_iter().find(|rows| len % rows == 0);
        let rows = rows.unwrap_or(1);
        let dims = [1, rows, len / rows, 1];
        let (list, y) = (self.name(), self.name());
        self.add(|model| {
            let model = model.i64s(&list, &dims);
            model.node("Reshape", &[&x.name, &list], &y, &[])
        });
        self.quantize_like(&x, y, dims.to_vec());
    }

    /// `x` as a vector.
    fn flat(&mut self, x: Drawn) -> Drawn {
        if !x.is_image() {
            return x;
        }
        let name = self.name();
        self.add(|model| model.node("Flatten", &[&x.name], &name, &[]));
        let dims = vec![1, x.dims.iter().product()];
        Drawn { name, dims, ..x }
    }

    /// `Relu` or `Clip` where it is fused, then quantized.
    fn maybe_clipped(&mut self, y: String, dims: Vec<i64>) {
        let clipped = self.name();
        match self.random.below(3) {
            0 => self.add(|model| model.node("Relu", &[&y], &clipped, &[])),
            1 => {
                let (low, high) = (self.name(), self.name());
                let bounds = [self.random.real(-2.0, 0.0), self.random.real(0.1, 3.0)];
                self.add(|model| {
                    let model = model.f32s(&low, &[], &bounds[..1]);
                    let model = model.f32s(&high, &[], &bounds[1..]);
                    model.node("Clip", &[&y, &low, &high], &clipped, &[])
                });
            }
            _ => return self.quantize(&y, dims),
        }
        self.quantize(&clipped, dims);
    }

    /// Int8 weights, with one scale or one an index of `axis`.
    fn weights(&mut self, dims: &[i64], axis: i64) -> String {
        let name = self.name();
        let len = dims.iter().product::<i64>();
        let values: Vec<i8> = (0..len).map(|_| self.random.int8().max(-127)).collect();
        let count = match self.random.below(2) {
            0 => 1,
            _ => dims[axis as usize],
        };
        let scales: Vec<f32> = (0..count).map(|_| self.random.real(0.002, 0.02)).collect();
        self.add(|model| model.weights(&name, dims, &values, &scales, axis));
        name
    }

    fn bias(&mut self, len: i64) -> Option<String> {
        if self.random.one_in(3) {
            return None;
        }
        let values: Vec<f32> = (0..len).map(|_| self.random.real(-1.0, 1.0)).collect();
        let name = self.name();
        self.add(|model| model.f32s(&name, &[len], &values));
        Some(name)
    }

    /// A window that has a place in an image of `dims`, with dilations below `dilations + 1`.
    fn window(&mut self, dims: &[i64], dilations: i64) -> Window {
        let mut window = Window::default();
        for axis in 0..2 {
            let extent = dims[2 + axis];
            let kernel = self.random.dim(extent.min(4));
            let dilation = if (kernel - 1) * dilations < extent {
                self.random.dim(dilations)
            } else {
                1
            };
            let reach = (kernel - 1) * dilation + 1;
            // A pool must not see padding alone.
            let pads = [0; 2].map(|_: i64| self.random.below(kernel as usize) as i64);
            let stride = self.random.dim(3);
            window.kernel[axis] = kernel;
            window.strides[axis] = stride;
            window.dilations[axis] = dilation;
            (window.pads[axis], window.pads[axis + 2]) = (pads[0], pads[1]);
            window.out[axis] = (extent + pads[0] + pads[1] - reach) / stride + 1;
        }
        window
    }

    /// Makes `name` a value with a quantization of its own, or leaves it in float.
    fn quantize(&mut self, name: &str, dims: Vec<i64>) {
        let (scale, zero) = (self.random.real(0.01, 0.1), self.random.int8());
        self.quantize_as(name.into(), dims, scale, zero);
    }

    /// As the operand is, as most exporters have it where an operator only moves values.
    fn quantize_like(&mut self, operand: &Drawn, name: String, dims: Vec<i64>) {
        match operand.quantization {
            Some((scale, zero)) if !self.random.one_in(4) => {
                self.quantize_as(name, dims, scale, zero);
            }
            _ => self.quantize(&name, dims),
        }
    }

    fn quantize_as(&mut self, name: String, dims: Vec<i64>, scale: f32, zero: i8) {
        if self.palette == Palette::All && self.random.one_in(8) {
            let quantization = None;
            self.values.push(Drawn {
                name,
                dims,
                quantization,
            });
            return;
        }
        let quantized = format!("{name}_dq");
        self.add(|model| model.quantized(&name, &quantized, scale, zero));
        self.values.push(Drawn {
            name: quantized,
            dims,
            quantization: Some((scale, zero)),
        });
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn add(&mut self, add: impl FnOnce(Model) -> Model) {
        self.model = self.model.take().map(add);
    }

    /// The last value and some others become outputs.
    fn finish(mut self, inputs: usize) -> Vec<u8> {
        let made = self.values.split_off(inputs);
        let (last, others) = made.split_last().expect("a model has a node");
        let mut outputs = vec![last.name.clone()];
        for value in others {
            if outputs.len() < OUTPUTS_MAX && self.random.one_in(6) {
                outputs.push(value.name.clone());
            }
        }
        for output in &outputs {
            self.add(|model| model.output(output, Float));
        }
        self.model.expect("a model").bytes()
    }
}

/// A window of a convolution or pool, and how many places it has.
#[derive(Default)]
struct Window {
    kernel: [i64; 2],
    strides: [i64; 2],
    dilations: [i64; 2],
    pads: [i64; 4],
    out: [i64; 2],
}

/// A small generator (SplitMix64): a seed is always the same model.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// A size from 1 to `most`.
    fn dim(&mut self, most: i64) -> i64 {
        self.between(1, most as usize) as i64
    }

    fn real(&mut self, least: f32, most: f32) -> f32 {
        let unit = (self.next() >> 40) as f32 / (1_u64 << 24) as f32;
        least + unit * (most - least)
    }

    fn int8(&mut self) -> i8 {
        (self.next() >> 56) as i8
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }
}
