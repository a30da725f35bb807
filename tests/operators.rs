//! `docs/operators.md` is what the registries and the compiler say: every operator of the registry
//! is tried in tiny models, and what compiles of them is in the table.
//!
//! With `MICROTOME_BLESS` set the page is written anew.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;
#[path = "operators/trials.rs"]
mod trials;

use microtome_compiler::{Options, compile, operators};
use microtome_plan::{Element, Op, PlanBuf, Step};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::catch_unwind;
use support::root;
use trials::{FORMS, OPSETS, RESULTS};

/// What became of the trials of one operator.
#[derive(Default)]
struct Tried {
    /// The plans of the float models.
    float: Vec<PlanBuf>,
    /// Those plans of the int8 models that boards run.
    integer: Vec<PlanBuf>,
    /// Whether the compiler panicked.
    panicked: bool,
}

/// What the page says of `op`.
fn tried(op: &str) -> Tried {
    let panicked = Cell::new(false);
    let plan = |model: Vec<u8>| {
        let compiled = catch_unwind(|| compile(&model, &Options::new(op)));
        panicked.set(panicked.get() || compiled.is_err());
        compiled.ok()?.ok().map(|it| it.plan)
    };
    let forms = || {
        FORMS
            .iter()
            .flat_map(|form| OPSETS.map(|opset| (form, opset)))
    };
    let float = forms().filter_map(|(form, opset)| plan(trials::float(op, form, opset)));
    let float: Vec<PlanBuf> = float.collect();
    let quantized = forms().flat_map(|(form, opset)| {
        let results = RESULTS.map(|result| trials::int8(op, form, opset, result));
        results
            .into_iter()
            .chain([trials::int8_in(op, form, opset)])
    });
    let integer: Vec<PlanBuf> = quantized.filter_map(plan).filter(runs_on_boards).collect();
    Tried {
        float,
        integer,
        panicked: panicked.get(),
    }
}

/// Whether no step computes in float, or is of an operator that boards leave out.
fn runs_on_boards(plan: &PlanBuf) -> bool {
    plan.plan().steps().all(|step| {
        let operator = step.op.operator();
        let extents = [operator.inputs(), operator.outputs()].concat();
        let float = extents.iter().any(|extent| extent.element == Element::F32);
        !float && !Op::NAMES_FLOAT.contains(&step.op.name())
    })
}

/// The first plan that does more than to change a scale, or else one without steps, or else any.
fn telling(plans: &[PlanBuf]) -> Option<&PlanBuf> {
    let works = |plan: &&PlanBuf| {
        let mut steps = plan.plan().steps();
        steps.any(|step| !matches!(step.op, Op::Rescale(_)))
    };
    let is_empty = |plan: &&PlanBuf| plan.plan().steps().len() == 0;
    let working = plans.iter().find(works);
    working
        .or_else(|| plans.iter().find(is_empty))
        .or(plans.first())
}

/// The kinds of a plan's steps.
fn kinds(plan: &PlanBuf) -> String {
    let plan = plan.plan();
    let kinds: BTreeSet<String> = plan
        .steps()
        .map(|step| format!("`{}`", step.op.operator().kind()))
        .collect();
    if kinds.is_empty() {
        return "no step".to_owned();
    }
    kinds.into_iter().collect::<Vec<_>>().join(" ")
}

/// Whether the GPU has a program for every step.
fn on_gpu(plan: &PlanBuf) -> bool {
    let plan = plan.plan();
    plan.steps()
        .all(|step| microtome_gpu::has_program(&plan, &step))
}

const fn mark(is: bool) -> &'static str {
    if is { "✓" } else { "—" }
}

/// The table of ONNX's operators; adds the names of the steps that have a GPU program to `gpu`.
fn onnx_table(names: &[&str], gpu: &mut BTreeSet<&'static str>) -> String {
    let mut page = String::from(
        "| operator | in float | in integers | on boards | on the GPU |\n|---|---|---|---|---|\n",
    );
    for &name in names {
        let Tried { float, integer, .. } = tried(name);
        let column = |plans: &[PlanBuf]| telling(plans).map_or_else(|| "—".into(), kinds);
        let plans = || float.iter().chain(&integer);
        for plan in plans() {
            let plan = plan.plan();
            let has = |step: &Step<'_>| microtome_gpu::has_program(&plan, step);
            gpu.extend(plan.steps().filter(has).map(|step| step.op.name()));
        }
        let on_gpu: Vec<&str> = [("float", &float), ("integers", &integer)]
            .into_iter()
            .filter(|(_, plans)| telling(plans).is_some_and(on_gpu))
            .map(|(precision, _)| precision)
            .collect();
        writeln!(
            page,
            "| {name} | {} | {} | {} | {} |",
            column(&float),
            column(&integer),
            mark(!integer.is_empty()),
            if on_gpu.is_empty() {
                "—".to_owned()
            } else {
                on_gpu.join(", ")
            },
        )
        .unwrap();
    }
    page
}

/// The table of the plan's operators.
fn plan_table(gpu: &BTreeSet<&str>) -> String {
    let mut page = String::from("| operator | processor | boards | GPU |\n|---|---|---|---|\n");
    for name in Op::NAMES {
        let boards = mark(!Op::NAMES_FLOAT.contains(name));
        writeln!(
            page,
            "| {name} | ✓ | {boards} | {} |",
            mark(gpu.contains(name))
        )
        .unwrap();
    }
    page
}

fn page() -> String {
    let known = operators();
    let mut gpu = BTreeSet::new();
    let table = onnx_table(&known.lowered, &mut gpu);
    let list = |names: &[&str]| names.join(", ");
    format!(
        "\
# Formats and operators

Made by `tests/operators.rs` from the registries; run it with `MICROTOME_BLESS=1` after a change.

## Formats

| format | operators |
|---|---|
| ONNX: float, QDQ int8 | {lowered}, in the table below |
| ONNX: QOperator, onnxruntime's own operators | {rewritten}, which become those of the table |
| TFLite: float, int8 | {tflite}, which become those of the table |

`--backend tract` runs ONNX models in float whose operators are not here.

## ONNX

Each operator was compiled in tiny models of its own, in float, and in int8 between quantizers. The
columns name the plan's operators that it became; *no step* is a view, or is fused into the step before
it. In integers means without any operator that boards leave out; what is not runs on hosts, in float
between a dequantization and a quantization. On the GPU: what runs there in that trial; other forms of
the operator may not. A dash says that no trial compiled so; `tests/operators/trials.rs` has the trials.

{table}
On constants and shapes alone, which need no step: {folded}.

## QOperator and onnxruntime

{rewritten_list}.

## TFLite

{tflite_list}.

## The plan's operators

{plan}",
        lowered = known.lowered.len(),
        rewritten = known.rewritten.len(),
        tflite = known.tflite.len(),
        folded = list(&known.folded),
        rewritten_list = list(&known.rewritten),
        tflite_list = list(&known.tflite),
        plan = plan_table(&gpu),
    )
}

#[test]
fn the_page_of_operators_is_what_the_registries_say() {
    let path = root().join("docs/operators.md");
    let made = page();
    if std::env::var_os("MICROTOME_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(made.lines()).find(|(a, b)| a != b);
    assert!(
        found == made,
        "docs/operators.md is not what the registries say (first at {differs:?}); write it anew \
         with MICROTOME_BLESS=1"
    );
}

#[test]
fn no_trial_makes_the_compiler_panic() {
    let known = operators();
    let names = known.lowered.iter().chain(&known.rewritten);
    let panicked: Vec<_> = names.filter(|name| tried(name).panicked).collect();
    assert!(panicked.is_empty(), "{panicked:?}");
}

#[test]
fn operators_that_everybody_needs_are_found_by_the_trials() {
    for op in ["Conv", "MatMul", "Add", "MaxPool", "Softmax", "Sigmoid"] {
        let Tried { float, integer, .. } = tried(op);
        assert!(!float.is_empty(), "{op} in float");
        assert!(!integer.is_empty(), "{op} in int8");
    }
}
