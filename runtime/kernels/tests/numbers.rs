//! The arithmetic of `docs/numerics.md` at its edges.

use microtome_kernels::fixed;
use microtome_kernels::num::{Inside, Multiplier, Output, Window};

const HALF: Multiplier = Multiplier {
    mantissa: 1 << 30,
    shift: 0,
};

#[test]
fn factors_round_half_up() {
    let halves = [-5, -4, -3, -2, -1, 0, 1, 2, 3].map(|acc| HALF.apply(acc));
    assert_eq!(halves, [-2, -2, -1, -1, 0, 0, 1, 1, 2]);
}

#[test]
fn factors_at_their_limits() {
    let apply = |mantissa, shift, acc| Multiplier { mantissa, shift }.apply(acc);
    assert_eq!(apply(i32::MAX, 0, i32::MAX), i32::MAX - 1);
    assert_eq!(apply(i32::MAX, -31, i32::MIN), -1);
    assert_eq!(apply(1 << 30, -31, i32::MIN), 0);
    assert_eq!(apply(1 << 30, 30, 3), 3 << 29);
    // Beyond int32 the low 32 bits remain.
    assert_eq!(apply(1 << 30, 30, 8), 0);
    assert_eq!(apply(0, 30, i32::MAX), 0);
}

#[test]
fn outputs_add_the_zero_point_before_they_are_clamped() {
    let output = Output {
        zero: -10,
        min: -10,
        max: 100,
    };
    let stored = [-1, 0, 1, 110, 111, i32::MAX].map(|scaled| output.store(scaled));
    assert_eq!(stored, [-10, -10, -9, 100, 100, 100]);
    // The addition wraps.
    assert_eq!(output.store(i32::MIN), 100);
}

#[test]
fn divisions_round_half_away_from_zero() {
    let quarters = [-6, -5, -2, -1, 1, 2, 5, 6].map(|x| fixed::divide_by_power(x, 2));
    assert_eq!(quarters, [-2, -1, -1, 0, 0, 1, 1, 2]);
    assert_eq!(fixed::divide_by_power(i32::MAX, 32), 0);
}

#[test]
fn the_exponential_and_the_reciprocal_are_close() {
    let unit = f64::from(1 << 26);
    for x in (-(31 << 26)..=0).step_by(99_991) {
        let got = f64::from(fixed::exp(x)) / 2_f64.powi(31);
        let exact = (f64::from(x) / unit).exp();
        assert!((got - exact).abs() < 1e-6, "{x}");
    }
    for x in (0..i32::MAX).step_by(99_991) {
        let got = f64::from(fixed::one_over_one_plus(x)) / 2_f64.powi(31);
        let exact = 1.0 / (1.0 + f64::from(x) / 2_f64.powi(31));
        assert!((got - exact).abs() < 1e-7, "{x}");
    }
}

#[test]
fn the_taps_inside_are_those_that_have_a_place() {
    for seed in 0..6_usize.pow(5) {
        let digit = |place: u32| seed / 6_usize.pow(place) % 6;
        let [kernel, dilation] = [digit(0) + 1, digit(1) % 3 + 1];
        let window = Window {
            kernel: [kernel; 2],
            stride: [digit(2) % 3 + 1; 2],
            dilation: [dilation; 2],
            pad: [digit(3).min((kernel - 1) * dilation); 2],
        };
        let (extent, out) = (digit(4) + 1, digit(1));
        let inside = window.inside(0, out, extent);
        for tap in 0..kernel {
            let at = window.tap(0, out, tap, extent);
            assert_eq!(
                at,
                place(inside, tap, dilation),
                "{window:?} {out} {extent}"
            );
        }
    }
}

fn place(inside: Inside, tap: usize, dilation: usize) -> Option<usize> {
    (inside.start..inside.end)
        .contains(&tap)
        .then(|| inside.origin + (tap - inside.start) * dilation)
}

#[test]
fn the_inverse_root_is_close() {
    assert_eq!(fixed::inverse_sqrt(0), None);
    let mut worst = 0_f64;
    let mut check = |x: u64| {
        let (mantissa, exponent) = fixed::inverse_sqrt(x).expect("it is not 0");
        let got = f64::from(mantissa) / 2_f64.powi(30 + exponent as i32);
        let exact = 1.0 / (x as f64).sqrt();
        worst = worst.max((got / exact - 1.0).abs());
    };
    let mut x = 1_u64;
    while x < u64::MAX / 3 * 2 {
        check(x);
        x += x / if cfg!(miri) { 3 } else { 101 } + 1;
    }
    check(u64::MAX);
    (1..if cfg!(miri) { 200 } else { 20_000 }).for_each(check);
    assert!(worst < 2_f64.powi(-28), "{worst}");
}

#[test]
fn gates_are_close() {
    let (mut tanh_worst, mut sigmoid_worst) = (0_f64, 0_f64);
    for x in (-(12 << 16)..=12 << 16).step_by(if cfg!(miri) { 997 } else { 7 }) {
        let real = f64::from(x) / 65536.0;
        let one = f64::from(fixed::ONE_Q15);
        tanh_worst = tanh_worst.max((f64::from(fixed::tanh(x)) / one - real.tanh()).abs());
        let sigmoid = 1.0 / (1.0 + (-real).exp());
        sigmoid_worst = sigmoid_worst.max((f64::from(fixed::sigmoid(x)) / one - sigmoid).abs());
    }
    assert!(tanh_worst < 1.3e-4, "{tanh_worst}");
    assert!(sigmoid_worst < 8e-5, "{sigmoid_worst}");
    assert_eq!(fixed::tanh(i32::MIN), -fixed::ONE_Q15);
    assert_eq!(fixed::sigmoid(i32::MIN), 0);
    assert_eq!(fixed::sigmoid(i32::MAX), fixed::ONE_Q15);
}
