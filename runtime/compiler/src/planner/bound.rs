//! What lies in the arena when, read back from a finished plan; and from that its lower bound.
//!
//! Moment 0 is before the first step, step `i` is moment `i + 1`, and the moment after the last
//! step is when outputs are read.

use super::Buffer;
use super::lifetimes::largest_live_set;
use microtome_plan::{ArenaAt, Plan};
use std::fmt;
use std::mem::take;
use std::ops::Range;

/// A piece of the arena, from the first write to the last read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it is.
    pub what: What,
    /// Its bytes.
    pub span: Range<usize>,
    /// The moment of the first write.
    pub first: usize,
    /// The moment of the last read.
    pub last: usize,
    /// The steps that write it: several where they work in place, none for an input.
    pub written_by: Vec<usize>,
}

impl Held {
    /// Its bytes as a planner counts them: up to the next offset that a plan has.
    pub fn size(&self) -> usize {
        self.span.len().next_multiple_of(ArenaAt::ALIGN)
    }
}

/// What a piece of the arena is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An input of the model.
    Input,
    /// A result that other steps read.
    Activation,
    /// An output of the model.
    Output,
    /// What a step keeps from run to run.
    State,
    /// What a step needs while it runs.
    Scratch,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Activation => "activation",
            Self::Output => "output",
            Self::State => "state",
            Self::Scratch => "scratch",
        })
    }
}

/// What lies in the plan's arena, and when. Steps that work in place write what is there already.
pub fn arena_map(plan: &Plan<'_>) -> Vec<Held> {
    let manifest = plan.manifest();
    let end = manifest.steps + 1;
    let mut arena = Arena::default();
    for port in &manifest.inputs {
        let span = port.at.span(port.len_bytes());
        arena.write(What::Input, span, 0..=0, None);
    }
    for (index, step) in plan.steps().enumerate() {
        let moment = index + 1;
        for span in &step.reads() {
            arena.read(span, moment);
        }
        let replaces = step.is_in_place();
        for (output, span) in step.writes().into_iter().enumerate() {
            if replaces && output == 0 {
                arena.replace(span, index);
            } else {
                arena.write(What::Activation, span, moment..=moment, Some(index));
            }
        }
        arena.write(What::Scratch, step.scratch(), moment..=moment, Some(index));
        for span in step.kept() {
            arena.write(What::State, span, 0..=end, Some(index));
        }
    }
    for port in &manifest.outputs {
        for held in arena.read(&port.at.span(port.len_bytes()), end) {
            if arena.held[held].what == What::Activation {
                arena.held[held].what = What::Output;
            }
        }
    }
    arena.held
}

/// The largest sum of activations that live at the same time, in the plan's order of steps: no
/// placement of them needs a smaller arena. Steps that work in place do so here too.
pub fn arena_lower_bound(plan: &Plan<'_>) -> usize {
    let held = arena_map(plan);
    let buffer = |held: &Held| Buffer {
        size: held.size(),
        first: held.first,
        last: held.last,
    };
    largest_live_set(&held.iter().map(buffer).collect::<Vec<_>>())
}

/// The arena as a run goes on.
#[derive(Default)]
struct Arena {
    held: Vec<Held>,
    /// Which of `held` was written last where.
    content: Vec<(Range<usize>, usize)>,
}

impl Arena {
    fn write(
        &mut self,
        what: What,
        span: Range<usize>,
        moments: std::ops::RangeInclusive<usize>,
        step: Option<usize>,
    ) {
        if span.is_empty() {
            return;
        }
        for (old, held) in take(&mut self.content) {
            let before = old.start..old.end.min(span.start);
            let behind = old.start.max(span.end)..old.end;
            let rest = [before, behind].into_iter().filter(|it| !it.is_empty());
            self.content.extend(rest.map(|it| (it, held)));
        }
        self.content.push((span.clone(), self.held.len()));
        self.held.push(Held {
            what,
            span,
            first: *moments.start(),
            last: *moments.end(),
            written_by: step.into_iter().collect(),
        });
    }

    /// The step writes over what it has just read.
    fn replace(&mut self, span: Range<usize>, step: usize) {
        for held in self.read(&span, step + 1) {
            self.held[held].written_by.push(step);
        }
    }

    /// Gives what was read.
    fn read(&mut self, span: &Range<usize>, moment: usize) -> Vec<usize> {
        let overlaps = |it: &&(Range<usize>, usize)| it.0.start < span.end && span.start < it.0.end;
        let read: Vec<usize> = self
            .content
            .iter()
            .filter(overlaps)
            .map(|it| it.1)
            .collect();
        for &held in &read {
            let last = &mut self.held[held].last;
            *last = moment.max(*last);
        }
        read
    }
}
