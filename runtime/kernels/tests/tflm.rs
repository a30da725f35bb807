//! Results that TensorFlow Lite Micro's own reference kernels computed, bit for bit.
//!
//! Source: TFLM at commit 90b983c2 built with `TFLITE_SINGLE_ROUNDING=1`, every layer's output for
//! input 0 of the MLPerf Tiny models kws, ic, vww and ad (`layers_a0_single.npz` beside the golden
//! vectors). Where a layer is large, the test has some of its channels or elements.

use microtome_kernels::num::{Multiplier, Output, Shape, Window};
use microtome_kernels::packing::Packing;
use microtome_kernels::reference::add::Add;
use microtome_kernels::reference::average_pool::{AveragePool, Divide};
use microtome_kernels::reference::conv2d::{Conv2d, ConvConstants};
use microtome_kernels::reference::depthwise::Depthwise;
use microtome_kernels::reference::softmax::Softmax;
use microtome_kernels::view::Broadcast;
use microtome_kernels::{KernelSet, dispatch, generic, reference};

const fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

const fn window(kernel: usize, stride: usize, pad: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        pad: [pad; 2],
    }
}

/// No clamp but that of int8, and the zero point of every layer below.
const STORE: Output = Output {
    zero: -128,
    min: -128,
    max: 127,
};

/// Computes with every kernel set of this machine and compares.
fn check<const N: usize>(expected: [i8; N], compute: impl Fn(&KernelSet, &mut [i8])) {
    for set in [&reference::SET, &generic::SET, dispatch::best()] {
        let mut got = [0; N];
        compute(set, &mut got);
        assert_eq!(got, expected, "{}", set.name);
    }
}

fn check_softmax<const N: usize>(params: [i32; 3], input: [i8; N], expected: [i8; N]) {
    let [mantissa, shift, diff_min] = params;
    let params = Softmax {
        rows: 1,
        depth: N,
        mantissa,
        shift: shift as u8,
        diff_min,
    };
    check(expected, |set, out| (set.softmax)(&params, &input, out));
}

#[test]
fn softmax() {
    // kws, op 12.
    check_softmax(
        [1_242_899_200, 24, -124],
        [-16, -22, -55, -61, 47, 119, -49, -53, 1, -48, -83, 32],
        [
            -128, -128, -128, -128, -128, 127, -128, -128, -128, -128, -128, -128,
        ],
    );
    // ic, op 15.
    check_softmax(
        [1_476_210_432, 24, -124],
        [33, 3, 7, 25, 33, 9, 31, 14, 22, 8],
        [-48, -128, -127, -108, -48, -127, -71, -125, -116, -127],
    );
    // vww, op 30.
    check_softmax([2_011_586_560, 20, -1984], [-66, 61], [-93, 93]);
}

/// ad, op 5: the first eight of 128 features.
#[test]
fn dense() {
    #[rustfmt::skip]
    let weights = [
        -28, -4, -38, 0, -2, 6, -4, 17,
        -21, -14, 3, -8, -3, 11, -8, 25,
        13, 5, 25, 1, 5, 51, 1, -9,
        -17, -6, -11, 5, 36, -7, -4, 11,
        -8, -3, -13, 0, -10, -6, -23, -1,
        12, 1, -9, 55, -31, -2, 4, -4,
        7, -115, 28, -1, 1, -2, -4, -3,
        32, -1, 8, -15, -6, -37, 4, 4,
    ];
    let constants = ConvConstants {
        weights: &weights,
        bias: &[-2820, -116, 2875, -759, -2055, 698, -2825, -593],
        mantissas: &[1_442_237_646; 8],
        shifts: &[-5; 8],
    };
    let params = Conv2d {
        input: shape(1, 1, 8),
        output: shape(1, 1, 8),
        window: window(1, 1, 0),
        groups: 1,
        input_zero: 0,
        store: STORE,
        packing: Packing::ROWS,
        scratch: 0,
    };
    let input = [3, 7, -7, -48, -65, -40, -8, -45];
    check(
        [-128, -128, -112, -128, -128, -119, -128, -90],
        |set, out| {
            (set.conv2d)(&params, &constants, &input, &mut [], out);
        },
    );
}

/// kws, op 1: the first six rows of channel 0.
#[test]
fn depthwise() {
    let constants = ConvConstants {
        weights: &[42, -2, 30, -68, -34, 15, 59, -127, -56],
        bias: &[-17_579],
        mantissas: &[1_117_272_080],
        shifts: &[-6],
    };
    let params = Depthwise {
        input: shape(7, 5, 1),
        output: shape(6, 5, 1),
        window: window(3, 1, 1),
        input_zero: -128,
        store: STORE,
        scratch: 0,
    };
    #[rustfmt::skip]
    let input = [
        -128, -128, -128, -128, -128,
        -97, -128, -128, -128, -124,
        -98, -128, -106, -128, -128,
        -128, -128, -112, -127, -125,
        -128, -128, -125, -127, -127,
        -115, -128, -128, -128, -127,
        -122, -125, -127, -128, -128,
    ];
    #[rustfmt::skip]
    let expected = [
        -128, -109, -124, -126, -128,
        -128, -128, -128, -113, -125,
        -128, -128, -128, -128, -127,
        -125, -108, -128, -125, -126,
        -128, -114, -125, -120, -126,
        -128, -128, -124, -122, -124,
    ];
    check(expected, |set, out| {
        (set.depthwise)(&params, &constants, &input, &mut [], out);
    });
}

/// ic, op 3: the first elements.
#[test]
fn add() {
    let factor = |mantissa, shift| Multiplier { mantissa, shift };
    let params = Add {
        broadcast: Broadcast::flat(16),
        subtract: false,
        zeros: [-128, 4],
        factors: [factor(1_623_821_475, -2), factor(1 << 30, 0)],
        factor: factor(1_098_017_566, -17),
        store: STORE,
    };
    #[rustfmt::skip]
    let a = [
        -113, -120, -110, -120, -115, -124, -115, -113, -123, -120, -124, -110, -109, -128, -128, -91,
    ];
    let b = [13, 4, 24, 2, 2, 1, 13, 2, 0, 2, 24, 5, 7, 7, 7, -4];
    #[rustfmt::skip]
    let expected = [
        -98, -122, -73, -126, -122, -128, -100, -120, -128, -126, -84, -112, -107, -122, -122, -116,
    ];
    check(expected, |set, out| (set.add)(&params, &a, &b, out));
}

/// ic, op 12: channel 3.
#[test]
fn average_pool() {
    let params = AveragePool {
        input: shape(8, 8, 1),
        output: shape(1, 1, 1),
        window: window(8, 8, 0),
        divide: Divide::Count,
        store: STORE,
    };
    let mut input = [-128; 64];
    input[..6].copy_from_slice(&[-124, -118, -125, -125, -125, -125]);
    input[56..58].copy_from_slice(&[-100, -127]);
    check([-127], |set, out| (set.average_pool)(&params, &input, out));
}
