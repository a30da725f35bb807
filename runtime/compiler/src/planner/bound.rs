//! The arena's lower bound of a finished plan.

use super::Buffer;
use super::lifetimes::largest_live_set;
use microtome_plan::{ArenaAt, Plan};
use std::ops::Range;

/// The largest sum of activations that live at the same time, in the plan's order of steps: no
/// placement of them needs a smaller arena. Steps that work in place do so here too.
pub fn arena_lower_bound(plan: &Plan<'_>) -> usize {
    let manifest = plan.manifest();
    let mut written = Written::default();
    for port in &manifest.inputs {
        written.write(port.at.span(port.len_bytes()), 0);
    }
    for (moment, step) in (1..).zip(plan.steps()) {
        for span in &step.reads() {
            written.read(span, moment);
        }
        let replaced = usize::from(step.is_in_place());
        for span in step.writes().iter().skip(replaced) {
            written.write(span.clone(), moment);
        }
        written.write(step.scratch(), moment);
        for span in step.kept() {
            written.keep(span, manifest.steps + 1);
        }
    }
    for port in &manifest.outputs {
        written.read(&port.at.span(port.len_bytes()), manifest.steps + 1);
    }
    largest_live_set(&written.buffers)
}

/// What has been written so far, and where.
#[derive(Default)]
struct Written {
    spans: Vec<Range<usize>>,
    buffers: Vec<Buffer>,
}

impl Written {
    fn write(&mut self, span: Range<usize>, moment: usize) {
        self.buffers.push(Buffer {
            size: span.len().next_multiple_of(ArenaAt::ALIGN),
            first: moment,
            last: moment,
        });
        self.spans.push(span);
    }

    fn keep(&mut self, span: Range<usize>, end: usize) {
        self.write(span, 0);
        if let Some(buffer) = self.buffers.last_mut() {
            buffer.last = end;
        }
    }

    fn read(&mut self, span: &Range<usize>, moment: usize) {
        if let Some(index) = self.spans.iter().rposition(|it| it == span) {
            self.buffers[index].last = moment;
        }
    }
}
