//! The page of `inspect --html`: one file that needs no network and no script.
//!
//! `memory` and `cost` are its pictures, SVG within the page; this is the rest. Whatever a model
//! names is escaped.

mod cost;
mod memory;

use crate::commands::inspect::{facts, shape, spans};
use crate::inspection::{Inspection, Port, percent};
use crate::report::grouped;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");

/// The page about a plan.
pub fn render(of: &Inspection) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (of.model) " · microtome" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (of.model) }
                (summary(of))
                h2 { "Memory over time" }
                (memory::picture(of))
                h2 { "Work and constants of each step" }
                (cost::picture(of))
                h2 { "Steps" }
                (steps(of))
                h2 { "Inputs and outputs" }
                (ports(of))
                h2 { "Boards" }
                (boards(of))
                @if !of.nodes.is_empty() {
                    h2 { "What became of the model's nodes" }
                    (conversion(of))
                }
            }
        }
    };
    page.into_string()
}

/// The figures that matter most, large, and all facts behind them.
fn summary(of: &Inspection) -> Markup {
    let over = of.arena_bytes as f64 / of.arena_lower_bound_bytes.max(1) as f64 - 1.0;
    let cards = [
        ("MACs", grouped(of.macs), "one inference".to_owned()),
        (
            "arena",
            grouped(of.arena_bytes),
            format!("bytes, {:.1} % over the lower bound", over * 100.0),
        ),
        ("plan", grouped(of.plan_bytes), "bytes of flash".to_owned()),
        (
            "steps",
            grouped(of.ops.len()),
            format!("of {} operators", kinds(of)),
        ),
    ];
    html! {
        div.cards {
            @for (name, value, unit) in cards {
                div.card { span.name { (name) } strong { (value) } span.unit { (unit) } }
            }
        }
        details {
            summary { "All facts" }
            table.facts {
                @for (name, value) in facts(of) {
                    tr { th scope="row" { (name) } td { (value) } }
                }
            }
        }
    }
}

/// How many operators the steps are of.
fn kinds(of: &Inspection) -> usize {
    let mut kinds: Vec<_> = of.ops.iter().map(|op| op.op).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.len()
}

/// The heads of a table's columns, of which those from `numbers_from` on are of numbers.
fn heads(heads: &[&str], numbers_from: usize) -> Markup {
    html! {
        thead { tr {
            @for (index, head) in heads.iter().enumerate() {
                th scope="col" class=[(index >= numbers_from).then_some("number")] { (head) }
            }
        } }
    }
}

fn steps(of: &Inspection) -> Markup {
    let names = [
        "step",
        "operator",
        "ends with node",
        "elements",
        "kernels",
        "output",
        "scale",
        "MACs",
        "constants, B",
        "state, B",
        "scratch, B",
        "reads",
        "writes",
    ];
    html! {
        div.wide { table {
            (heads(&names, 6))
            tbody {
                @for (index, op) in of.ops.iter().enumerate() {
                    tr id=(format!("step-{index}")) {
                        td.number { (index) }
                        td { (op.op) }
                        td.name { (op.name) }
                        td { (op.elements) }
                        td { (op.kernels) }
                        td { (shape(op)) }
                        td.number { (op.output_scale) }
                        td.number { (grouped(op.macs)) }
                        td.number { (grouped(op.constants_bytes)) }
                        td.number { (grouped(op.state_bytes)) }
                        td.number { (grouped(op.scratch_bytes)) }
                        td.number { (spans(&op.reads)) }
                        td.number { (spans(&op.writes)) }
                    }
                }
            }
        } }
    }
}

fn ports(of: &Inspection) -> Markup {
    let row = |kind: &str, port: &Port| {
        html! {
            tr {
                td { (kind) }
                td.name { (port.name) }
                td { (format!("{:?}", port.shape)) }
                td { (port.dtype) }
                td.number { (port.scale) }
                td.number { (port.zero_point) }
                td.number { (spans(&[port.arena])) }
            }
        }
    };
    html! {
        div.wide { table {
            (heads(&["port", "name", "shape", "type", "scale", "zero", "arena"], 4))
            tbody {
                @for port in &of.inputs { (row("input", port)) }
                @for port in &of.outputs { (row("output", port)) }
            }
        } }
    }
}

fn boards(of: &Inspection) -> Markup {
    html! {
        div.wide { table {
            (heads(&["board", "arch", "arena and a frame", "plan slot"], 4))
            tbody {
                @for board in &of.boards {
                    tr {
                        td { (board.board) }
                        td { (board.arch) }
                        td { (share(board.arena_share)) }
                        td {
                            @match board.plan_share {
                                Some(of) => (share(of)),
                                None => "a file",
                            }
                        }
                    }
                }
            }
        } }
    }
}

/// A share as a number and a bar; what is too large has the bar full and in another colour.
fn share(of: f64) -> Markup {
    let width = format!("width:{:.1}%", of.min(1.0) * 100.0);
    html! {
        span.share.over[of > 1.0] { span style=(width) {} }
        (percent(of))
    }
}

fn conversion(of: &Inspection) -> Markup {
    html! {
        @if !of.notes.is_empty() {
            ul.notes { @for note in &of.notes { li { (note) } } }
        }
        div.wide { table {
            (heads(&["node", "operator", "became"], 3))
            tbody {
                @for node in &of.nodes {
                    tr {
                        td.name { (node.node) }
                        td { (node.op) }
                        td { (node.fate) }
                    }
                }
            }
        } }
    }
}

/// A length or place of a picture.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// The end of `text`, of `chars_max` characters at most: names of nodes differ there.
fn shortened(text: &str, chars_max: usize) -> String {
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let end = text.chars().skip((chars + 1).saturating_sub(chars_max));
    format!("…{}", end.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("größe", 5), "größe");
        assert_eq!(shortened("größer", 5), "…ößer");
        assert_eq!(shortened("größer", 0), "…");
    }
}
