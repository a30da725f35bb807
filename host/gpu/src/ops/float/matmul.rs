//! Batched matrix product. One with constant columns is a 1×1 convolution.

use super::conv::Conv;
use super::conv2d;
use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Job, Operand, Strides};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::matmul::{BATCH_AXES, MatMulF32};
use microtome_kernels::float::source::Source;
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::view;

/// The program whose parts define `multiply`.
macro_rules! program {
    ($name:literal, $($part:literal),+) => {
        Program::with_chain(
            $name,
            &[
                include_str!("../../shaders/strided.wgsl"),
                include_str!("../../shaders/float/matmul.wgsl"),
                $(include_str!($part),)+
            ],
        )
    };
}

pub(in crate::ops) const PROGRAM: Program =
    program!("matmul_f32", "../../shaders/float/multiply_strided.wgsl");
pub(in crate::ops) const PROGRAM_ROWS: Program = program!(
    "matmul_f32_rows",
    "../../shaders/float/quads.wgsl",
    "../../shaders/float/multiply_rows.wgsl"
);
pub(in crate::ops) const PROGRAM_COLUMNS: Program = program!(
    "matmul_f32_columns",
    "../../shaders/float/quads.wgsl",
    "../../shaders/float/multiply_columns.wgsl"
);

/// Rows and columns that an invocation computes.
const TILE: usize = 8;

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    a: Operand,
    b: Operand,
    batch: [u32; BATCH_AXES],
    rows: u32,
    depth: u32,
    columns: u32,
    products: u32,
    a_view: Strides,
    b_view: Strides,
}

pub(in crate::ops) fn dispatch(at: &mut At<'_>, product: &MatMulF32) -> Option<Dispatch> {
    if let Some(dispatch) = as_conv(at, product) {
        return Some(dispatch);
    }
    let sources = [product.a_source, product.b_source];
    let products = product.batch.iter().product::<usize>();
    let params = Params {
        job: at.chained(None),
        a: at.read(&sources, 0)?,
        b: at.read(&sources, 1)?,
        batch: product.batch.map(|size| size as u32),
        rows: product.rows as u32,
        depth: product.depth as u32,
        columns: product.columns as u32,
        products: products as u32,
        a_view: product.a.into(),
        b_view: product.b.into(),
    };
    let tiles = product.rows.div_ceil(TILE) * product.columns.div_ceil(TILE);
    let program = program_for(product, params.a, params.b);
    let invocations = products * tiles;
    Some(Dispatch::of_invocations(program, &params, invocations))
}

/// The program that reads four elements at once, where the operands lie so.
fn program_for(product: &MatMulF32, a: Operand, b: Operand) -> &'static Program {
    const ROW: usize = BATCH_AXES;
    const COLUMN: usize = BATCH_AXES + 1;
    // Whether all runs along `axis` begin at four words.
    let lies_along = |operand: Operand, view: &view::Strides, axis: usize| {
        let others = (0..view::AXES).filter(|&other| other != axis);
        let mut steps = others.map(|other| view.strides[other]);
        view.strides[axis] == 1
            && operand.is_at_quad()
            && view.offset.is_multiple_of(4)
            && steps.all(|step| step % 4 == 0)
    };
    let has_quads = product.depth.is_multiple_of(4) && lies_along(a, &product.a, COLUMN);
    if has_quads && lies_along(b, &product.b, ROW) {
        &PROGRAM_COLUMNS
    } else if has_quads && lies_along(b, &product.b, COLUMN) && product.columns.is_multiple_of(4) {
        &PROGRAM_ROWS
    } else {
        &PROGRAM
    }
}

/// The product as a convolution, where all rows of the batch lie one after another and meet the
/// same constant columns.
fn as_conv(at: &mut At<'_>, product: &MatMulF32) -> Option<Dispatch> {
    let (rows, depth, columns) = (product.rows, product.depth, product.columns);
    let [d0, d1, d2, d3] = product.batch;
    let dims = [d0, d1, d2, d3, rows, depth];
    let same = (0..BATCH_AXES).all(|axis| dims[axis] == 1 || product.b.strides[axis] == 0);
    if product.a_source != Source::Operand || !product.a.is_row_major(dims) || !same {
        return None;
    }
    let values = at.floats(&[product.a_source, product.b_source], 1)?;
    let [.., row_step, column_step] = product.b.strides;
    let weight = |column: usize, k: usize| {
        let offset = k as isize * row_step + column as isize * column_step;
        values[product.b.offset.wrapping_add_signed(offset)]
    };
    let weights: Vec<f32> = (0..columns)
        .flat_map(|column| (0..depth).map(move |k| (column, k)))
        .map(|(column, k)| weight(column, k))
        .collect();
    let pixels = |channels| Shape {
        height: dims[..5].iter().product(),
        width: 1,
        channels,
    };
    let conv = Conv {
        input: pixels(depth),
        output: pixels(columns),
        window: Window {
            kernel: [1; 2],
            stride: [1; 2],
            dilation: [1; 2],
            pad: [0; 2],
        },
        groups: 1,
        limits: [f32::NEG_INFINITY, f32::INFINITY],
        sources: [Source::Constant, Source::None],
        is_transposed: false,
    };
    let params = conv.params_of(at, &weights, &[])?;
    Some(conv2d::of(&conv, params))
}
