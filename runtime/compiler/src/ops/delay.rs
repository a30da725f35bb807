//! What a stream remembers of the frames that came before.

use super::{Edges, GraphOp, Kernel};
use crate::error::Refusal;
use microtome_kernels::data::delay;

/// The operand's frames, with those before them in front.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// Frames of a run.
    pub frames: usize,
    /// Elements of a frame.
    pub frame_len: usize,
    /// Frames that are given once more.
    pub overlap: usize,
    /// The real number that frames consist of before the stream has begun.
    pub fill: f64,
}

impl GraphOp for Delay {
    fn integer(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        let fill = edges.input(0)?.quantize(self.fill);
        self.kernel(edges, fill)
    }

    fn float(&self, edges: &Edges<'_>) -> Result<Kernel, Refusal> {
        if self.fill != 0.0 {
            // State is filled byte by byte.
            return Err(Refusal::NotStreaming {
                reason: "frames before the start of a float stream are 0",
            });
        }
        self.kernel(edges, 0)
    }

    fn keeps_quantization(&self) -> bool {
        true
    }
}

impl Delay {
    fn kernel(&self, edges: &Edges<'_>, fill: i8) -> Result<Kernel, Refusal> {
        let params = delay::Delay {
            element: edges.input_edge(0).element(),
            frame_len: self.frame_len,
            frames: self.frames,
            delay: 0,
            overlap: self.overlap,
            fill,
        };
        Ok(Kernel::new(params, edges))
    }
}
