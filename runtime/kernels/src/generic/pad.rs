//! Constant padding: copies of whole rows, or of pixels where there are more channels.

use crate::reference::pad::Pad;

/// As [`crate::reference::pad::pad`].
pub fn pad(params: &Pad, input: &[i8], output: &mut [i8]) {
    output.fill(params.value);
    let (inner, outer) = (params.input, params.output);
    let [above, left, before] = params.before;
    let run = if inner.channels == outer.channels {
        inner.width * inner.channels
    } else {
        inner.channels
    };
    let runs_a_row = inner.width * inner.channels / run;
    for (index, from) in input.chunks_exact(run).enumerate() {
        let (y, x) = (index / runs_a_row + above, index % runs_a_row + left);
        let at = (y * outer.width + x) * outer.channels + before;
        output[at..at + run].copy_from_slice(from);
    }
}
