//! `OneHot` of integers.

use super::Lowering;
use super::axes::{axis_of, refused};
use super::gather::indices;
use crate::error::Refusal;
use crate::graph::{Kind, Layout};
use crate::import::source::{Element, SourceNode};
use crate::ops::one_hot::OneHot;
use crate::report::Fate;

/// Integers up to this are exact in float.
const EXACT: f64 = (1 << 24) as f64;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let indices = indices(cx, node, 0)?;
    let dims = cx.output_dims(node)?;
    let axis = axis_of(node.attributes.int("axis", -1)?, dims.len())?;
    let values = cx.numbers(node, 2)?;
    let Some(&[off, on]) = values.as_deref() else {
        return Err(refused("values", &values));
    };
    let kind = match cx.source.value(cx.output(node)?).element {
        Element::F32 => Kind::Real,
        Element::Bool => Kind::Truth,
        Element::I32 | Element::I64 if off.abs() <= EXACT && on.abs() <= EXACT => Kind::Integer,
        _ => return Err(refused("values", &[off, on])),
    };
    let one_hot = OneHot {
        outer: dims[..axis].iter().product(),
        depth: dims[axis],
        inner: dims[axis + 1..].iter().product(),
        on,
        off,
    };
    let layout = Layout::row_major(dims);
    cx.add_node_of(node, kind, one_hot, &[&indices], layout)
}
