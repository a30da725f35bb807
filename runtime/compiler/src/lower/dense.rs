//! `Gemm` and `MatMul` with constant weights: a dense layer, as a 1×1 convolution. Without, they
//! are products of activations.

use super::Lowering;
use super::elementwise::broadcast;
use super::operand::{Activation, Binding};
use super::product::{axes, broadcast_product};
use crate::error::Refusal;
use crate::graph::{Kind, Layout, Op};
use crate::import::source::SourceNode;
use crate::ops::binary::{Binary, Function as OfTwo};
use crate::ops::convolution::{Convolution, Weights};
use crate::ops::unary::Unary;
use crate::report::Fate;
use microtome_kernels::float::unary::{Function, UnaryKind};
use microtome_kernels::num::{Shape, Window};

pub(super) fn lower_matmul(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let is_dense = has_weights(cx, node)? && cx.input_dims(node, 1)?.len() == 2;
    if !is_dense {
        return super::product::lower_matmul(cx, node);
    }
    let input = cx.operand(node, 0)?;
    let output = cx.output_dims(node)?.to_vec();
    let dense = dense(cx, node, input, false)?;
    cx.add_node(
        node,
        dense.convolution,
        &[&dense.input],
        Layout::row_major(&output),
    )
}

/// Whether the second operand is constant, and the first is not.
fn has_weights(cx: &Lowering<'_>, node: &SourceNode) -> Result<bool, Refusal> {
    let is_activation = |operand| {
        Ok(matches!(
            cx.binding(node, operand)?,
            Some(Binding::Activation(_))
        ))
    };
    Ok(is_activation(0)? && !is_activation(1)?)
}

/// `alpha · A · B + beta · C`, the sum in one with the product where C is a bias of each column.
pub(super) fn lower_gemm(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let [alpha, beta] = [
        node.attributes.float("alpha", 1.0)?,
        node.attributes.float("beta", 1.0)?,
    ];
    let [a_turned, b_turned] = [
        node.attributes.int("transA", 0)? != 0,
        node.attributes.int("transB", 0)? != 0,
    ];
    let layout = Layout::row_major(cx.output_dims(node)?);
    let mut a = cx.strided(node, 0)?;
    if a_turned {
        if a.layout.dims.len() != 2 {
            return Err(Refusal::Shape {
                found: vec![a.layout.dims],
            });
        }
        a.layout = a.layout.transpose(&[1, 0]);
    }
    if !has_weights(cx, node)? {
        let b = cx.strided(node, 1)?;
        let mut b_axes = axes(&b);
        if b_turned {
            b_axes.reverse();
        }
        let product = broadcast_product(&axes(&a), &b_axes)?;
        return sum(cx, node, product, &[&a, &b], [alpha, beta]);
    }
    let Dense {
        input,
        mut convolution,
    } = dense(cx, node, a, b_turned)?;
    let is_scaled = scale(&mut convolution.weights, alpha);
    let channels = convolution.output.channels;
    let sums = cx.sum_scales(input.edge, &convolution.weights, channels);
    let bias = cx.bias(node, 2, &sums).ok().filter(|_| is_scaled);
    match bias {
        Some(bias) => {
            convolution.bias = bias.iter().map(|it| it * f64::from(beta)).collect();
            cx.add_node(node, convolution, &[&input], layout)
        }
        None => {
            let alpha = if is_scaled { 1.0 } else { alpha };
            sum(cx, node, convolution, &[&input], [alpha, beta])
        }
    }
}

/// Scales `weights` by `factor`, where that is one of scales: a positive one.
fn scale(weights: &mut Weights, factor: f32) -> bool {
    match weights {
        Weights::Float(values) => values.iter_mut().for_each(|it| *it *= factor),
        Weights::Quantized { scales, .. } if factor > 0.0 => {
            scales.iter_mut().for_each(|it| *it *= factor);
        }
        Weights::Quantized { .. } => return false,
    }
    true
}

/// `alpha` times what `op` makes of `inputs`, and `beta` times the third operand, if there is one.
fn sum(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    op: impl Into<Op>,
    inputs: &[&Activation],
    [alpha, beta]: [f32; 2],
) -> Result<Fate, Refusal> {
    let layout = Layout::row_major(cx.output_dims(node)?);
    let affine = |alpha| {
        Unary(Function {
            kind: UnaryKind::Affine,
            alpha,
            beta: 0.0,
        })
    };
    let mut inputs = inputs.to_vec();
    let mut op = op.into();
    let scaled;
    if alpha != 1.0 {
        scaled = cx.add_step(node, Kind::Real, op, &inputs, layout.clone())?;
        (op, inputs) = (affine(alpha).into(), vec![&scaled]);
    }
    if !Lowering::has(node, 2) {
        return cx.add_node(node, op, &inputs, layout);
    }
    let product = cx.add_step(node, Kind::Real, op, &inputs, layout.clone())?;
    let mut summand = cx.strided(node, 2)?;
    if beta != 1.0 {
        let own = summand.layout.clone();
        summand = cx.add_step(node, Kind::Real, affine(beta), &[&summand], own)?;
    }
    let dims = layout.dims.clone();
    let (layout, [product, summand], views) = broadcast(&dims, [product, summand])?;
    let function = OfTwo::Add;
    cx.add_node(
        node,
        Binary { function, views },
        &[&product, &summand],
        layout,
    )
}

/// A dense layer without bias, and what it reads.
struct Dense {
    input: Activation,
    convolution: Convolution,
}

/// The dense layer of `input` and the weights, which are `[outputs, inputs]` if they are turned
/// and `[inputs, outputs]` if not.
fn dense(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    input: Activation,
    turned: bool,
) -> Result<Dense, Refusal> {
    let (weights_dims, weights) = cx.weights(node, 1)?;
    let misfit = || Refusal::Shape {
        found: vec![input.layout.dims.clone(), weights_dims.clone()],
    };
    let (outputs, inputs) = match (&*weights_dims, turned) {
        (&[outputs, inputs], true) | (&[inputs, outputs], false) => (outputs, inputs),
        _ => return Err(misfit()),
    };
    let out_dims = cx.output_dims(node)?;
    let out_len = out_dims.iter().product::<usize>();
    let rows = input.layout.len() / inputs.max(1);
    if inputs == 0 || !input.layout.len().is_multiple_of(inputs) || out_len != rows * outputs {
        return Err(misfit());
    }
    // A single row is read as it lies, and its weights are put into that order: a flattened image
    // is channels last in memory.
    let (input, places) = if rows == 1 {
        let places = input.layout.model_indices();
        (input, places)
    } else {
        let layout = Layout::row_major(&input.layout.dims);
        let input = cx.laid_out(node, input.clone(), &layout)?;
        (input, (0..inputs).collect())
    };
    let index = |output: usize, input: usize| match turned {
        true => output * inputs + input,
        false => input * outputs + output,
    };
    let order = (0..outputs).flat_map(|output| places.iter().map(move |&at| index(output, at)));
    let weights = weights.arranged(usize::from(!turned), outputs, order);
    let shape = |channels| Shape {
        height: rows,
        width: 1,
        channels,
    };
    let convolution = Convolution {
        input: shape(inputs),
        output: shape(outputs),
        window: Window {
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [0, 0],
        },
        groups: 1,
        weights: weights.ok_or(Refusal::Shape {
            found: vec![weights_dims],
        })?,
        bias: vec![0.0; outputs],
    };
    Ok(Dense { input, convolution })
}
