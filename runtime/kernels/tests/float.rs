//! Products of floats on random shapes, in every kernel set that this machine runs, against the same
//! in double precision; and where NaN and infinities go.

use microtome_kernels::cases::Rng;
use microtome_kernels::float::conv_transpose::ConvTransposeF32;
use microtome_kernels::float::conv2d::ConvF32;
use microtome_kernels::float::depthwise::DepthwiseF32;
use microtome_kernels::float::matmul::MatMulF32;
use microtome_kernels::float::source::Source;
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::view::{Strides, for_each};
use microtome_kernels::{Args, Constants, KernelSet, Operator, Packing, dispatch, generic};

const CASES: u64 = 400;

fn sets() -> Vec<&'static KernelSet> {
    let mut sets = vec![&generic::SET];
    #[cfg(target_arch = "x86_64")]
    sets.extend(dispatch::x86_64());
    #[cfg(not(target_arch = "x86_64"))]
    sets.push(dispatch::best());
    sets
}

/// Runs `op`, over scratch and an output that are full of NaN.
fn run(set: &KernelSet, op: &dyn Operator, inputs: &[&[f32]], constants: &[&[f32]]) -> Vec<f32> {
    let extents = [op.inputs(), op.constants()];
    for (extents, given) in extents.iter().zip([inputs, constants]) {
        let lens: Vec<_> = given.iter().map(|it| it.len()).collect();
        let expected: Vec<_> = extents.iter().map(|extent| extent.len).collect();
        assert_eq!(lens, expected, "{op:?}");
    }
    let mut scratch = vec![f32::NAN; op.scratch_bytes() / size_of::<f32>()];
    let mut output = vec![f32::NAN; op.outputs()[0].len];
    let args = Args {
        inputs: inputs.iter().map(|it| bytemuck::cast_slice(it)).collect(),
        constants: Constants(
            constants
                .iter()
                .map(|it| bytemuck::cast_slice(it))
                .collect(),
        ),
        outputs: [bytemuck::cast_slice_mut(&mut output)]
            .into_iter()
            .collect(),
        scratch: bytemuck::cast_slice_mut(&mut scratch),
        ..Args::default()
    };
    op.run(set, args);
    output
}

/// Every set computes `expected`, within the tolerance of products; NaN and infinities exactly.
fn check(op: &dyn Operator, inputs: &[&[f32]], constants: &[&[f32]], expected: &[f64]) {
    assert_eq!(op.check(), Ok(()), "{op:?}");
    for set in sets() {
        let got = run(set, op, inputs, constants);
        assert_eq!(got.len(), expected.len());
        for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
            let got = f64::from(got);
            let near = (got - expected).abs() <= 1e-5 * expected.abs().max(1.0);
            let same = got == expected || got.is_nan() && expected.is_nan();
            let name = set.name;
            assert!(
                near || same,
                "{name}: element {at} is {got}, not {expected}: {op:?}"
            );
        }
    }
}

fn noise(rng: &mut Rng, len: usize) -> Vec<f32> {
    let mut number = || rng.size(0..=2000) as f32 / 1000.0 - 1.0;
    (0..len).map(|_| number()).collect()
}

/// Rows or columns: often few, sometimes as many as are multiplied where they lie.
fn extent(rng: &mut Rng) -> usize {
    if rng.once_in(3) {
        rng.size(24..=60)
    } else {
        rng.size(1..=12)
    }
}

/// A window, and how many outputs it has along each axis of `input`, with a padding of its own at
/// each of the four sides.
fn window(rng: &mut Rng, input: [usize; 2]) -> (Window, [usize; 2]) {
    let mut pairs = [[0; 2]; 4];
    let mut outputs = [0; 2];
    for axis in 0..2 {
        let kernel = rng.size(1..=4);
        let dilation = if rng.once_in(3) { rng.size(2..=3) } else { 1 };
        let stride = if rng.once_in(2) { 1 } else { rng.size(1..=3) };
        let [before, after] = [rng.size(0..=2), rng.size(0..=2)];
        let reach = (kernel - 1) * dilation;
        let padded = (input[axis] + before + after).max(reach + 1);
        outputs[axis] = (padded - reach - 1) / stride + 1;
        for (pair, value) in pairs.iter_mut().zip([kernel, stride, dilation, before]) {
            pair[axis] = value;
        }
    }
    let [kernel, stride, dilation, pad] = pairs;
    let window = Window {
        kernel,
        stride,
        dilation,
        pad,
    };
    (window, outputs)
}

fn shape([height, width]: [usize; 2], channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

fn clamp(rng: &mut Rng) -> [f32; 2] {
    match rng.size(0..=2) {
        0 => [f32::NEG_INFINITY, f32::INFINITY],
        1 => [0.0, f32::INFINITY],
        _ => [-0.5, 1.5],
    }
}

/// As kernels limit: NaN stays NaN.
fn limited(x: f64, [min, max]: [f32; 2]) -> f64 {
    if x.is_nan() {
        return x;
    }
    x.max(f64::from(min)).min(f64::from(max))
}

fn conv(rng: &mut Rng) -> ConvF32 {
    let extents = [extent(rng).min(20), extent(rng)];
    let groups = if rng.once_in(4) { rng.size(2..=3) } else { 1 };
    let (window, outputs) = window(rng, extents);
    let [min, max] = clamp(rng);
    let source = |constant| match constant {
        true => Source::Constant,
        false => Source::Operand,
    };
    let mut params = ConvF32 {
        input: shape(extents, groups * rng.size(1..=20)),
        output: shape(outputs, groups * rng.size(1..=70)),
        window,
        groups,
        min,
        max,
        weights: source(!rng.once_in(4)),
        packing: Packing::ROWS,
        bias: if rng.once_in(3) {
            Source::None
        } else {
            Source::Constant
        },
    };
    if params.may_be_packed() && rng.once_in(2) {
        params.packing = ConvF32::PANELS;
    }
    params
}

fn conv_exactly(params: &ConvF32, input: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f64> {
    let ConvF32 { window, output, .. } = *params;
    let [rows, columns] = window.kernel;
    let depth = params.group_channels();
    let of = |index: usize| {
        let (pixel, channel) = (index / output.channels, index % output.channels);
        let first = channel / (output.channels / params.groups) * depth;
        let mut sum = f64::from(bias.get(channel).copied().unwrap_or(0.0));
        for tap in 0..rows * columns {
            let y = window.tap(0, pixel / output.width, tap / columns, params.input.height);
            let x = window.tap(1, pixel % output.width, tap % columns, params.input.width);
            let (Some(y), Some(x)) = (y, x) else { continue };
            let at = (y * params.input.width + x) * params.input.channels + first;
            let weights = &weights[channel * params.taps() + tap * depth..];
            let pairs = input[at..at + depth].iter().zip(weights);
            sum += pairs
                .map(|(&x, &w)| f64::from(x) * f64::from(w))
                .sum::<f64>();
        }
        limited(sum, [params.min, params.max])
    };
    (0..output.len()).map(of).collect()
}

/// Runs a convolution of weights that lie in rows, whatever its own packing.
fn check_conv(params: &ConvF32, input: &[f32], weights: &[f32], bias: &[f32]) {
    let expected = conv_exactly(params, input, weights, bias);
    let (channels, taps) = (params.output.channels, params.taps());
    let mut packed = vec![0.0; params.packing.len(channels, taps)];
    params.packing.pack(weights, taps, &mut packed);
    let mut reads = [vec![input], vec![]];
    reads[usize::from(params.weights == Source::Constant)].push(&packed);
    if params.bias == Source::Constant {
        reads[1].push(bias);
    }
    check(params, &reads[0], &reads[1], &expected);
}

#[test]
fn convolutions_of_any_shape() {
    for case in 0..CASES {
        let mut rng = Rng::new(case);
        let params = conv(&mut rng);
        let (channels, taps) = (params.output.channels, params.taps());
        let input = noise(&mut rng, params.input.len());
        let weights = noise(&mut rng, channels * taps);
        let biases = if params.bias == Source::None {
            0
        } else {
            channels
        };
        let bias = noise(&mut rng, biases);
        check_conv(&params, &input, &weights, &bias);
    }
}

#[test]
fn depthwise_convolutions_of_any_shape() {
    for case in 0..CASES {
        let mut rng = Rng::new(case);
        let extents = [extent(&mut rng).min(20), extent(&mut rng)];
        let (window, outputs) = window(&mut rng, extents);
        let [min, max] = clamp(&mut rng);
        let channels = rng.size(1..=50);
        let multiplier = if rng.once_in(4) { rng.size(2..=3) } else { 1 };
        let has_bias = !rng.once_in(3);
        let params = DepthwiseF32 {
            input: shape(extents, channels),
            output: shape(outputs, channels * multiplier),
            window,
            min,
            max,
            weights: Source::Constant,
            bias: if has_bias {
                Source::Constant
            } else {
                Source::None
            },
        };
        let [rows, columns] = window.kernel;
        let taps = rows * columns;
        let input = noise(&mut rng, params.input.len());
        let weights = noise(&mut rng, taps * params.output.channels);
        let bias = noise(&mut rng, if has_bias { params.output.channels } else { 0 });
        // The same as a convolution whose groups have one input channel each.
        let by_channel: Vec<_> = (0..weights.len())
            .map(|at| weights[at % taps * params.output.channels + at / taps])
            .collect();
        let grouped = ConvF32 {
            input: params.input,
            output: params.output,
            window,
            groups: channels,
            min,
            max,
            weights: Source::Constant,
            packing: Packing::ROWS,
            bias: params.bias,
        };
        let expected = conv_exactly(&grouped, &input, &by_channel, &bias);
        let constants = [&weights[..], &bias];
        check(
            &params,
            &[&input],
            &constants[..1 + usize::from(has_bias)],
            &expected,
        );
    }
}

#[test]
fn transposed_convolutions_of_any_shape() {
    for case in 0..CASES {
        let mut rng = Rng::new(case);
        let extents = [rng.size(1..=6), rng.size(1..=30)];
        let (window, _) = window(&mut rng, extents);
        let groups = if rng.once_in(4) { rng.size(2..=3) } else { 1 };
        let [min, max] = clamp(&mut rng);
        let outputs = [0, 1].map(|axis| {
            let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
            let whole = (extents[axis] - 1) * window.stride[axis] + reach + rng.size(0..=2);
            whole
                .saturating_sub(window.pad[axis] + rng.size(0..=2))
                .max(1)
        });
        let params = ConvTransposeF32 {
            input: shape(extents, groups * rng.size(1..=20)),
            output: shape(outputs, groups * rng.size(1..=70)),
            window,
            groups,
            min,
            max,
            weights: Source::Constant,
            bias: Source::Constant,
        };
        let [rows, columns] = window.kernel;
        let depth = params.input.channels / groups;
        let input = noise(&mut rng, params.input.len());
        let weights = noise(&mut rng, params.output.channels * rows * columns * depth);
        let bias = noise(&mut rng, params.output.channels);
        let expected = transposed_exactly(&params, &input, &weights, &bias);
        check(&params, &[&input], &[&weights, &bias], &expected);
    }
}

/// As the operator is defined: every input adds to its window.
fn transposed_exactly(
    params: &ConvTransposeF32,
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
) -> Vec<f64> {
    let ConvTransposeF32 { window, output, .. } = *params;
    let [rows, columns] = window.kernel;
    let depth = params.input.channels / params.groups;
    let group_outputs = output.channels / params.groups;
    let mut sums: Vec<_> = (0..output.len())
        .map(|at| f64::from(bias[at % output.channels]))
        .collect();
    for (index, &value) in input.iter().enumerate() {
        let (pixel, channel) = (index / params.input.channels, index % params.input.channels);
        let place = [pixel / params.input.width, pixel % params.input.width];
        for tap in 0..rows * columns {
            let at = |axis: usize, tap: usize| {
                (place[axis] * window.stride[axis] + tap * window.dilation[axis])
                    .checked_sub(window.pad[axis])
            };
            let (Some(y), Some(x)) = (at(0, tap / columns), at(1, tap % columns)) else {
                continue;
            };
            if y >= output.height || x >= output.width {
                continue;
            }
            let group = channel / depth;
            for out in group * group_outputs..(group + 1) * group_outputs {
                let weight = weights[(out * rows * columns + tap) * depth + channel % depth];
                let at = (y * output.width + x) * output.channels + out;
                sums[at] += f64::from(value) * f64::from(weight);
            }
        }
    }
    sums.iter()
        .map(|&sum| limited(sum, [params.min, params.max]))
        .collect()
}

/// A view of a matrix in each of some batches, transposed or not, the batches one or all the same.
fn view(rng: &mut Rng, batches: usize, [rows, columns]: [usize; 2]) -> (Strides, usize) {
    let shared = rng.once_in(3);
    let batch = if shared { 0 } else { (rows * columns) as isize };
    let [row, column] = if rng.once_in(2) {
        [columns as isize, 1]
    } else {
        [1, rows as isize]
    };
    let view = Strides {
        offset: 0,
        strides: [0, 0, 0, batch, row, column],
    };
    (view, if shared { 1 } else { batches } * rows * columns)
}

#[test]
fn matrix_products_of_any_shape() {
    for case in 0..CASES {
        let mut rng = Rng::new(case);
        let batches = rng.size(1..=3);
        let [rows, depth] = [rng.size(1..=40), rng.size(1..=70)];
        let columns = rng.size(1..=150);
        let (a, a_len) = view(&mut rng, batches, [rows, depth]);
        let (b, b_len) = view(&mut rng, batches, [depth, columns]);
        let params = MatMulF32 {
            batch: [1, 1, 1, batches],
            rows,
            depth,
            columns,
            a,
            b,
            a_len,
            b_len,
            a_source: Source::Operand,
            b_source: Source::Operand,
        };
        let operands = [noise(&mut rng, a_len), noise(&mut rng, b_len)];
        let mut expected = Vec::new();
        for_each([1, 1, 1, batches, rows, columns], |index| {
            let [.., batch, row, column] = index;
            let at = |view: &Strides, row, column| view.at([0, 0, 0, batch, row, column]);
            let product = |k| {
                let [x, y] = [operands[0][at(&a, row, k)], operands[1][at(&b, k, column)]];
                f64::from(x) * f64::from(y)
            };
            expected.push((0..depth).map(product).sum());
        });
        check(&params, &[&operands[0], &operands[1]], &[], &expected);
    }
}

/// A convolution that is read where it lies, at edges collected, and as few pixels.
fn convs_to_poison() -> [ConvF32; 3] {
    let conv = |width, pad| ConvF32 {
        input: shape([3, width], 5),
        output: shape([3, width], 19),
        window: Window {
            kernel: [3, 3],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [1, pad],
        },
        groups: 1,
        min: 0.0,
        max: 6.0,
        weights: Source::Constant,
        packing: ConvF32::PANELS,
        bias: Source::None,
    };
    [conv(40, 1), conv(6, 1), conv(1, 1)]
}

#[test]
fn nan_and_infinities_of_the_input_reach_what_reads_them_and_nothing_else() {
    for params in convs_to_poison() {
        for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, params.input.len() / 2, params.input.len() - 1] {
                let mut rng = Rng::new(at as u64);
                let mut input = noise(&mut rng, params.input.len());
                let mut weights = noise(&mut rng, 19 * params.taps());
                // No product of an infinity and 0.
                weights.iter_mut().for_each(|x| *x += 0.0005);
                input[at] = poison;
                check_conv(&params, &input, &weights, &[]);
                // An infinity and its opposite.
                input[(at + 5) % params.input.len()] = -poison;
                check_conv(&params, &input, &weights, &[]);
            }
        }
    }
}

#[test]
fn nan_of_a_weight_reaches_its_channel_and_no_other() {
    for params in convs_to_poison() {
        let mut rng = Rng::new(3);
        let input = noise(&mut rng, params.input.len());
        let mut weights = noise(&mut rng, 19 * params.taps());
        // The middle tap of channel 18, the last one: it meets no padding.
        weights[18 * params.taps() + 4 * 5] = f32::NAN;
        check_conv(&params, &input, &weights, &[]);
    }
}
