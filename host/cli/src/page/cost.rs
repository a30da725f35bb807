//! The picture of what each step costs: its multiply–accumulates and its constants, as bars.

use super::{px, shortened};
use crate::inspection::Inspection;
use crate::report::grouped;
use maud::{Markup, html};

const WIDTH: f64 = 1080.0;
const ROW: f64 = 22.0;
const HEAD: f64 = 26.0;
/// Where the names end and the bars of work and of constants begin.
const NAMES: f64 = 300.0;
const WORK: f64 = 312.0;
const CONSTANTS: f64 = 730.0;
/// The longest bar, and the room behind it for its number.
const BAR: f64 = 250.0;

/// The picture.
pub fn picture(of: &Inspection) -> Markup {
    let most = |values: &mut dyn Iterator<Item = usize>| values.max().unwrap_or(0).max(1);
    let macs = most(&mut of.ops.iter().map(|op| op.macs));
    let constants = most(&mut of.ops.iter().map(|op| op.constants_bytes));
    let all: usize = of.ops.iter().map(|op| op.constants_bytes).sum();
    let height = HEAD + ROW * of.ops.len() as f64 + 4.0;
    let label = format!("Work and constants of each step of {}", of.model);
    html! {
        figure {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(label) {
                text.head x=(px(NAMES)) y="15" text-anchor="end" { "step" }
                text.head x=(px(WORK)) y="15" { "MACs, " (grouped(of.macs)) " in all" }
                text.head x=(px(CONSTANTS)) y="15" { "constants, " (grouped(all)) " B in all" }
                @for (index, op) in of.ops.iter().enumerate() {
                    @let y = HEAD + ROW * index as f64;
                    g {
                        title { "step " (index) ", " (op.op) ", ends with " (op.name) }
                        @if index % 2 == 0 {
                            rect.stripe x="0" y=(px(y)) width=(px(WIDTH)) height=(px(ROW)) {}
                        }
                        text.step x=(px(NAMES)) y=(px(y + 15.0)) text-anchor="end" {
                            (shortened(&op.name, 24))
                            tspan.kind dx="8" { (op.op) }
                            tspan.number dx="8" { (index) }
                        }
                        (bar("work", WORK, y, op.macs, [macs, of.macs]))
                        (bar("constants", CONSTANTS, y, op.constants_bytes, [constants, all]))
                    }
                }
            }
        }
    }
}

/// The bar of `value`, as long as its share of the largest one.
fn bar(class: &str, x: f64, y: f64, value: usize, [largest, all]: [usize; 2]) -> Markup {
    let width = BAR * value as f64 / largest as f64;
    let percent = value as f64 * 100.0 / all.max(1) as f64;
    html! {
        @if value > 0 {
            rect class=(class) x=(px(x)) y=(px(y + 4.0)) width=(px(width.max(1.0)))
                height=(px(ROW - 8.0)) rx="1.5" {}
            text.value x=(px(x + width + 6.0)) y=(px(y + 15.0)) {
                (grouped(value))
                tspan.share dx="6" { (format!("{percent:.1} %")) }
            }
        }
    }
}
