//! The picture of the arena: steps from left to right, bytes from bottom to top, one rectangle a
//! buffer from its first write to its last read.

use super::{px, shortened};
use crate::inspection::{Buffer, Inspection};
use crate::report::grouped;
use maud::{Markup, html};

const WIDTH: f64 = 1080.0;
const HEIGHT: f64 = 430.0;
/// The plot within the picture.
const LEFT: f64 = 74.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = HEIGHT - 44.0;
/// Width of a character of a label, at most.
const CHAR: f64 = 6.4;

/// Where moments and bytes are in the plot.
struct Scale {
    moments: usize,
    bytes: usize,
}

impl Scale {
    fn x(&self, moment: usize) -> f64 {
        LEFT + (RIGHT - LEFT) * moment as f64 / self.moments as f64
    }

    fn y(&self, bytes: usize) -> f64 {
        BOTTOM - (BOTTOM - TOP) * bytes as f64 / self.bytes as f64
    }
}

/// The picture, with its legend.
pub fn picture(of: &Inspection) -> Markup {
    let scale = Scale {
        moments: of.ops.len() + 2,
        bytes: (of.arena_bytes.max(of.arena_lower_bound_bytes)).max(1),
    };
    let live = live(of, scale.moments);
    let most = live.iter().copied().max().unwrap_or(0);
    let at = live.iter().position(|&it| it == most).unwrap_or(0);
    let label = format!("Memory map of {} over its steps", of.model);
    html! {
        figure {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
                (grid(&scale))
                @for buffer in &of.buffers { (rectangle(buffer, &scale)) }
                path.live d=(outline(&live, &scale)) {}
                (levels(of, &scale))
                circle.peak cx=(px(middle(at, &scale))) cy=(px(scale.y(most))) r="4" {
                    title { "most bytes alive: " (grouped(most)) " at " (moment(at, of)) }
                }
                (axis(of, &scale))
            }
            figcaption {
                @for kind in ["input", "activation", "output", "state", "scratch"] {
                    @if of.buffers.iter().any(|buffer| buffer.kind == kind) {
                        span.key { span class=(format!("swatch {kind}")) {} (kind) }
                    }
                }
                span.key { span.swatch.line {} "bytes alive" }
                span { "The peak, " (grouped(most)) " B, is at " (moment(at, of)) "." }
            }
        }
    }
}

/// Bytes that live at each moment.
fn live(of: &Inspection, moments: usize) -> Vec<usize> {
    let at = |moment: usize| {
        let live = of.buffers.iter();
        let live = live.filter(|it| (it.first..=it.last).contains(&moment));
        live.map(|buffer| buffer.size).sum()
    };
    (0..moments).map(at).collect()
}

/// A moment for people.
fn moment(moment: usize, of: &Inspection) -> String {
    let step = moment.checked_sub(1).map(|step| (step, of.ops.get(step)));
    match step {
        None => "the input".to_owned(),
        Some((step, Some(op))) => format!("step {step}, {}", op.op),
        Some((_, None)) => "the output".to_owned(),
    }
}

fn middle(moment: usize, scale: &Scale) -> f64 {
    f64::midpoint(scale.x(moment), scale.x(moment + 1))
}

fn rectangle(buffer: &Buffer, scale: &Scale) -> Markup {
    let [start, end] = buffer.arena;
    let (left, right) = (scale.x(buffer.first), scale.x(buffer.last + 1));
    let (top, bottom) = (scale.y(end), scale.y(start));
    let (width, height) = (right - left, bottom - top);
    let fits = ((width - 8.0) / CHAR).max(0.0) as usize;
    html! {
        g {
            title {
                (buffer.kind) " " (buffer.name) ": " (grouped(end - start)) " B at "
                (start) ".." (end)
            }
            rect class=(buffer.kind) x=(px(left)) y=(px(top)) width=(px(width))
                height=(px(height.max(0.5))) rx="1.5" {}
            @if fits >= 4 && height >= 13.0 {
                text.label x=(px(left + 4.0)) y=(px(top + height / 2.0 + 4.0)) {
                    (shortened(&buffer.name, fits))
                }
            }
        }
    }
}

/// The line along the bytes alive.
fn outline(live: &[usize], scale: &Scale) -> String {
    let points = live.iter().enumerate().map(|(moment, &bytes)| {
        let verb = if moment == 0 { 'M' } else { 'L' };
        let y = px(scale.y(bytes));
        format!(
            "{verb}{} {y}H{}",
            px(scale.x(moment)),
            px(scale.x(moment + 1))
        )
    });
    points.collect()
}

/// A round distance that cuts `whole` into about `parts`.
fn round_distance(whole: usize, parts: usize) -> usize {
    let mut distance = 1;
    for factor in [2, 5, 10].into_iter().cycle() {
        if distance * parts >= whole {
            break;
        }
        let power = 10_usize.pow(distance.ilog10());
        distance = power.saturating_mul(factor);
    }
    distance
}

fn grid(scale: &Scale) -> Markup {
    let distance = round_distance(scale.bytes, 6);
    html! {
        @for bytes in (0..=scale.bytes).step_by(distance) {
            line.grid x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(scale.y(bytes)))
                y2=(px(scale.y(bytes))) {}
            text.tick x=(px(LEFT - 8.0)) y=(px(scale.y(bytes) + 4.0)) text-anchor="end" {
                (grouped(bytes))
            }
        }
    }
}

/// The arena's size and its lower bound.
fn levels(of: &Inspection, scale: &Scale) -> Markup {
    let (arena, bound) = (of.arena_bytes, of.arena_lower_bound_bytes);
    let level = |class: &str, bytes: usize| {
        let y = px(scale.y(bytes));
        html! { line class=(class) x1=(px(LEFT)) x2=(px(RIGHT)) y1=(y) y2=(y) {} }
    };
    html! {
        (level("arena", arena))
        (level("bound", bound))
        text.level x=(px(LEFT)) y=(px(TOP - 12.0)) {
            tspan.arena { "arena " (grouped(arena)) " B" }
            tspan.bound dx="18" { "lower bound " (grouped(bound)) " B" }
        }
    }
}

fn axis(of: &Inspection, scale: &Scale) -> Markup {
    let distance = round_distance(of.ops.len(), 20);
    let y = px(BOTTOM + 16.0);
    html! {
        line.axis x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(BOTTOM)) y2=(px(BOTTOM)) {}
        text.tick x=(px(middle(0, scale))) y=(y) text-anchor="middle" { "in" }
        @for step in (0..of.ops.len()).step_by(distance) {
            text.tick x=(px(middle(step + 1, scale))) y=(y) text-anchor="middle" { (step) }
        }
        text.tick x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(HEIGHT - 8.0))
            text-anchor="middle" { "step" }
        text.tick x=(px(LEFT - 8.0)) y=(px(TOP - 12.0)) text-anchor="end" { "bytes" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_at_round_numbers() {
        let distances = [0, 1, 6, 7, 60, 22_820, 100_708].map(|whole| round_distance(whole, 6));
        assert_eq!(distances, [1, 1, 1, 2, 10, 5_000, 20_000]);
    }
}
