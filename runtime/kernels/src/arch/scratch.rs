//! How much scratch kernels for microcontrollers want, which a compiler on any machine asks.

use crate::reference::conv2d::Conv2d;
use crate::reference::depthwise::Depthwise;

/// Bytes of stack that one kernel uses for scratch, besides its frame; what needs more has all of it
/// from the arena.
pub const STACK_BYTES: usize = 3072;

/// The same in words.
pub const STACK_WORDS: usize = STACK_BYTES / size_of::<u32>();

/// Bytes of the arena that `armv7em::conv2d` wants: four pixels' taps, as bytes and widened to
/// int16, and 16 bytes an output channel; 0 where the stack has room for them.
pub const fn armv7em_conv2d(conv: &Conv2d) -> usize {
    let pitch = conv.taps().next_multiple_of(4);
    let few = conv.output.height * conv.output.width < 4;
    let bytes = if few {
        3 * pitch
    } else {
        3 * 4 * pitch + 16 * conv.output.channels
    };
    if conv.groups > 1 || bytes <= STACK_BYTES {
        0
    } else {
        bytes
    }
}

/// Bytes of the arena that `armv81m::conv2d` wants: the taps of a pixel that are not one run of the
/// input; 0 where the stack has room for them.
pub const fn armv81m_conv2d(conv: &Conv2d) -> usize {
    let [[rows, columns], [down, across]] = [conv.window.kernel, conv.window.stride];
    let in_place = rows * columns * down * across == 1;
    let bytes = conv.taps().next_multiple_of(4);
    if conv.groups > 1 || in_place || bytes <= STACK_BYTES {
        0
    } else {
        bytes
    }
}

/// Bytes of the arena that `armv81m::depthwise` wants: what its kernel for 3×3 windows does, else the
/// taps of a pixel at an edge, of all channels; 0 where the stack has room for them.
pub const fn armv81m_depthwise(depthwise: &Depthwise) -> usize {
    let bytes = match armv81m_depthwise3x3(depthwise) {
        Some(bytes) => bytes,
        None => depthwise.weights_len().next_multiple_of(4),
    };
    if depthwise.multiplier() > 1 || bytes <= STACK_BYTES {
        0
    } else {
        bytes
    }
}

/// Bytes that `armv81m::depthwise3x3` uses: 336 for sixteen channels, and rows of the input with
/// their padding; `None` for what is not for it.
pub const fn armv81m_depthwise3x3(depthwise: &Depthwise) -> Option<usize> {
    let Depthwise { output, window, .. } = depthwise;
    let [[rows, columns], [down, across]] = [window.kernel, window.dilation];
    let is_3x3 = rows == 3 && columns == 3 && down * across == 1;
    let in_pairs = output.channels == 8 && output.width % 2 == 0 && window.stride[1] == 1;
    let whole = output.channels % 16 == 0 || in_pairs;
    if !is_3x3 || !whole || depthwise.multiplier() > 1 {
        return None;
    }
    Some(output.channels.div_ceil(16) * 336 + armv81m_padded3x3(depthwise))
}

/// Bytes of three rows that a 3×3 window reads, with their padding; 0 if none have any.
pub const fn armv81m_padded3x3(depthwise: &Depthwise) -> usize {
    let Depthwise {
        input,
        output,
        window,
        ..
    } = depthwise;
    let rows = (output.height - 1) * window.stride[0] + 3;
    let columns = (output.width - 1) * window.stride[1] + 3;
    let [above, left] = window.pad;
    if above + left == 0 && rows <= input.height && columns <= input.width {
        0
    } else {
        3 * columns * input.channels
    }
}
