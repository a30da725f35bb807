//! Delay of a stream: what a streaming model remembers of the frames that came before.

use crate::operator::{Args, Element, Extents, Fault, Operator, checked_len, one};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// Parameters of a delay along the outermost axis.
///
/// Each run takes the next `frames` frames and gives `overlap + frames`: the stream as it was
/// `delay` frames ago, with the `overlap` frames before it. Before the first frame the stream is
/// filled with `fill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// Type of the elements.
    pub element: Element,
    /// Elements of a frame.
    pub frame_len: usize,
    /// Frames of a run.
    pub frames: usize,
    /// Frames by which the stream is delayed.
    pub delay: usize,
    /// Frames that are given once more.
    pub overlap: usize,
    /// Every byte of the stream before its start: the zero point of an int8 activation.
    pub fill: i8,
}

impl Delay {
    /// Frames that are kept: at the start of a run, those just before its own.
    const fn kept(&self) -> usize {
        self.delay + self.overlap
    }

    const fn frame_bytes(&self) -> usize {
        self.frame_len * self.element.bytes()
    }
}

impl Operator for Delay {
    fn kind(&self) -> &'static str {
        "delay"
    }

    fn check(&self) -> Result<(), Fault> {
        let kept = self.delay.checked_add(self.overlap).ok_or(Fault::Size)?;
        checked_len(&[self.frame_len, kept])?;
        let given = self.frames.checked_add(self.overlap).ok_or(Fault::Size)?;
        checked_len(&[self.frame_len, self.frames])?;
        checked_len(&[self.frame_len, given]).map(drop)
    }

    fn inputs(&self) -> Extents {
        one(self.element, self.frames * self.frame_len)
    }

    fn outputs(&self) -> Extents {
        one(self.element, (self.frames + self.overlap) * self.frame_len)
    }

    fn state(&self) -> Extents {
        one(self.element, self.kept() * self.frame_len)
    }

    fn state_fill(&self) -> i8 {
        self.fill
    }

    fn run(&self, _set: &KernelSet, mut args: Args<'_>) {
        let input = args.inputs[0];
        let given = (self.frames + self.overlap) * self.frame_bytes();
        let kept = &mut *args.state[0];
        let output = &mut *args.outputs[0];
        // The output begins where the kept frames do, and may end within them.
        let old = given.min(kept.len());
        output[..old].copy_from_slice(&kept[..old]);
        output[old..].copy_from_slice(&input[..given - old]);
        if input.len() < kept.len() {
            let from = kept.len() - input.len();
            kept.copy_within(input.len().., 0);
            kept[from..].copy_from_slice(input);
        } else {
            kept.copy_from_slice(&input[input.len() - kept.len()..]);
        }
    }
}
