//! Normalisations: layer, RMS, instance and group norm, and those without parameters of their own.

use super::Lowering;
use super::operand::Activation;
use super::parameters::{axis, with_innermost, wrapped};
use crate::error::Refusal;
use crate::graph::{Kind, Layout};
use crate::import::source::SourceNode;
use crate::ops::lrn::Lrn;
use crate::ops::norm::{Memory, Norm, Parameter};
use crate::report::Fate;
use microtome_kernels::float::lrn;

/// Keeps what is 0 from being divided by 0.
const TINY: f32 = 1e-30;

pub(super) fn lower_layer(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower_rows(cx, node, false)
}

pub(super) fn lower_rms(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    lower_rows(cx, node, true)
}

/// Normalises all axes from `axis` on together.
fn lower_rows(cx: &mut Lowering<'_>, node: &SourceNode, rms: bool) -> Result<Fate, Refusal> {
    let dims = cx.input_dims(node, 0)?.to_vec();
    let first = axis(node, "axis", -1, dims.len())?;
    let input = cx.row_major(node, 0)?;
    let channels: usize = dims[first..].iter().product();
    let groups = dims[..first].iter().product();
    let mut inputs = vec![input];
    let gamma = parameter(cx, node, 1, &dims[first..], &mut inputs)?;
    let beta = if rms {
        Parameter::None
    } else {
        parameter(cx, node, 2, &dims[first..], &mut inputs)?
    };
    let moments = cx.is_used(node, 1) || cx.is_used(node, 2);
    if moments && rms {
        return Err(Refusal::Attribute {
            attribute: "outputs",
            value: "the inverse deviation".into(),
        });
    }
    let norm = Norm {
        memory: Memory::Rows,
        groups,
        channels,
        pixels: 1,
        rms,
        epsilon: node.attributes.float("epsilon", 1e-5)?,
        gamma,
        beta,
        moments,
    };
    let mut outputs = vec![(Kind::Real, Layout::row_major(&dims))];
    if moments {
        let kept = dims[..first].iter().copied();
        let moment = kept
            .chain(dims[first..].iter().map(|_| 1))
            .collect::<Vec<_>>();
        outputs.resize(3, (Kind::Real, Layout::row_major(&moment)));
    }
    let inputs: Vec<_> = inputs.iter().collect();
    cx.add_node_with(node, norm, &inputs, &outputs)
}

/// Operand `operand` as the factor or summand of elements of `dims`: constant, or one more input.
fn parameter(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    operand: usize,
    dims: &[usize],
    inputs: &mut Vec<Activation>,
) -> Result<Parameter, Refusal> {
    if !Lowering::has(node, operand) {
        return Ok(Parameter::None);
    }
    let count = dims.iter().product();
    let found = cx.input_dims(node, operand)?.to_vec();
    if let Some(values) = cx.reals(node, operand) {
        let values = match values.len() {
            1 => vec![values[0]; count],
            _ => values,
        };
        if values.len() == count {
            return Ok(Parameter::Constant(values));
        }
    } else if found.iter().product::<usize>() == count {
        inputs.push(cx.row_major(node, operand)?);
        return Ok(Parameter::Operand);
    }
    Err(Refusal::Shape {
        found: vec![found, dims.into()],
    })
}

pub(super) fn lower_instance(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let channels = cx.input_dims(node, 0)?.get(1).copied().unwrap_or(0);
    lower_groups(cx, node, channels)
}

pub(super) fn lower_group(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let groups = node.attributes.int("num_groups", 0)?;
    lower_groups(cx, node, usize::try_from(groups).unwrap_or(0))
}

/// Normalises each of `groups` groups of channels over all pixels.
fn lower_groups(cx: &mut Lowering<'_>, node: &SourceNode, groups: usize) -> Result<Fate, Refusal> {
    let dims = cx.input_dims(node, 0)?.to_vec();
    let misfit = || Refusal::Shape {
        found: vec![dims.clone(), vec![groups]],
    };
    let [batch, channels, spatial @ ..] = &*dims else {
        return Err(misfit());
    };
    if groups == 0 || channels % groups != 0 {
        return Err(misfit());
    }
    let input = cx.strided(node, 0)?;
    let channels_last = Layout::channels_last(&dims);
    let interleaved = *batch == 1 && input.layout.same_memory(&channels_last);
    let layout = if interleaved {
        channels_last
    } else {
        Layout::row_major(&dims)
    };
    let mut inputs = vec![cx.laid_out(node, input, &layout)?];
    let mut parameters = Vec::new();
    for operand in [1, 2] {
        parameters.push(channel_parameter(
            cx,
            node,
            operand,
            [*batch, *channels, groups],
            &mut inputs,
        )?);
    }
    let beta = parameters.pop().unwrap_or(Parameter::None);
    let gamma = parameters.pop().unwrap_or(Parameter::None);
    let norm = Norm {
        memory: if interleaved {
            Memory::Interleaved
        } else {
            Memory::Planes
        },
        groups: batch * groups,
        channels: channels / groups,
        pixels: spatial.iter().product(),
        rms: false,
        epsilon: node.attributes.float("epsilon", 1e-5)?,
        gamma,
        beta,
        moments: false,
    };
    let inputs: Vec<_> = inputs.iter().collect();
    cx.add_node(node, norm, &inputs, layout)
}

/// Operand `operand` as the factor or summand of each channel, or up to opset 20 of each group,
/// for every index of the batch.
fn channel_parameter(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    operand: usize,
    [batch, channels, groups]: [usize; 3],
    inputs: &mut Vec<Activation>,
) -> Result<Parameter, Refusal> {
    let found = parameter(
        cx,
        node,
        operand,
        cx.input_dims(node, operand)?.to_vec().as_slice(),
        inputs,
    )?;
    let misfit = Refusal::Shape {
        found: vec![cx.input_dims(node, operand)?.into(), vec![channels]],
    };
    match found {
        Parameter::Constant(values) => {
            let each: Vec<f32> = match values.len() {
                len if len == channels => values,
                len if len == groups => {
                    let of_group = |channel: usize| values[channel / (channels / groups)];
                    (0..channels).map(of_group).collect()
                }
                _ => return Err(misfit),
            };
            Ok(Parameter::Constant(each.repeat(batch)))
        }
        Parameter::Operand if batch != 1 || cx.input_dims(node, operand)? != [channels] => {
            Err(misfit)
        }
        other => Ok(other),
    }
}

/// `(x − mean) / (deviation + 1e-9)` over some axes.
pub(super) fn lower_mean_variance(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    let rank = cx.input_dims(node, 0)?.len();
    let stated = node.attributes.ints("axes")?.unwrap_or(&[0, 2, 3]);
    let axes: Option<Vec<usize>> = stated.iter().map(|&it| wrapped(it, rank)).collect();
    let axes = axes.ok_or_else(|| Refusal::Attribute {
        attribute: "axes",
        value: format!("{stated:?}"),
    })?;
    lower_over(cx, node, &axes, false, 1e-18, Parameter::None)
}

/// `x / ‖x‖₂` along one axis: the root mean square is the norm over the root of the length.
pub(super) fn lower_lp(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    node.attributes.require_int("p", 2)?;
    let dims = cx.input_dims(node, 0)?.to_vec();
    let axis = axis(node, "axis", -1, dims.len())?;
    let root = (dims[axis] as f32).sqrt();
    let gamma = Parameter::Constant(vec![1.0 / root; dims[axis]]);
    lower_over(cx, node, &[axis], true, TINY, gamma)
}

/// Normalises over `axes`, which are made the innermost in memory.
fn lower_over(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    axes: &[usize],
    rms: bool,
    epsilon: f32,
    gamma: Parameter,
) -> Result<Fate, Refusal> {
    let dims = cx.input_dims(node, 0)?.to_vec();
    let input = cx.operand(node, 0)?;
    let layout = with_innermost(&input.layout, &dims, axes);
    let input = cx.laid_out(node, input, &layout)?;
    let channels: usize = axes.iter().map(|&axis| dims[axis]).product();
    let norm = Norm {
        memory: Memory::Rows,
        groups: layout.len() / channels.max(1),
        channels,
        pixels: 1,
        rms,
        epsilon,
        gamma,
        beta: Parameter::None,
        moments: false,
    };
    cx.add_node(node, norm, &[&input], layout)
}

pub(super) fn lower_lrn(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let dims = cx.input_dims(node, 0)?.to_vec();
    let size = node.attributes.int("size", 0)?;
    let (Ok(size), Some(&channels)) = (usize::try_from(size), dims.get(1)) else {
        return Err(Refusal::Attribute {
            attribute: "size",
            value: size.to_string(),
        });
    };
    let layout = Layout::channels_last(&dims);
    let input = cx.operand(node, 0)?;
    let input = cx.laid_out(node, input, &layout)?;
    let lrn = lrn::Lrn {
        pixels: layout.len() / channels.max(1),
        channels,
        size,
        alpha: node.attributes.float("alpha", 1e-4)?,
        beta: node.attributes.float("beta", 0.75)?,
        bias: node.attributes.float("bias", 1.0)?,
    };
    cx.add_node(node, Lrn(lrn), &[&input], layout)
}
