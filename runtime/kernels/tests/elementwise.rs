//! Element-wise operators against real arithmetic.

mod support;

use microtome_kernels::reference::add::{Add, LEFT_SHIFT};
use microtome_kernels::reference::compare::{Compare, Relation};
use microtome_kernels::reference::div::Div;
use microtome_kernels::reference::extremum::Extremum;
use microtome_kernels::reference::log_softmax::LogSoftmax;
use microtome_kernels::reference::lookup::Lookup;
use microtome_kernels::reference::mul::Mul;
use microtome_kernels::reference::prelu::PRelu;
use microtome_kernels::reference::softmax::Softmax;
use microtome_kernels::view::Broadcast;
use support::{Tensor, dims, error, multiplier, real, run, store};

/// Between neighbours of [`pairs`]: Miri is slow.
const STEP: usize = if cfg!(miri) { 51 } else { 1 };

/// Every pair of int8.
fn pairs() -> (Vec<i8>, Vec<i8>) {
    let all = (i8::MIN..=i8::MAX).step_by(STEP);
    all.clone()
        .flat_map(|a| all.clone().map(move |b| (a, b)))
        .unzip()
}

fn run_pairs(op: &dyn microtome_kernels::Operator, constants: &[Tensor]) -> Vec<i8> {
    let (a, b) = pairs();
    run(op, &[Tensor::new(&a), Tensor::new(&b)], constants)[0].get()
}

fn real_pairs(scales: [f64; 2], zeros: [i8; 2]) -> impl Iterator<Item = (f64, f64)> {
    let (a, b) = pairs();
    real(&a, scales[0], zeros[0])
        .into_iter()
        .zip(real(&b, scales[1], zeros[1]))
}

const FLAT: usize = 256_usize.div_ceil(STEP).pow(2);

fn add(subtract: bool, broadcast: Broadcast, scales: [f64; 3], zeros: [i8; 3]) -> Add {
    let twice = 2.0 * scales[0].max(scales[1]);
    Add {
        broadcast,
        subtract,
        zeros: [zeros[0], zeros[1]],
        factors: [multiplier(scales[0] / twice), multiplier(scales[1] / twice)],
        factor: multiplier(twice / (f64::from(1 << LEFT_SHIFT) * scales[2])),
        store: store(zeros[2]),
    }
}

#[test]
fn sums_and_differences_are_within_half_an_output() {
    let (scales, zeros) = ([0.05, 0.031, 0.11], [3, -128, 7]);
    for subtract in [false, true] {
        let op = add(subtract, Broadcast::flat(FLAT), scales, zeros);
        let sign = if subtract { -1.0 } else { 1.0 };
        let pairs = real_pairs([scales[0], scales[1]], [zeros[0], zeros[1]]);
        let exact: Vec<f64> = pairs.map(|(a, b)| a + sign * b).collect();
        let error = error(&run_pairs(&op, &[]), scales[2], zeros[2], &exact);
        assert!(error < 0.501, "{error}");
    }
}

#[test]
fn an_operand_is_repeated_along_its_axes_of_one_element() {
    let a: [i8; 6] = [1, 2, 3, 4, 5, 6];
    let all = dims([2, 3]);
    let cases: [(&[i8], [usize; 6], [i8; 6]); 4] = [
        (&[10, 20, 30], dims([1, 3]), [11, 22, 33, 14, 25, 36]),
        (&[10, 20], dims([2, 1]), [11, 12, 13, 24, 25, 26]),
        (&[10], dims([1, 1]), [11, 12, 13, 14, 15, 16]),
        (&[1, 2, 3, 4, 5, 6], all, [2, 4, 6, 8, 10, 12]),
    ];
    for (b, of, expected) in cases {
        let broadcast = Broadcast::of(all, [all, of]);
        let op = add(false, broadcast, [1.0; 3], [0; 3]);
        let sum = run(&op, &[Tensor::new(&a), Tensor::new(b)], &[])[0].get::<i8>();
        assert_eq!(sum, expected);
    }
    assert!(Broadcast::of(all, [all, all]).is_flat());
}

#[test]
fn products_are_within_half_an_output() {
    let (scales, zeros) = ([0.02, 0.07, 0.09], [-5, 90, -20]);
    let op = Mul {
        broadcast: Broadcast::flat(FLAT),
        zeros: [zeros[0], zeros[1]],
        factor: multiplier(scales[0] * scales[1] / scales[2]),
        store: store(zeros[2]),
    };
    let pairs = real_pairs([scales[0], scales[1]], [zeros[0], zeros[1]]);
    let exact: Vec<f64> = pairs.map(|(a, b)| a * b).collect();
    let error = error(&run_pairs(&op, &[]), scales[2], zeros[2], &exact);
    assert!(error < 0.5001, "{error}");
}

#[test]
fn quotients_are_within_half_an_output() {
    for (scales, zeros) in [
        ([0.02, 0.07, 0.01], [-5, 90, -20]),
        ([0.5, 0.003, 4.0], [0, -128, 0]),
        ([900.0, 0.001, 0.1], [0, 5, 0]),
    ] {
        let op = Div {
            broadcast: Broadcast::flat(FLAT),
            zeros: [zeros[0], zeros[1]],
            store: store(zeros[2]),
        };
        let scale = multiplier(scales[0] / (scales[1] * scales[2]));
        let (mantissas, shifts) = Div::factors(scale, zeros[1]);
        let constants = [Tensor::new(&mantissas), Tensor::new(&shifts)];
        let pairs = real_pairs([scales[0], scales[1]], [zeros[0], zeros[1]]);
        // 0 / 0 is defined as 0.
        let quotient = |(a, b): (f64, f64)| if a == 0.0 { 0.0 } else { a / b };
        let exact: Vec<f64> = pairs.map(quotient).collect();
        let error = error(&run_pairs(&op, &constants), scales[2], zeros[2], &exact);
        assert!(error < 0.5001, "{error}");
    }
}

#[test]
fn extrema_are_exact() {
    let (a, b) = pairs();
    for maximum in [false, true] {
        let broadcast = Broadcast::flat(FLAT);
        let got = run_pairs(&Extremum { maximum, broadcast }, &[]);
        let expected = a
            .iter()
            .zip(&b)
            .map(|(&a, &b)| if maximum { a.max(b) } else { a.min(b) });
        assert!(got.into_iter().eq(expected));
    }
}

#[test]
fn every_value_is_looked_up() {
    let values: Vec<i8> = (i8::MIN..=i8::MAX).collect();
    let table: Vec<i8> = values.iter().map(|x| x.wrapping_mul(3)).collect();
    let got = run(
        &Lookup { len: 256 },
        &[Tensor::new(&values)],
        &[Tensor::new(&table)],
    );
    assert_eq!(got[0].get::<i8>(), table);
}

#[test]
fn slopes_below_zero_are_each_channels_own() {
    const SLOPES: [f64; 3] = [0.25, -1.5, 0.01];
    const SLOPE: f64 = 1.5 / 32767.0;
    let (scales, zeros) = ([0.04, 0.05], [10, -3]);
    let values: Vec<i8> = (0..256 * 3).map(|index| (index / 3 - 128) as i8).collect();
    let op = PRelu {
        broadcast: Broadcast::of(dims([256, 3]), [dims([256, 3]), dims([1, 3])]),
        zero: zeros[0],
        positive: multiplier(scales[0] / scales[1]),
        negative: multiplier(scales[0] * SLOPE / scales[1]),
        store: store(zeros[1]),
    };
    let slopes = SLOPES.map(|slope| (slope / SLOPE).round() as i16);
    let got = run(&op, &[Tensor::new(&values)], &[Tensor::new(&slopes)])[0].get();
    let exact: Vec<f64> = real(&values, scales[0], zeros[0])
        .into_iter()
        .enumerate()
        .map(|(index, x)| if x < 0.0 { x * SLOPES[index % 3] } else { x })
        .collect();
    let error = error(&got, scales[1], zeros[1], &exact);
    // Half an output, and half a slope's step times the input.
    assert!(error < 0.505, "{error}");
}

#[test]
fn comparisons_are_those_of_real_numbers() {
    type Holds = fn(&f64, &f64) -> bool;
    let relations: [(Relation, Holds); 6] = [
        (Relation::Equal, f64::eq),
        (Relation::NotEqual, f64::ne),
        (Relation::Less, f64::lt),
        (Relation::LessOrEqual, f64::le),
        (Relation::Greater, f64::gt),
        (Relation::GreaterOrEqual, f64::ge),
    ];
    // Binary fractions, so that equals are equal in float, too.
    let (scales, zeros) = ([0.5, 0.375], [3, -100]);
    for (relation, holds) in relations {
        let op = Compare {
            broadcast: Broadcast::flat(FLAT),
            relation,
            zeros,
            factors: [multiplier(0.5), multiplier(0.375)],
        };
        let got = run_pairs(&op, &[]);
        let expected = real_pairs(scales, zeros).map(|(a, b)| i8::from(holds(&a, &b)));
        assert!(got.into_iter().eq(expected), "{relation:?}");
    }
}

#[test]
fn logarithms_of_softmax_are_close() {
    const DEPTH: usize = 40;
    let (scale, out) = (0.07, (16.0 / 256.0, 127));
    let mut rng = microtome_kernels::cases::Rng::new(12);
    let mut values = vec![0; 50 * DEPTH];
    rng.fill(&mut values);
    let argument = multiplier(scale * f64::from(1 << 26));
    let op = LogSoftmax {
        softmax: Softmax {
            rows: 50,
            depth: DEPTH,
            mantissa: argument.mantissa,
            shift: argument.shift as u8,
            diff_min: -255,
        },
        argument: multiplier(scale * 65536.0),
        factor: multiplier(1.0 / 65536.0 / out.0),
        store: store(out.1),
    };
    let got = run(&op, &[Tensor::new(&values)], &[])[0].get();
    let mut exact = Vec::new();
    for row in real(&values, scale, 0).chunks_exact(DEPTH) {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        exact.extend(row.iter().map(|x| x - sum.ln()));
    }
    let error = error(&got, out.0, out.1, &exact);
    assert!(error < 0.502, "{error}");
}
