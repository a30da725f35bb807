//! Element-wise operators of several operands: arithmetic, comparisons, logic and `Where`, with
//! ONNX's broadcasting.

use super::Lowering;
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::{Constant, Kind, Layout};
use crate::import::source::SourceNode;
use crate::ops::Op;
use crate::ops::binary::{Binary, Function};
use crate::ops::compare::Compare;
use crate::ops::select::Select;
use crate::ops::unary::Unary;
use crate::ops::view::Views;
use crate::report::Fate;
use microtome_kernels::float::unary::{Function as OfOne, UnaryKind};
use microtome_kernels::reference::compare::Relation;

/// What an operator of two operands computes.
enum Pairwise {
    Function(Function),
    Relation(Relation),
}

pub(super) fn lower_binary(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let pairwise = pairwise(node)?;
    let (a, b) = (cx.strided(node, 0)?, cx.strided(node, 1)?);
    let dims = cx.output_dims(node)?.to_vec();
    let (layout, [a, b], views) = broadcast(&dims, [a, b])?;
    let kind = cx.graph.edge(a.edge).kind;
    same_kind(cx, &a, &b)?;
    match pairwise {
        Pairwise::Function(function) => {
            cx.add_node_of(node, kind, Binary { function, views }, &[&a, &b], layout)
        }
        Pairwise::Relation(relation) => {
            let compare = Compare { relation, views };
            cx.add_node_of(node, Kind::Truth, compare, &[&a, &b], layout)
        }
    }
}

/// Refuses operands of which one holds real numbers and the other integers or truth values.
fn same_kind(cx: &Lowering<'_>, a: &Activation, b: &Activation) -> Result<(), Refusal> {
    let (kind, found) = (cx.graph.edge(a.edge).kind, cx.graph.edge(b.edge).kind);
    if kind == found {
        return Ok(());
    }
    Err(Refusal::Type {
        value: cx.graph.edge(b.edge).name.clone(),
        found: match found {
            Kind::Real => "a real number",
            Kind::Integer => "an integer",
            Kind::Truth => "a truth value",
            Kind::Fixed => "a fixed-point number",
        },
    })
}

fn pairwise(node: &SourceNode) -> Result<Pairwise, Refusal> {
    let function = match &*node.op {
        "Equal" => return Ok(Pairwise::Relation(Relation::Equal)),
        "Less" => return Ok(Pairwise::Relation(Relation::Less)),
        "LessOrEqual" => return Ok(Pairwise::Relation(Relation::LessOrEqual)),
        "Greater" => return Ok(Pairwise::Relation(Relation::Greater)),
        "GreaterOrEqual" => return Ok(Pairwise::Relation(Relation::GreaterOrEqual)),
        "Add" => Function::Add,
        "Sub" => Function::Sub,
        "Mul" => Function::Mul,
        "Div" => Function::Div,
        "Pow" => Function::Pow,
        "PRelu" => Function::Prelu,
        "Mod" if node.attributes.int("fmod", 0)? != 0 => Function::Fmod,
        "Mod" => Function::Mod,
        "And" | "BitwiseAnd" => Function::And,
        "Or" | "BitwiseOr" => Function::Or,
        "Xor" | "BitwiseXor" => Function::Xor,
        "BitShift" => match node.attributes.text("direction", "")? {
            "LEFT" => Function::ShiftLeft,
            "RIGHT" => Function::ShiftRight,
            other => {
                return Err(Refusal::Attribute {
                    attribute: "direction",
                    value: other.into(),
                });
            }
        },
        _ => return Err(Refusal::Operator),
    };
    Ok(Pairwise::Function(function))
}

/// `Max`, `Min`, `Sum` and `Mean` of any number of operands, two at a time.
pub(super) fn lower_variadic(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let function = match &*node.op {
        "Max" => Function::Max,
        "Min" => Function::Min,
        _ => Function::Add,
    };
    let dims = cx.output_dims(node)?.to_vec();
    let count = node.inputs.len();
    let is_mean = node.op == "Mean";
    let mut result = cx.strided(node, 0)?;
    let kind = cx.graph.edge(result.edge).kind;
    if count == 1 {
        return cx.alias(node, result);
    }
    for operand in 1..count {
        let next = cx.strided(node, operand)?;
        let (layout, [a, b], views) = broadcast(&dims, [result, next])?;
        same_kind(cx, &a, &b)?;
        let op = Binary { function, views };
        if operand + 1 == count && !is_mean {
            return cx.add_node_of(node, kind, op, &[&a, &b], layout);
        }
        result = cx.add_step(node, kind, op, &[&a, &b], layout)?;
    }
    let scale = OfOne {
        kind: UnaryKind::Affine,
        alpha: 1.0 / count as f32,
        beta: 0.0,
    };
    let layout = result.layout.clone();
    cx.add_node(node, Unary(scale), &[&result], layout)
}

pub(super) fn lower_not(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let a = cx.strided(node, 0)?;
    let edge = cx.graph.add_edge("true", Kind::Truth, 1);
    cx.graph.edge_mut(edge).constant = Some(Constant::Truth(vec![true]));
    let b = Activation::real(edge, Layout::row_major(&[]));
    let dims = cx.output_dims(node)?.to_vec();
    let (layout, [a, b], views) = broadcast(&dims, [a, b])?;
    same_kind(cx, &b, &a)?;
    let function = Function::Xor;
    cx.add_node_of(
        node,
        Kind::Truth,
        Binary { function, views },
        &[&a, &b],
        layout,
    )
}

pub(super) fn lower_where(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let operands = [
        cx.strided(node, 0)?,
        cx.strided(node, 1)?,
        cx.strided(node, 2)?,
    ];
    let dims = cx.output_dims(node)?.to_vec();
    let (layout, [condition, a, b], views) = broadcast(&dims, operands)?;
    let kind = cx.graph.edge(a.edge).kind;
    same_kind(cx, &a, &b)?;
    cx.add_node_of(node, kind, Select(views), &[&condition, &a, &b], layout)
}

/// How `operands` are read for a result with the axes `dims`: the result's layout, which is that
/// of the first operand with all of its axes; the operands; and their views.
pub(super) fn broadcast<const N: usize>(
    dims: &[usize],
    operands: [Activation; N],
) -> Result<(Layout, [Activation; N], Views<N>), Refusal> {
    let whole = |it: &&Activation| {
        it.layout.len() == dims.iter().product::<usize>() && it.layout.on(dims).is_some()
    };
    let layout = operands.iter().find(whole);
    let layout = layout.and_then(|it| it.layout.on(dims));
    let layout = layout.unwrap_or_else(|| Layout::row_major(dims));
    let mut strides = Vec::new();
    for operand in &operands {
        strides.push(spread(dims, operand)?);
    }
    let axes = layout.order.iter().map(|&axis| {
        let mut along = [0; N];
        for (to, from) in along.iter_mut().zip(&strides) {
            *to = from[axis];
        }
        (dims[axis], along)
    });
    let axes: Vec<_> = axes.collect();
    let views = Views::new([0; N], &axes)?;
    Ok((layout, operands, views))
}

/// The strides of an operand, whose axes are the last of `dims`, along all of them: 0 where it is
/// repeated.
fn spread(dims: &[usize], operand: &Activation) -> Result<Vec<isize>, Refusal> {
    let own = operand.layout.dims.clone();
    let misfit = || Refusal::Shape {
        found: vec![own.clone(), dims.to_vec()],
    };
    let first = dims.len().checked_sub(own.len()).ok_or_else(misfit)?;
    let mut strides = vec![0; dims.len()];
    for (axis, stride) in operand.layout.strides().into_iter().enumerate() {
        match (own[axis], dims[first + axis]) {
            (1, _) => {}
            (size, wanted) if size == wanted => strides[first + axis] = stride,
            _ => return Err(misfit()),
        }
    }
    Ok(strides)
}

/// `Cast` and `CastLike` between the kinds that a plan has.
pub(super) fn lower_cast(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    use crate::import::source::Element;
    let input = cx.strided(node, 0)?;
    let output = cx.source.value(cx.output(node)?);
    let kind = match output.element {
        Element::F32 => Kind::Real,
        Element::I32 | Element::I64 => Kind::Integer,
        Element::Bool => Kind::Truth,
        Element::I8 | Element::U8 | Element::Other => {
            return Err(Refusal::Type {
                value: output.name.clone(),
                found: output.element.name(),
            });
        }
    };
    if cx.graph.edge(input.edge).kind == kind {
        return cx.alias(node, input);
    }
    let layout = input.layout.clone();
    cx.add_node_of(
        node,
        kind,
        Op::from(crate::ops::cast::Cast),
        &[&input],
        layout,
    )
}
