//! Reductions along axes.

use super::super::translation::{Stop, Translation};
use super::image::{nchw, nhwc};
use crate::error::Refusal;
use crate::import::source::Attribute;

/// `op` along the axes that operand 1 lists. Rows and columns of an image are reduced where the
/// channels come first, as in a pool.
pub fn reduce(cx: &mut Translation<'_>, op: &str) -> Result<(), Stop> {
    let input = cx.real(0)?;
    let rank = cx.dims(input).len();
    let axes = axes(&cx.integers(1)?, rank)?;
    let mut kept = cx.dims(input).to_vec();
    axes.iter().for_each(|&axis| kept[axis] = 1);
    let is_image = matches!(rank, 3 | 4) && axes.iter().copied().eq(1..rank - 1);
    let keep = [("keepdims", Attribute::Int(1))];
    let real = if is_image {
        let real = nchw(cx, input)?;
        let list = cx.list("axes", &axes_list(2..rank));
        let mut dims = kept.clone();
        dims[1..].rotate_right(1);
        let real = cx.node(op, &[real, list], &keep, &dims);
        nhwc(cx, real)?
    } else {
        let list = cx.list("axes", &axes_list(axes));
        cx.node(op, &[input, list], &keep, &kept)
    };
    let dims = cx.result(0)?.dims.clone();
    let real = cx.reshaped(real, &dims);
    cx.finish_result(0, real)
}

fn axes_list(axes: impl IntoIterator<Item = usize>) -> Vec<i64> {
    axes.into_iter().map(|axis| axis as i64).collect()
}

/// The axes, sorted, each once and from the front; at least one.
fn axes(stated: &[i64], rank: usize) -> Result<Vec<usize>, Stop> {
    let mut axes = Vec::new();
    for &axis in stated {
        axes.push(super::shape::axis(axis, rank)?);
    }
    axes.sort_unstable();
    axes.dedup();
    if axes.is_empty() {
        return Err(Refusal::Attribute {
            attribute: "axes",
            value: "[]".into(),
        }
        .into());
    }
    Ok(axes)
}
