//! Axes of operands: how they lie in memory, and the constants that speak of them.

use super::Lowering;
use super::operand::{Activation, Binding, Stage};
use super::parameters::wrapped;
use crate::error::Refusal;
use crate::graph::{Kind, Layout};
use crate::import::source::{Elements, SourceNode};
use crate::ops::GraphOp;
use crate::ops::copy::Copy;
use crate::ops::view::Views;
use crate::report::Fate;
use microtome_kernels::view::AXES;

/// As [`wrapped`], of an attribute or operand of the name "axis".
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize, Refusal> {
    wrapped(axis, rank).ok_or_else(|| refused("axis", &axis))
}

/// Refuses `attribute` for its value.
pub(super) fn refused(attribute: &'static str, value: &dyn std::fmt::Debug) -> Refusal {
    Refusal::Attribute {
        attribute,
        value: format!("{value:?}"),
    }
}

/// Memory as `[outer][axis][inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Around {
    pub outer: usize,
    pub len: usize,
    pub inner: usize,
}

impl Around {
    pub fn new(layout: &Layout, axis: usize) -> Self {
        let mut order = layout.order.iter().copied();
        let before = order.by_ref().take_while(|&it| it != axis);
        let outer = before.map(|it| layout.dims[it]).product();
        Self {
            outer,
            len: layout.dims[axis],
            inner: order.map(|it| layout.dims[it]).product(),
        }
    }
}

/// `dims` as the last of as many axes as a view has.
pub(super) fn last_axes(dims: &[usize]) -> Result<[usize; AXES], Refusal> {
    let first = AXES.checked_sub(dims.len()).ok_or(Refusal::TooMany {
        what: "axes",
        found: dims.len(),
        most: AXES,
    })?;
    let mut axes = [1; AXES];
    axes[first..].copy_from_slice(dims);
    Ok(axes)
}

/// The copy of the view with these axes, outermost first, each of a size and a stride, from
/// element `offset` on.
pub(super) fn copy(offset: usize, axes: &[(usize, isize)]) -> Result<Copy, Refusal> {
    let axes = axes.iter().map(|&(size, stride)| (size, [stride]));
    let axes: Vec<_> = axes.collect();
    Ok(Copy(Views::new([offset], &axes)?))
}

/// The axes of `layout` but those that `goes` says, in the same memory.
pub(super) fn without(layout: &Layout, goes: impl Fn(usize) -> bool) -> Layout {
    let stays: Vec<usize> = (0..layout.dims.len()).filter(|&axis| !goes(axis)).collect();
    let place = |axis: &usize| stays.iter().position(|it| it == axis);
    Layout {
        dims: stays.iter().map(|&axis| layout.dims[axis]).collect(),
        order: layout.order.iter().filter_map(place).collect(),
    }
}

impl Lowering<'_> {
    /// `activation` with exactly the axes `dims`: copied only where its memory has no such axes.
    pub(super) fn on_axes(
        &mut self,
        node: &SourceNode,
        activation: Activation,
        dims: &[usize],
    ) -> Result<Activation, Refusal> {
        let known = [Layout::row_major(dims), Layout::channels_last(dims)];
        let found = known
            .into_iter()
            .find(|it| activation.layout.same_memory(it));
        if let Some(layout) = found.or_else(|| activation.layout.on(dims)) {
            return Ok(Activation {
                layout,
                ..activation
            });
        }
        self.laid_out(node, activation, &Layout::row_major(dims))
    }

    /// Operand `operand` with the model's axes, in whatever order they are in memory.
    pub(super) fn axes(
        &mut self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Activation, Refusal> {
        let activation = self.operand(node, operand)?;
        let dims = self.input_dims(node, operand)?.to_vec();
        self.on_axes(node, activation, &dims)
    }

    /// As [`Self::axes`], also of quantized integers: for operators that only move elements.
    pub(super) fn movable(
        &mut self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Activation, Refusal> {
        if let Some(Binding::Activation(activation)) = self.binding(node, operand)?
            && activation.stage == Stage::Quantized
            && self.graph.edge(activation.edge).quantization.is_some()
        {
            let activation = activation.clone();
            let dims = self.input_dims(node, operand)?.to_vec();
            let moved = self.on_axes(node, activation, &dims)?;
            return Ok(Activation {
                stage: Stage::Quantized,
                ..moved
            });
        }
        self.axes(node, operand)
    }

    /// Adds a node that only moves elements of `input`, which its result is of the kind of.
    pub(super) fn add_move<O: GraphOp + Into<crate::graph::Op>>(
        &mut self,
        node: &SourceNode,
        op: O,
        inputs: &[&Activation],
        layout: Layout,
    ) -> Result<Fate, Refusal> {
        let kind = inputs.first().map_or(Kind::Real, |it| self.kind(it));
        let fate = self.add_node_of(node, kind, op, inputs, layout)?;
        let stage = inputs.first().map_or(Stage::Real, |it| it.stage);
        if stage == Stage::Quantized {
            let output = self.output(node)?;
            let moved = self.bound_activation(output)?;
            self.bind(output, Activation { stage, ..moved });
        }
        Ok(fate)
    }

    /// What the elements of `activation` are.
    pub(super) fn kind(&self, activation: &Activation) -> Kind {
        self.graph.edge(activation.edge).kind
    }

    /// Refuses operand `operand` unless it is of one of `kinds`.
    pub(super) fn require_kind(
        &self,
        node: &SourceNode,
        operand: usize,
        activation: &Activation,
        kinds: &[Kind],
    ) -> Result<(), Refusal> {
        if kinds.contains(&self.kind(activation)) {
            return Ok(());
        }
        let value = self.source.value(self.input(node, operand)?);
        Err(Refusal::Type {
            value: value.name.clone(),
            found: value.element.name(),
        })
    }

    /// Operand `operand` as constant integers of any width; `None` when it is left out.
    pub(super) fn whole_numbers(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Option<Vec<i64>>, Refusal> {
        let id = node.inputs.get(operand).copied().flatten();
        let constant = id.and_then(|id| self.source.value(id).constant.as_ref());
        if let Some(Elements::I32(values)) = constant {
            return Ok(Some(values.iter().map(|&it| it.into()).collect()));
        }
        Ok(self.integers(node, operand)?.map(<[i64]>::to_vec))
    }

    /// Operand `operand` as constant numbers of any type; `None` when it is left out.
    pub(super) fn numbers(
        &self,
        node: &SourceNode,
        operand: usize,
    ) -> Result<Option<Vec<f64>>, Refusal> {
        let Some(id) = node.inputs.get(operand).copied().flatten() else {
            return Ok(None);
        };
        if let Some(Binding::Quantized(constant)) = &self.bindings[id.0] {
            return Ok(Some(constant.reals()));
        }
        let value = self.source.value(id);
        Ok(Some(match &value.constant {
            Some(Elements::F32(values)) => values.iter().map(|&it| it.into()).collect(),
            Some(Elements::I64(values)) => values.iter().map(|&it| it as f64).collect(),
            Some(Elements::I32(values)) => values.iter().map(|&it| it.into()).collect(),
            Some(Elements::Bool(values)) => {
                let number = |&it: &bool| f64::from(u8::from(it));
                values.iter().map(number).collect()
            }
            _ => {
                return Err(Refusal::NotConstant {
                    value: value.name.clone(),
                });
            }
        }))
    }

    /// The list `name`: an attribute in older operator sets, operand `operand` in later ones.
    pub(super) fn list(
        &self,
        node: &SourceNode,
        name: &'static str,
        operand: usize,
    ) -> Result<Option<Vec<i64>>, Refusal> {
        match node.attributes.ints(name)? {
            Some(values) => Ok(Some(values.to_vec())),
            None => self.whole_numbers(node, operand),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn around_an_axis_in_memory() {
        let image = Layout::channels_last(&[1, 3, 4, 5]);
        let around = |axis| {
            let Around { outer, len, inner } = Around::new(&image, axis);
            [outer, len, inner]
        };
        assert_eq!(around(1), [20, 3, 1]);
        assert_eq!(around(2), [1, 4, 15]);
    }

    #[test]
    fn axes_that_go_leave_the_order_of_the_others() {
        let image = Layout::channels_last(&[1, 3, 4, 5]);
        let kept = without(&image, |axis| axis == 2);
        assert_eq!((kept.dims, kept.order), (vec![1, 3, 5], vec![0, 2, 1]));
    }
}
