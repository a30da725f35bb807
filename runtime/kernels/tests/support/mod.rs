//! Runs an operator on typed operands, and makes the numbers that compilers make.
#![allow(dead_code, reason = "each test uses some of it")]

use bytemuck::{AnyBitPattern, NoUninit, Pod, cast_slice, cast_slice_mut};
use microtome_kernels::num::{Multiplier, Output};
use microtome_kernels::view::{AXES, Strides};
use microtome_kernels::{Args, Extents, Operator, generic};

/// An operand, a constant or a result.
#[derive(Clone, Debug, Default)]
pub struct Tensor {
    words: Vec<u32>,
    bytes: usize,
}

impl Tensor {
    pub fn new<T: NoUninit>(values: &[T]) -> Self {
        let bytes: &[u8] = cast_slice(values);
        let mut tensor = Self::zeros(bytes.len());
        tensor.bytes_mut().copy_from_slice(bytes);
        tensor
    }

    fn zeros(bytes: usize) -> Self {
        Self {
            words: vec![0; bytes.div_ceil(4)],
            bytes,
        }
    }

    fn bytes(&self) -> &[u8] {
        &cast_slice(&self.words)[..self.bytes]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut cast_slice_mut(&mut self.words)[..self.bytes]
    }

    pub fn get<T: AnyBitPattern + Pod>(&self) -> Vec<T> {
        cast_slice(self.bytes()).to_vec()
    }
}

fn matches(extents: &Extents, tensors: &[Tensor]) -> bool {
    let lens: Vec<usize> = extents.iter().map(|extent| extent.bytes()).collect();
    let given: Vec<usize> = tensors.iter().map(|tensor| tensor.bytes).collect();
    lens == given
}

/// State as it is after a reset.
pub fn reset(op: &dyn Operator) -> Vec<Tensor> {
    let fill = |bytes| {
        let mut tensor = Tensor::zeros(bytes);
        tensor.bytes_mut().fill(op.state_fill() as u8);
        tensor
    };
    op.state()
        .iter()
        .map(|extent| fill(extent.bytes()))
        .collect()
}

/// The outputs of `op`, which must be valid and fit its operands.
pub fn run(op: &dyn Operator, inputs: &[Tensor], constants: &[Tensor]) -> Vec<Tensor> {
    run_on(op, inputs, constants, &mut reset(op))
}

/// As [`run`], with the state of the runs before.
pub fn run_on(
    op: &dyn Operator,
    inputs: &[Tensor],
    constants: &[Tensor],
    state: &mut [Tensor],
) -> Vec<Tensor> {
    op.check().expect("the parameters are valid");
    assert!(matches(&op.inputs(), inputs), "{:?}", op.inputs());
    assert!(matches(&op.constants(), constants), "{:?}", op.constants());
    let mut outputs: Vec<Tensor> = op
        .outputs()
        .iter()
        .map(|extent| Tensor::zeros(extent.bytes()))
        .collect();
    let mut scratch = Tensor::zeros(op.scratch_bytes());
    let mut args = Args::default();
    args.inputs.extend(inputs.iter().map(Tensor::bytes));
    args.constants.0.extend(constants.iter().map(Tensor::bytes));
    args.outputs
        .extend(outputs.iter_mut().map(Tensor::bytes_mut));
    args.state.extend(state.iter_mut().map(Tensor::bytes_mut));
    args.scratch = scratch.bytes_mut();
    op.check_constants(&args.constants)
        .expect("the constants are valid");
    op.run(&generic::SET, args);
    outputs
}

/// `factor`, as near as a multiplier comes.
pub fn multiplier(factor: f64) -> Multiplier {
    let mut shift = 0;
    let mut fraction = factor;
    while fraction >= 1.0 {
        fraction /= 2.0;
        shift += 1;
    }
    while fraction > 0.0 && fraction < 0.5 {
        fraction *= 2.0;
        shift -= 1;
    }
    let mantissa = (fraction * 2_f64.powi(31)).round().min(f64::from(i32::MAX));
    let multiplier = Multiplier {
        mantissa: mantissa as i32,
        shift,
    };
    assert!(multiplier.is_valid(), "{factor}");
    multiplier
}

/// No clamp but that of int8.
pub const fn store(zero: i8) -> Output {
    Output {
        zero,
        min: i8::MIN,
        max: i8::MAX,
    }
}

/// `dims` after axes of 1.
pub fn dims<const N: usize>(last: [usize; N]) -> [usize; AXES] {
    let mut dims = [1; AXES];
    dims[AXES - N..].copy_from_slice(&last);
    dims
}

/// A view with these last strides.
pub fn view<const N: usize>(offset: usize, last: [isize; N]) -> Strides {
    let mut view = Strides {
        offset,
        ..Strides::SCALAR
    };
    view.strides[AXES - N..].copy_from_slice(&last);
    view
}

/// The real values of `values`.
pub fn real(values: &[i8], scale: f64, zero: i8) -> Vec<f64> {
    let real = |&value: &i8| scale * (f64::from(value) - f64::from(zero));
    values.iter().map(real).collect()
}

/// The largest difference of `got` to `expected` in units of `scale`, where int8 holds it.
pub fn error(got: &[i8], scale: f64, zero: i8, expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let difference = |(&got, &expected): (&i8, &f64)| {
        let exact = (expected / scale + f64::from(zero)).clamp(-128.0, 127.0);
        (f64::from(got) - exact).abs()
    };
    got.iter().zip(expected).map(difference).fold(0.0, f64::max)
}
