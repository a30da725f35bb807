//! Windows of convolutions and pools: strides, dilations and paddings in all of ONNX's spellings.

use crate::error::Refusal;
use crate::import::source::SourceNode;
use microtome_kernels::num::{Shape, Window};

/// The window of `kernel` (one or two sizes) that `node` slides over `input` to make `output`.
pub(super) fn window(
    node: &SourceNode,
    kernel: &[usize],
    input: Shape,
    output: Shape,
) -> Result<Window, Refusal> {
    Ok(padded_window(node, kernel, input, output)?.0)
}

/// As [`window`], also the padding below and to the right. In ceil mode the last window may leave
/// that.
pub(super) fn padded_window(
    node: &SourceNode,
    kernel: &[usize],
    input: Shape,
    output: Shape,
) -> Result<(Window, [usize; 2]), Refusal> {
    let kernel = pair(node, "kernel_shape", kernel)?;
    let stride = attribute_pair(node, "strides", kernel.1)?;
    let dilation = attribute_pair(node, "dilations", kernel.1)?;
    let mut window = Window {
        kernel: kernel.0,
        stride,
        dilation,
        pad: [0, 0],
    };
    let after = paddings(node, kernel.1, &mut window, input)?;
    let extents = [(input.height, output.height), (input.width, output.width)];
    for (axis, (extent, outputs)) in extents.into_iter().enumerate() {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        let padded = extent + window.pad[axis] + after[axis];
        let free = padded.checked_sub(reach);
        let floor = free.map(|free| free / window.stride[axis] + 1);
        let ceil = free.map(|free| free.div_ceil(window.stride[axis]) + 1);
        let is_ceil = node.attributes.int("ceil_mode", 0)? != 0 && ceil == Some(outputs);
        if floor != Some(outputs) && !is_ceil {
            return Err(misfit(input, output));
        }
    }
    Ok((window, after))
}

/// The window of `kernel` that `node`, a transposed convolution, slides over `output`. What the
/// output lacks of what all windows cover is cut off before and behind.
pub(super) fn transposed_window(
    node: &SourceNode,
    kernel: &[usize],
    input: Shape,
    output: Shape,
) -> Result<Window, Refusal> {
    let (kernel, axes) = pair(node, "kernel_shape", kernel)?;
    let mut window = Window {
        kernel,
        stride: attribute_pair(node, "strides", axes)?,
        dilation: attribute_pair(node, "dilations", axes)?,
        pad: [0, 0],
    };
    let more = node.attributes.ints("output_padding")?.unwrap_or(&[0, 0]);
    let more = sizes(more, 0).ok_or_else(|| refused("output_padding", more))?;
    let auto = node.attributes.text("auto_pad", "NOTSET")?;
    let stated = node.attributes.ints("output_shape")?.is_some();
    let after = match auto {
        "NOTSET" if !stated => paddings(node, axes, &mut window, input)?,
        _ => [0, 0],
    };
    let extents = [(input.height, output.height), (input.width, output.width)];
    for (axis, (extent, outputs)) in extents.into_iter().enumerate() {
        let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
        let covered = (extent - 1) * window.stride[axis] + reach + more.get(axis).unwrap_or(&0);
        let cut = covered.saturating_sub(outputs);
        match auto {
            "NOTSET" if !stated => {
                if outputs + window.pad[axis] + after[axis] != covered {
                    return Err(misfit(input, output));
                }
            }
            "SAME_UPPER" => window.pad[axis] = cut / 2,
            "VALID" if !stated => {}
            _ => window.pad[axis] = cut - cut / 2,
        }
    }
    Ok(window)
}

/// Sets the paddings before the input, and returns those after it.
fn paddings(
    node: &SourceNode,
    axes: usize,
    window: &mut Window,
    input: Shape,
) -> Result<[usize; 2], Refusal> {
    let auto = node.attributes.text("auto_pad", "NOTSET")?;
    let mut after = [0, 0];
    match auto {
        "VALID" => {}
        "SAME_UPPER" | "SAME_LOWER" => {
            for (axis, extent) in [input.height, input.width].into_iter().enumerate() {
                let stride = window.stride[axis];
                let reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
                let needed = (extent.div_ceil(stride) - 1) * stride + reach;
                let total = needed.saturating_sub(extent);
                let (small, large) = (total / 2, total - total / 2);
                let (before, behind) = match auto {
                    "SAME_UPPER" => (small, large),
                    _ => (large, small),
                };
                (window.pad[axis], after[axis]) = (before, behind);
            }
        }
        "NOTSET" => {
            if let Some(pads) = node.attributes.ints("pads")? {
                let pads = sizes(pads, 0).ok_or_else(|| refused("pads", pads))?;
                if pads.len() != 2 * axes {
                    return Err(refused("pads", &pads));
                }
                window.pad[..axes].copy_from_slice(&pads[..axes]);
                after[..axes].copy_from_slice(&pads[axes..]);
            }
        }
        other => {
            return Err(Refusal::Attribute {
                attribute: "auto_pad",
                value: other.into(),
            });
        }
    }
    Ok(after)
}

/// An attribute of one size an axis; 1 where it is not there.
fn attribute_pair(
    node: &SourceNode,
    name: &'static str,
    axes: usize,
) -> Result<[usize; 2], Refusal> {
    let Some(values) = node.attributes.ints(name)? else {
        return Ok([1, 1]);
    };
    let values = sizes(values, 1).ok_or_else(|| refused(name, values))?;
    if values.len() != axes {
        return Err(refused(name, &values));
    }
    Ok([values[0], values.get(1).copied().unwrap_or(1)])
}

/// Rows and columns of one or two sizes, and how many there were.
fn pair(
    node: &SourceNode,
    name: &'static str,
    values: &[usize],
) -> Result<([usize; 2], usize), Refusal> {
    // Where the file states it too, it has to be the same.
    let stated = node.attributes.ints(name)?;
    let stated_same =
        stated.is_none_or(|stated| sizes(stated, 1).is_some_and(|stated| stated == values));
    match *values {
        [rows] if stated_same && rows > 0 => Ok(([rows, 1], 1)),
        [rows, columns] if stated_same && rows > 0 && columns > 0 => Ok(([rows, columns], 2)),
        _ => Err(refused(name, values)),
    }
}

/// The sizes, if none is smaller than `least` or absurdly large.
pub(super) fn sizes(values: &[i64], least: i64) -> Option<Vec<usize>> {
    const MOST: i64 = 1 << 20;
    let valid = values.iter().all(|&value| value >= least && value <= MOST);
    valid.then(|| values.iter().map(|&value| value as usize).collect())
}

fn refused<T: std::fmt::Debug>(attribute: &'static str, values: &[T]) -> Refusal {
    Refusal::Attribute {
        attribute,
        value: format!("{values:?}"),
    }
}

fn misfit(input: Shape, output: Shape) -> Refusal {
    let dims = |shape: Shape| vec![shape.height, shape.width, shape.channels];
    Refusal::Shape {
        found: vec![dims(input), dims(output)],
    }
}
