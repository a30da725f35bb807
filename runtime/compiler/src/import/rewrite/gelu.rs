//! GELU as exporters spell it out: `x · (1 + erf(x / √2)) · 1/2`, the products in any order.

use super::links::{Links, Wholes};
use super::rewriter::Rewriter;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use tract_onnx::pb::NodeProto;

/// How near constants are that were rounded by exporters.
const TOLERANCE: f32 = 1e-4;

/// Finds all of them and makes the operators that they become.
pub(super) fn find(cx: &mut Rewriter<'_>) -> Wholes {
    let mut found = Wholes::default();
    let nodes = cx.source();
    let links = Links::new(cx);
    for (index, node) in nodes.iter().enumerate() {
        let gelu = (node.op_type == "Erf").then(|| gelu(cx, &links, index, node));
        let Some((x, mut parts)) = gelu.flatten() else {
            continue;
        };
        let last = parts.pop().unwrap_or(index);
        cx.begin(&nodes[last]);
        cx.emit("Gelu", &[x], &nodes[last].output[0], Vec::new());
        found.nodes.insert(last, std::mem::take(&mut cx.nodes));
        found
            .parts
            .extend(parts.into_iter().map(|part| (part, last)));
    }
    found
}

/// The argument of the GELU around the error function `erf`, and the nodes of it, the last one last.
fn gelu<'a>(
    cx: &Rewriter<'_>,
    links: &Links<'a>,
    index: usize,
    erf: &'a NodeProto,
) -> Option<(&'a str, Vec<usize>)> {
    let argument = &**erf.input.first()?;
    let (scaling, scaled) = links
        .maker(argument, "Div")
        .filter(|(_, node)| is(cx, &node.input[1], SQRT_2))
        .or_else(|| {
            let by_factor = |node: &NodeProto| other(cx, node, FRAC_1_SQRT_2).is_some();
            links
                .maker(argument, "Mul")
                .filter(|(_, node)| by_factor(node))
        })?;
    links.only_reader(argument, "Erf")?;
    let x = match &*scaled.op_type {
        "Div" => &*scaled.input[0],
        _ => other(cx, scaled, FRAC_1_SQRT_2)?,
    };
    let (adding, sum) = links.only_reader(&erf.output[0], "Add")?;
    other(cx, sum, 1.0)?;
    let (first, product) = links.only_reader(&sum.output[0], "Mul")?;
    let mut parts = vec![scaling, index, adding];
    // The second factor is x, a half, or half of x.
    let factor = factor_beside(product, &sum.output[0])?;
    if factor == x {
        let (second, half) = links.only_reader(&product.output[0], "Mul")?;
        other(cx, half, 0.5)?;
        parts.extend([first, second]);
    } else if is(cx, factor, 0.5) {
        let (second, whole) = links.only_reader(&product.output[0], "Mul")?;
        (factor_beside(whole, &product.output[0])? == x).then_some(())?;
        parts.extend([first, second]);
    } else {
        let (halving, half) = links.maker(factor, "Mul")?;
        (other(cx, half, 0.5)? == x).then_some(())?;
        links.only_reader(factor, "Mul")?;
        parts.extend([halving, first]);
    }
    Some((x, parts))
}

/// The operand of `node` beside `value`.
fn factor_beside<'a>(node: &'a NodeProto, value: &str) -> Option<&'a str> {
    let [a, b] = &node.input[..] else { return None };
    match (a == value, b == value) {
        (true, false) => Some(b),
        (false, true) => Some(a),
        _ => None,
    }
}

/// The operand of `node` beside the constant `wanted`.
fn other<'a>(cx: &Rewriter<'_>, node: &'a NodeProto, wanted: f32) -> Option<&'a str> {
    let [a, b] = &node.input[..] else { return None };
    if is(cx, b, wanted) {
        return Some(a);
    }
    is(cx, a, wanted).then_some(b)
}

/// Whether `value` is the constant `wanted`, alone.
fn is(cx: &Rewriter<'_>, value: &str, wanted: f32) -> bool {
    let found = cx.f32s(value);
    found.is_ok_and(|found| matches!(*found, [it] if (it - wanted).abs() < TOLERANCE))
}
