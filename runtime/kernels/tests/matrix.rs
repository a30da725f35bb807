//! Matrix products, reductions and indices against real arithmetic.

mod support;

use microtome_kernels::cases::Rng;
use microtome_kernels::reference::arg_max::ArgMax;
use microtome_kernels::reference::mat_mul::MatMul;
use microtome_kernels::reference::reduce::{Fold, Reduce};
use microtome_kernels::view::Strides;
use microtome_kernels::{Fault, Operator};
use support::{Tensor, dims, error, multiplier, real, run, store, view};

fn random(rng: &mut Rng, len: usize) -> Vec<i8> {
    let mut values = vec![0; len];
    rng.fill(&mut values);
    values
}

/// Queries times keys, `[token][head][element]` both, to `[head][query][key]`: attention's scores.
#[test]
fn scores_of_attention_need_no_transpose() {
    const HEADS: usize = 2;
    const TOKENS: usize = 19;
    const SIZE: usize = 24;
    let mut rng = Rng::new(1);
    let [a, b] = [(); 2].map(|()| random(&mut rng, TOKENS * HEADS * SIZE));
    let (scales, zeros) = ([0.03, 0.05, 0.4], [4, -9, 11]);
    let (token, head) = ((HEADS * SIZE) as isize, SIZE as isize);
    let op = MatMul {
        dims: dims([HEADS, TOKENS, SIZE, TOKENS]),
        a: view(0, [head, token, 1, 0]),
        b: view(0, [head, 0, 1, token]),
        zeros: [zeros[0], zeros[1]],
        factor: multiplier(scales[0] * scales[1] / scales[2]),
        store: store(zeros[2]),
    };
    let got = run(&op, &[Tensor::new(&a), Tensor::new(&b)], &[])[0].get();
    let (a, b) = (real(&a, scales[0], zeros[0]), real(&b, scales[1], zeros[1]));
    let mut exact = Vec::new();
    for head in 0..HEADS {
        for query in 0..TOKENS {
            for key in 0..TOKENS {
                let at = |token: usize| (token * HEADS + head) * SIZE;
                let products = (0..SIZE).map(|k| a[at(query) + k] * b[at(key) + k]);
                exact.push(products.sum());
            }
        }
    }
    let error = error(&got, scales[2], zeros[2], &exact);
    assert!(error < 0.5001, "{error}");
}

#[test]
fn a_small_product_is_as_by_hand() {
    let op = MatMul {
        dims: dims([2, 2, 3]),
        a: view(0, [2, 1, 0]),
        b: view(0, [0, 3, 1]),
        zeros: [1, 0],
        factor: multiplier(1.0),
        store: store(0),
    };
    // [[1, 2], [3, 4]] is [[0, 1], [2, 3]] about its zero point.
    let inputs = [
        Tensor::new(&[1_i8, 2, 3, 4]),
        Tensor::new(&[1_i8, 2, 3, 4, 5, 6]),
    ];
    assert_eq!(run(&op, &inputs, &[])[0].get::<i8>(), [4, 5, 6, 14, 19, 24]);
}

#[test]
fn a_sum_that_int32_may_not_hold_is_refused() {
    let op = |inner, zeros| MatMul {
        dims: dims([1, inner, 1]),
        a: view(0, [0, 1, 0]),
        b: view(0, [0, 1, 0]),
        zeros,
        factor: multiplier(1.0),
        store: store(0),
    };
    assert_eq!(op(1 << 16, [0, 0]).check(), Ok(()));
    assert_eq!(op(1 << 15, [-128, 127]).check(), Ok(()));
    assert_eq!(op(1 << 16, [-128, 127]).check(), Err(Fault::Size));
}

#[test]
fn means_are_within_half_an_output() {
    let mut rng = Rng::new(2);
    let values = random(&mut rng, 5 * 7 * 6);
    let (scales, zeros) = ([0.03, 0.011], [-7, 40]);
    // Of [5][7][6], the mean over the first and the last axis.
    let op = Reduce {
        dims: dims([7, 5, 6]),
        kept: 4,
        input: view(0, [6, 42, 1]),
        fold: Fold::Sum {
            zero: zeros[0],
            factor: multiplier(scales[0] / (30.0 * scales[1])),
            store: store(zeros[1]),
        },
    };
    let got = run(&op, &[Tensor::new(&values)], &[])[0].get();
    let values = real(&values, scales[0], zeros[0]);
    let mean = |middle: usize| {
        let at = (0..5).flat_map(|a| (0..6).map(move |c| (a * 7 + middle) * 6 + c));
        at.map(|at| values[at]).sum::<f64>() / 30.0
    };
    let exact: Vec<f64> = (0..7).map(mean).collect();
    let error = error(&got, scales[1], zeros[1], &exact);
    assert!(error < 0.5001, "{error}");
}

#[test]
fn extrema_of_an_axis_are_exact() {
    let values: [i8; 6] = [3, -5, 9, -128, 127, 0];
    let op = |fold| Reduce {
        dims: dims([2, 3]),
        kept: 5,
        input: Strides::row_major(dims([2, 3])),
        fold,
    };
    let input = [Tensor::new(&values)];
    assert_eq!(run(&op(Fold::Max), &input, &[])[0].get::<i8>(), [9, 127]);
    assert_eq!(run(&op(Fold::Min), &input, &[])[0].get::<i8>(), [-5, -128]);
}

#[test]
fn the_first_or_the_last_of_equals_is_the_extremum() {
    let values: [i8; 10] = [4, 1, 7, 1, 7, 1, 4, 9, 1, 9];
    let index = |maximum, last| {
        let op = ArgMax {
            outer: 1,
            len: 5,
            inner: 2,
            maximum,
            last,
        };
        run(&op, &[Tensor::new(&values)], &[])[0].get::<i32>()
    };
    // The columns are 4 7 7 4 1 and 1 1 1 9 9.
    assert_eq!(index(true, false), [1, 3]);
    assert_eq!(index(true, true), [2, 4]);
    assert_eq!(index(false, false), [4, 0]);
    assert_eq!(index(false, true), [4, 2]);
}
