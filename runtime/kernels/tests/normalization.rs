//! Layer, instance and root-mean-square norms against real arithmetic.

mod support;

use microtome_kernels::cases::Rng;
use microtome_kernels::reference::layer_norm::LayerNorm;
use microtome_kernels::view::Strides;
use support::{Tensor, dims, error, multiplier, real, run, store, view};

const EPSILON: f64 = 1e-5;

/// What compilers make of epsilon.
fn epsilon(scale: f64, count: usize) -> u64 {
    let count = count as f64;
    (EPSILON / (scale * scale) * count * count * 256.0).round() as u64
}

fn normalized(values: &[f64], rms: bool) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = if rms {
        0.0
    } else {
        values.iter().sum::<f64>() / count
    };
    let square = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let inverse = 1.0 / (square + EPSILON).sqrt();
    values.iter().map(|x| (x - mean) * inverse).collect()
}

/// Values around any middle, with any spread: a single step at times.
fn row(rng: &mut Rng, len: usize) -> Vec<i8> {
    let middle = rng.int8() / 2;
    let spread = rng.size(0..=6) as u32;
    (0..len)
        .map(|_| middle.saturating_add(rng.int8() >> spread))
        .collect()
}

#[test]
fn a_row_without_gamma_is_within_half_an_output() {
    let mut rng = Rng::new(5);
    let mut worst = 0_f64;
    for case in 0..if cfg!(miri) { 2 } else { 2000 } {
        let (len, rms) = (rng.size(2..=300), case % 2 == 0);
        let scale = 2_f64.powi(-(rng.size(0..=9) as i32)) * 0.9;
        let (zero, out) = (rng.int8(), (0.04, -3));
        let values = row(&mut rng, len);
        let op = LayerNorm {
            dims: dims([len]),
            kept: 5,
            view: Strides::row_major(dims([len])),
            rms,
            zero,
            epsilon: epsilon(scale, len),
            affine: None,
            factor: multiplier(1.0 / (f64::from(1 << 20) * out.0)),
            store: store(out.1),
        };
        let got = run(&op, &[Tensor::new(&values)], &[])[0].get();
        let exact = normalized(&real(&values, scale, zero), rms);
        worst = worst.max(error(&got, out.0, out.1, &exact));
    }
    // Where the variance is a fraction of epsilon, the rounding of epsilon counts.
    println!("{worst}");
    assert!(worst < 0.501, "{worst}");
}

#[test]
fn gamma_and_beta_add_little() {
    const LEN: usize = 96;
    let mut rng = Rng::new(6);
    let mut worst = 0_f64;
    for _ in 0..if cfg!(miri) { 2 } else { 1000 } {
        let scale = 0.03;
        let gamma: Vec<f64> = (0..LEN).map(|_| f64::from(rng.int8()) / 64.0).collect();
        let beta: Vec<f64> = (0..LEN).map(|_| f64::from(rng.int8()) / 40.0).collect();
        let (unit, out) = (2.0 / 32767.0, (0.05, 9));
        let values = row(&mut rng, LEN);
        let op = LayerNorm {
            dims: dims([LEN]),
            kept: 5,
            view: Strides::row_major(dims([LEN])),
            rms: false,
            zero: 0,
            epsilon: epsilon(scale, LEN),
            affine: Some(view(0, [1])),
            factor: multiplier(unit / 256.0 / out.0),
            store: store(out.1),
        };
        let integer: Vec<i16> = gamma
            .iter()
            .map(|gamma| (gamma / unit).round() as i16)
            .collect();
        let added: Vec<i32> = beta
            .iter()
            .map(|beta| (beta * 256.0 / unit).round() as i32)
            .collect();
        let constants = [Tensor::new(&integer), Tensor::new(&added)];
        let got = run(&op, &[Tensor::new(&values)], &constants)[0].get();
        let row = normalized(&real(&values, scale, 0), false);
        let exact: Vec<f64> = (0..LEN).map(|at| row[at] * gamma[at] + beta[at]).collect();
        worst = worst.max(error(&got, out.0, out.1, &exact));
    }
    println!("{worst}");
    assert!(worst < 0.51, "{worst}");
}

#[test]
fn an_instance_norm_goes_over_pixels() {
    const PIXELS: usize = 50;
    const CHANNELS: usize = 4;
    let mut rng = Rng::new(7);
    let values: Vec<i8> = row(&mut rng, PIXELS * CHANNELS);
    let (scale, out) = (0.1, 0.03);
    let gamma = [1.0, 0.5, -0.75, 0.1];
    let op = LayerNorm {
        dims: dims([CHANNELS, PIXELS]),
        kept: 5,
        view: view(0, [1, CHANNELS as isize]),
        rms: false,
        zero: 0,
        epsilon: epsilon(scale, PIXELS),
        affine: Some(view(0, [1, 0])),
        factor: multiplier(1.0 / 32767.0 / 256.0 / out),
        store: store(0),
    };
    let integer = gamma.map(|gamma| (gamma * 32767.0_f64).round() as i16);
    let constants = [Tensor::new(&integer), Tensor::new(&[0_i32; CHANNELS])];
    let got = run(&op, &[Tensor::new(&values)], &constants)[0].get();
    let values = real(&values, scale, 0);
    let mut exact = vec![0.0; values.len()];
    for channel in 0..CHANNELS {
        let own: Vec<f64> = values
            .iter()
            .copied()
            .skip(channel)
            .step_by(CHANNELS)
            .collect();
        for (pixel, value) in normalized(&own, false).into_iter().enumerate() {
            exact[pixel * CHANNELS + channel] = value * gamma[channel];
        }
    }
    let error = error(&got, out, 0, &exact);
    assert!(error < 0.51, "{error}");
}

#[test]
fn what_is_all_the_same_becomes_zero() {
    let op = LayerNorm {
        dims: dims([4]),
        kept: 0,
        view: Strides::row_major(dims([4])),
        rms: false,
        zero: 0,
        epsilon: 0,
        affine: None,
        factor: multiplier(1.0),
        store: store(17),
    };
    let got = run(&op, &[Tensor::new(&[9_i8; 4])], &[]);
    assert_eq!(got[0].get::<i8>(), [17; 4]);
}
