//! Comparisons, functions of truth values, and questions about one float.

use crate::ops::Dispatch;
use crate::ops::context::At;
use crate::ops::params::{Axes, Job, Operand, Strides};
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_kernels::float::compare::Compare;
use microtome_kernels::float::logic::Logic;
use microtome_kernels::float::pair::Pair;
use microtome_kernels::float::predicate::{Predicate, PredicateKind};
use microtome_kernels::view;
use microtome_plan::Element;

pub(in crate::ops) const PROGRAM: Program = Program::by_element(
    "compare_f32",
    &[
        include_str!("../../shaders/strided.wgsl"),
        include_str!("../../shaders/math.wgsl"),
        include_str!("../../shaders/float/compare.wgsl"),
    ],
);

#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
struct Params {
    job: Job,
    a: Operand,
    b: Operand,
    question: u32,
    type_kind: u32,
    space: Axes,
    a_view: Strides,
    b_view: Strides,
}

pub(in crate::ops) fn compare(at: &mut At<'_>, compare: &Compare) -> Option<Dispatch> {
    pair(at, &compare.operands, compare.element, compare.kind as u32)
}

pub(in crate::ops) fn logic(at: &mut At<'_>, logic: &Logic) -> Option<Dispatch> {
    pair(at, &logic.operands, Element::I8, 5 + logic.kind as u32)
}

fn pair(at: &mut At<'_>, pair: &Pair, element: Element, question: u32) -> Option<Dispatch> {
    let sources = super::sources(pair);
    let params = Params {
        job: at.job,
        a: at.read(&sources, 0)?,
        b: at.read(&sources, 1)?,
        question,
        type_kind: match element {
            Element::I8 => 0,
            Element::I32 => 1,
            _ => 2,
        },
        space: pair.dims.into(),
        a_view: pair.a.into(),
        b_view: pair.b.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &params.job))
}

pub(in crate::ops) fn predicate(at: &mut At<'_>, predicate: &Predicate) -> Option<Dispatch> {
    let question = match predicate.kind {
        PredicateKind::IsNan => 8,
        PredicateKind::IsInf {
            positive: true,
            negative: true,
        } => 9,
        PredicateKind::IsInf { positive: true, .. } => 10,
        PredicateKind::IsInf { negative: true, .. } => 11,
        PredicateKind::IsInf { .. } => return None,
    };
    let operand = at.operand(0)?;
    let dims = [1, 1, 1, 1, 1, predicate.len];
    let flat = view::Strides::row_major(dims);
    let params = Params {
        job: at.job,
        a: operand,
        b: operand,
        question,
        type_kind: 2,
        space: dims.into(),
        a_view: flat.into(),
        b_view: flat.into(),
    };
    Some(Dispatch::of_quads(&PROGRAM, &params, &params.job))
}
