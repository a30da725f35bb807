//! How much scratch kernels for microcontrollers want, which a compiler on any machine asks.

use crate::reference::conv2d::Conv2d;
use crate::reference::depthwise::Depthwise;

/// Bytes of stack that one kernel uses for scratch, besides its frame; what needs more has all of it
/// from the arena.
pub const STACK_BYTES: usize = 2048;

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
    let [rows, columns] = conv.window.kernel;
    let bytes = conv.taps().next_multiple_of(4);
    if conv.groups > 1 || rows * columns == 1 || bytes <= STACK_BYTES {
        0
    } else {
        bytes
    }
}

/// Bytes of the arena that `armv81m::depthwise` wants: the taps of a pixel at an edge, of all
/// channels; 0 where the stack has room for them.
pub const fn armv81m_depthwise(depthwise: &Depthwise) -> usize {
    let bytes = depthwise.weights_len().next_multiple_of(4);
    if depthwise.multiplier() > 1 || bytes <= STACK_BYTES {
        0
    } else {
        bytes
    }
}
