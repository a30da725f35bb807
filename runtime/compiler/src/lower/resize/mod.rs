//! `Resize` and `Upsample`: one axis after another, by tables of taps ([`taps`]).
//!
//! Nearest neighbours are moved, whatever their type. What is quantized stays so where it is an
//! image that is resized linearly; everything else is computed in float.

mod taps;

use super::Lowering;
use super::axes::{Around, copy, refused};
use super::operand::{Activation, Stage, spatial_shape};
use super::parameters::wrapped;
use crate::error::Refusal;
use crate::graph::{Constant, Kind, Layout};
use crate::import::source::SourceNode;
use crate::ops::Op;
use crate::ops::gather::Gather;
use crate::ops::resample::{Resample, ResizeLinear, Taps};
use crate::report::Fate;
use taps::{Axis, Method, Rules, Sampling};

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.movable(node, 0)?;
    let dims = cx.output_dims(node)?.to_vec();
    if dims.len() != input.layout.dims.len() {
        return Err(Refusal::Shape {
            found: vec![input.layout.dims, dims],
        });
    }
    let sampling = sampling(cx, node)?;
    let mut axes = Vec::new();
    for (axis, settings) in settings(cx, node, &input.layout.dims, &dims)?
        .into_iter()
        .enumerate()
    {
        let is_same = settings.in_len == settings.out_len && settings.scale == 1.0;
        if !(is_same && settings.crop.is_none()) {
            axes.push((axis, sampling.taps(&settings)?));
        }
    }
    if axes.is_empty() {
        return cx.alias(node, input);
    }
    if let Method::Nearest(_) = sampling.method
        && axes.iter().all(|(_, taps)| !taps.places.contains(&-1))
    {
        return move_nearest(cx, node, input, &axes);
    }
    if input.stage != Stage::Real {
        return Err(Refusal::Type {
            value: cx.name(node, 0)?,
            found: "quantized integers",
        });
    }
    cx.require_kind(node, 0, &input, &[Kind::Real])?;
    if let Some(resize) = image(cx, &sampling, &input, &dims, &axes) {
        let order = Layout::channels_last(&input.layout.dims);
        let input = cx.laid_out(node, input, &order)?;
        return cx.add_node(node, resize, &[&input], Layout::channels_last(&dims));
    }
    let outside = sampling.outside as f32;
    steps(cx, node, input, &axes, |_, around, taps| {
        let resample = Resample {
            outer: around.outer,
            in_len: around.len,
            inner: around.inner,
            taps: taps.clone(),
            outside,
        };
        (resample.into(), None)
    })
}

/// The attributes, whose defaults are those of older operator sets where the node is of one.
fn sampling(cx: &Lowering<'_>, node: &SourceNode) -> Result<Sampling, Refusal> {
    let attributes = &node.attributes;
    // `Upsample`, and `Resize` as it was first, took neighbours from the left.
    let old = node.op == "Upsample" || cx.source.opset < 11;
    let rules = match attributes.text("coordinate_transformation_mode", "half_pixel")? {
        _ if old => Rules::Asymmetric,
        "half_pixel" => Rules::HalfPixel,
        "half_pixel_symmetric" => Rules::HalfPixelSymmetric,
        "pytorch_half_pixel" => Rules::PytorchHalfPixel,
        "tf_half_pixel_for_nn" => Rules::TfHalfPixel,
        "align_corners" => Rules::AlignCorners,
        "asymmetric" => Rules::Asymmetric,
        "tf_crop_and_resize" => Rules::CropAndResize,
        other => return Err(refused("coordinate_transformation_mode", &other)),
    };
    let method = match attributes.text("mode", "nearest")? {
        "nearest" => Method::Nearest(
            match attributes.text("nearest_mode", "round_prefer_floor")? {
                _ if old => taps::Nearest::Floor,
                "round_prefer_floor" => taps::Nearest::RoundPreferFloor,
                "round_prefer_ceil" => taps::Nearest::RoundPreferCeil,
                "floor" => taps::Nearest::Floor,
                "ceil" => taps::Nearest::Ceil,
                other => return Err(refused("nearest_mode", &other)),
            },
        ),
        "linear" | "bilinear" => Method::Linear,
        "cubic" => Method::Cubic(attributes.float("cubic_coeff_a", -0.75)?.into()),
        other => return Err(refused("mode", &other)),
    };
    Ok(Sampling {
        rules,
        method,
        antialias: attributes.int("antialias", 0)? != 0,
        exclude_outside: attributes.int("exclude_outside", 0)? != 0,
        outside: attributes.float("extrapolation_value", 0.0)?.into(),
    })
}

/// Sizes, scale and crop of every axis.
fn settings(
    cx: &Lowering<'_>,
    node: &SourceNode,
    input: &[usize],
    output: &[usize],
) -> Result<Vec<Axis>, Refusal> {
    let rank = input.len();
    let named = match node.attributes.ints("axes")? {
        Some(axes) => {
            let all: Option<Vec<_>> = axes.iter().map(|&axis| wrapped(axis, rank)).collect();
            all.ok_or_else(|| refused("axes", &axes))?
        }
        None => (0..rank).collect(),
    };
    // Scales are the second operand of `Upsample` and the first `Resize`, else the third.
    let old = node.op == "Upsample" || cx.source.opset < 11;
    // The first `Upsample` has them as an attribute; then they are what the sizes say.
    let scales = cx
        .numbers(node, if old { 1 } else { 2 })?
        .unwrap_or_default();
    let roi = if old { None } else { cx.numbers(node, 1)? }.unwrap_or_default();
    let crops = node.attributes.text("coordinate_transformation_mode", "")? == "tf_crop_and_resize";
    let policy = node
        .attributes
        .text("keep_aspect_ratio_policy", "stretch")?;
    let mut axes: Vec<_> = (0..rank)
        .map(|axis| Axis {
            in_len: input[axis],
            out_len: output[axis],
            scale: output[axis] as f64 / input[axis].max(1) as f64,
            crop: None,
        })
        .collect();
    // Sizes are only bounds where the aspect stays; the result has what fits them.
    let sizes = if old { None } else { cx.numbers(node, 3)? }.unwrap_or_default();
    let pairs = named.iter().zip(&sizes);
    let sized = pairs.map(|(&axis, size)| size / input[axis].max(1) as f64);
    let kept = match policy {
        "stretch" => None,
        "not_larger" => sized.reduce(f64::min),
        "not_smaller" => sized.reduce(f64::max),
        other => return Err(refused("keep_aspect_ratio_policy", &other)),
    };
    for (index, &axis) in named.iter().enumerate() {
        if let Some(&scale) = scales.get(index) {
            axes[axis].scale = scale;
        } else if let Some(kept) = kept {
            axes[axis].scale = kept;
        }
        if crops && roi.len() == 2 * named.len() {
            axes[axis].crop = Some([roi[index], roi[named.len() + index]]);
        }
    }
    let usable = |axis: &Axis| axis.scale > 0.0 && axis.scale.is_finite() && axis.in_len > 0;
    if !axes.iter().all(usable) {
        return Err(refused("scales", &scales));
    }
    Ok(axes)
}

/// Nearest neighbours: one copy where each element is repeated, else slices by index.
fn move_nearest(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    input: Activation,
    axes: &[(usize, Taps)],
) -> Result<Fate, Refusal> {
    let layout = input.layout.clone();
    let repeats = |(axis, taps): &(usize, Taps)| {
        let (from, to) = (layout.dims[*axis], taps.places.len());
        let times = to / from;
        let mut places = taps.places.iter().enumerate();
        let even = to % from == 0 && places.all(|(at, &place)| at / times == place as usize);
        even.then_some(times)
    };
    let times: Option<Vec<usize>> = axes.iter().map(repeats).collect();
    if let Some(times) = times {
        let strides = layout.strides();
        let mut out = layout.clone();
        let mut view = Vec::new();
        for &axis in &layout.order {
            view.push((layout.dims[axis], strides[axis]));
            if let Some(index) = axes.iter().position(|(it, _)| *it == axis) {
                view.push((times[index], 0));
                out.dims[axis] *= times[index];
            }
        }
        return cx.add_move(node, copy(0, &view)?, &[&input], out);
    }
    steps(cx, node, input, axes, |cx, around, taps| {
        let edge = cx
            .graph
            .add_edge(&node.name, Kind::Integer, taps.places.len());
        cx.graph.edge_mut(edge).constant = Some(Constant::Integer(taps.places.clone()));
        let gather = Gather {
            outer: around.outer,
            axis_len: around.len,
            inner: around.inner,
        };
        let indices = Activation::real(edge, Layout::row_major(&[taps.places.len()]));
        (gather.into(), Some(indices))
    })
}

/// What [`steps`] asks for each axis: an operator, and a second operand.
type Step = (Op, Option<Activation>);

/// One node an axis; the last is the result of `node`.
fn steps(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    input: Activation,
    axes: &[(usize, Taps)],
    make: impl Fn(&mut Lowering<'_>, Around, &Taps) -> Step,
) -> Result<Fate, Refusal> {
    let (kind, stage) = (cx.kind(&input), input.stage);
    let mut current = input;
    let mut fate = Fate::Aliased;
    for (index, (axis, taps)) in axes.iter().enumerate() {
        let around = Around::new(&current.layout, *axis);
        let (op, second) = make(cx, around, taps);
        let operands: Vec<_> = [Some(&current), second.as_ref()]
            .into_iter()
            .flatten()
            .collect();
        let mut layout = current.layout.clone();
        layout.dims[*axis] = taps.places.len() / taps.taps;
        if index + 1 < axes.len() {
            current = cx.add_step(node, kind, op, &operands, layout)?;
            continue;
        }
        fate = cx.add_node_of(node, kind, op, &operands, layout)?;
        let output = cx.output(node)?;
        let moved = cx.bound_activation(output)?;
        cx.bind(output, Activation { stage, ..moved });
    }
    Ok(fate)
}

/// The resize of a quantized image if the kernel can do it, which reads it channels last.
fn image(
    cx: &Lowering<'_>,
    sampling: &Sampling,
    input: &Activation,
    dims: &[usize],
    axes: &[(usize, Taps)],
) -> Option<ResizeLinear> {
    let in_dims = &input.layout.dims;
    let fits = cx.graph.edge(input.edge).quantization.is_some()
        && matches!(sampling.method, Method::Linear);
    let of = |axis: usize| {
        let found = axes.iter().find(|(it, _)| *it == axis);
        found.map_or_else(
            || taps::identity(in_dims.get(axis).copied().unwrap_or(1)),
            |(_, taps)| taps.clone(),
        )
    };
    let taps = [of(2), of(3)];
    let linear = |taps: &Taps| {
        let convex = |weight: &f32| (0.0..=1.0).contains(weight);
        taps.taps == 2 && !taps.places.contains(&-1) && taps.weights.iter().all(convex)
    };
    let only = axes.iter().all(|(axis, _)| *axis >= 2) && taps.iter().all(linear);
    (fits && only).then_some(())?;
    Some(ResizeLinear {
        input: spatial_shape(in_dims).ok()?,
        output: spatial_shape(dims).ok()?,
        taps,
    })
}
