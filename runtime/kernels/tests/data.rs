//! Operators that move elements, by hand.

mod support;

use microtome_kernels::Element;
use microtome_kernels::data::concat::Concat;
use microtome_kernels::data::copy::Copy;
use microtome_kernels::data::delay::Delay;
use microtome_kernels::data::gather::Gather;
use microtome_kernels::data::pad_by::{Fill, PadBy};
use microtome_kernels::data::select::Select;
use microtome_kernels::view::Strides;
use support::{Tensor, dims, reset, run, run_on, view};

const SIX: [i32; 6] = [1, 2, 3, 4, 5, 6];

fn copy(dims: [usize; 6], input: Strides) -> Vec<i32> {
    let op = Copy {
        element: Element::I32,
        dims,
        input,
        input_len: SIX.len(),
    };
    run(&op, &[Tensor::new(&SIX)], &[])[0].get()
}

#[test]
fn a_copy_transposes_slices_flips_and_repeats() {
    // Of [[1, 2, 3], [4, 5, 6]]:
    assert_eq!(copy(dims([3, 2]), view(0, [1, 3])), [1, 4, 2, 5, 3, 6]);
    assert_eq!(copy(dims([2, 2]), view(1, [3, 1])), [2, 3, 5, 6]);
    assert_eq!(copy(dims([2, 3]), view(2, [3, -1])), [3, 2, 1, 6, 5, 4]);
    assert_eq!(
        copy(dims([2, 2, 2]), view(0, [3, 0, 1])),
        [1, 2, 1, 2, 4, 5, 4, 5]
    );
    // Each column twice: a nearest resize.
    assert_eq!(
        copy(dims([1, 3, 2]), view(3, [0, 1, 0])),
        [4, 4, 5, 5, 6, 6]
    );
    assert_eq!(copy(dims([6]), view(0, [1])), SIX);
}

#[test]
fn operands_are_joined_along_an_axis() {
    let op = Concat {
        element: Element::I16,
        outer: 2,
        inner: [1, 2, 0, 0, 0, 0, 0, 0],
    };
    let inputs = [Tensor::new(&[1_i16, 2]), Tensor::new(&[3_i16, 4, 5, 6])];
    assert_eq!(run(&op, &inputs, &[])[0].get::<i16>(), [1, 3, 4, 2, 5, 6]);
}

#[test]
fn indices_count_from_both_ends_and_stay_inside() {
    let indices = Tensor::new(&[2, -3, i32::MAX, i32::MIN]);
    let data = Tensor::new(&SIX);
    let mut op = Gather {
        element: Element::I32,
        outer: 2,
        axis_len: 3,
        inner: 1,
        indices_len: 4,
        constant: false,
    };
    let expected = [3, 1, 3, 1, 6, 4, 6, 4];
    assert_eq!(
        run(&op, &[data.clone(), indices.clone()], &[])[0].get::<i32>(),
        expected
    );
    op.constant = true;
    assert_eq!(run(&op, &[data], &[indices])[0].get::<i32>(), expected);
}

#[test]
fn padding_is_a_value_or_of_the_input() {
    let line = |fill| {
        let op = PadBy {
            element: Element::I16,
            input: dims([3]),
            output: dims([10]),
            before: dims([4]).map(|pad| if pad == 4 { 4 } else { 0 }),
            fill,
        };
        run(&op, &[Tensor::new(&[1_i16, 2, 3])], &[])[0].get::<i16>()
    };
    let value = Fill::Value([7, 0, 0, 0]);
    assert_eq!(line(value), [7, 7, 7, 7, 1, 2, 3, 7, 7, 7]);
    assert_eq!(line(Fill::Edge), [1, 1, 1, 1, 1, 2, 3, 3, 3, 3]);
    assert_eq!(line(Fill::Reflect), [1, 2, 3, 2, 1, 2, 3, 2, 1, 2]);
    assert_eq!(line(Fill::Wrap), [3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
}

#[test]
fn padding_goes_along_every_axis() {
    let op = PadBy {
        element: Element::I8,
        input: dims([2, 2]),
        output: dims([3, 4]),
        before: [0, 0, 0, 0, 1, 1],
        fill: Fill::Reflect,
    };
    let got = run(&op, &[Tensor::new(&[1_i8, 2, 3, 4])], &[])[0].get::<i8>();
    assert_eq!(got, [4, 3, 4, 3, 2, 1, 2, 1, 4, 3, 4, 3]);
}

/// Runs a stream of 12 frames through a delay, in runs of `frames`, and strings what it gives
/// together without the overlap.
fn stream(frames: usize, delay: usize, overlap: usize) -> Vec<i8> {
    let op = Delay {
        element: Element::I8,
        frame_len: 1,
        frames,
        delay,
        overlap,
        fill: -1,
    };
    let mut state = reset(&op);
    let mut given = Vec::new();
    for first in (0..12).step_by(frames) {
        let input: Vec<i8> = (first..first + frames).map(|frame| frame as i8).collect();
        let output = run_on(&op, &[Tensor::new(&input)], &[], &mut state)[0].get::<i8>();
        let history = (0..overlap).map(|back| {
            let at = first as i8 - delay as i8 - overlap as i8 + back as i8;
            at.max(-1)
        });
        assert!(output[..overlap].iter().copied().eq(history), "{output:?}");
        given.extend(&output[overlap..]);
    }
    given
}

#[test]
fn a_stream_is_delayed_in_runs_of_any_length() {
    for frames in [1, 2, 3, 4, 6, 12] {
        for (delay, overlap) in [(1, 0), (0, 2), (3, 2), (7, 1), (2, 7)] {
            let expected = (0..12).map(|frame| (frame - delay as i8).max(-1));
            assert!(stream(frames, delay, overlap).into_iter().eq(expected));
        }
    }
}

#[test]
fn a_condition_chooses() {
    let op = Select {
        element: Element::I32,
        dims: dims([2, 3]),
        condition: view(0, [0, 1]),
        a: view(0, [3, 1]),
        b: view(0, [0, 0]),
    };
    let inputs = [
        Tensor::new(&[1_i8, 0, 1]),
        Tensor::new(&SIX),
        Tensor::new(&[-9]),
    ];
    assert_eq!(run(&op, &inputs, &[])[0].get::<i32>(), [1, -9, 3, 4, -9, 6]);
}
