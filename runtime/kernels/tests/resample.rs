//! Bilinear resize and transposed convolution against real arithmetic.

mod support;

use microtome_kernels::cases::Rng;
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::reference::conv_transpose::ConvTranspose;
use microtome_kernels::reference::resize::{ONE, ResizeLinear};
use microtome_kernels::{Constants, Fault, Operator};
use support::{Tensor, error, multiplier, real, run, store};

const fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

fn random(rng: &mut Rng, len: usize) -> Vec<i8> {
    let mut values = vec![0; len];
    rng.fill(&mut values);
    values
}

/// Indices and second weights for half-pixel centres.
fn half_pixel(input: usize, output: usize) -> Vec<(usize, usize, f64)> {
    let at = |out: usize| {
        let center = (out as f64 + 0.5) * input as f64 / output as f64 - 0.5;
        let center = center.clamp(0.0, (input - 1) as f64);
        let low = center as usize;
        (low, (low + 1).min(input - 1), center - low as f64)
    };
    (0..output).map(at).collect()
}

#[test]
fn a_resize_is_within_a_little_more_than_half() {
    let (input, output) = (shape(5, 7, 3), shape(13, 11, 3));
    let mut rng = Rng::new(3);
    let values = random(&mut rng, input.len());
    let rows = half_pixel(input.height, output.height);
    let columns = half_pixel(input.width, output.width);
    let constants = [&rows, &columns].map(|axis| {
        let indices: Vec<i32> = axis
            .iter()
            .flat_map(|&(a, b, _)| [a as i32, b as i32])
            .collect();
        let weight =
            |&(_, _, weight): &(usize, usize, f64)| (weight * f64::from(ONE)).round() as i16;
        let weights: Vec<i16> = axis.iter().map(weight).collect();
        [Tensor::new(&indices), Tensor::new(&weights)]
    });
    let got = run(
        &ResizeLinear { input, output },
        &[Tensor::new(&values)],
        &constants.concat(),
    );
    let mut exact = Vec::new();
    for &(top, bottom, below) in &rows {
        for &(left, other, right) in &columns {
            for channel in 0..3 {
                let at = |y: usize, x: usize| f64::from(values[(y * 7 + x) * 3 + channel]);
                let upper = at(top, left) * (1.0 - right) + at(top, other) * right;
                let lower = at(bottom, left) * (1.0 - right) + at(bottom, other) * right;
                exact.push(upper * (1.0 - below) + lower * below);
            }
        }
    }
    let error = error(&got[0].get(), 1.0, 0, &exact);
    // Half an output, and 2^−12 of each weight times 255.
    assert!(error < 0.5 + 0.13, "{error}");
}

#[test]
fn indices_outside_of_the_input_are_refused() {
    let op = ResizeLinear {
        input: shape(2, 2, 1),
        output: shape(1, 1, 1),
    };
    let check = |indices: [i32; 2], weight: i16| {
        let (indices, weight) = ([indices], [weight]);
        let pair = [
            bytemuck::cast_slice(&indices),
            bytemuck::cast_slice(&weight),
        ];
        op.check_constants(&Constants(pair.into_iter().chain(pair).collect()))
    };
    assert_eq!(check([0, 1], ONE), Ok(()));
    assert_eq!(check([0, 2], ONE), Err(Fault::Number));
    assert_eq!(check([-1, 1], ONE), Err(Fault::Number));
    assert_eq!(check([0, 1], ONE + 1), Err(Fault::Number));
}

#[test]
fn a_transposed_convolution_adds_windows() {
    let (scales, zeros) = ([0.02, 0.09], [-30, 5]);
    let mut rng = Rng::new(4);
    for (groups, stride, dilation, pad) in [(1, 2, 1, 1), (2, 3, 2, 0), (1, 1, 1, 2)] {
        let (input, channels) = (shape(4, 5, 4), 6);
        let side = |input: usize| (input - 1) * stride + 2 * dilation + 1 - 2 * pad + (stride - 1);
        let op = ConvTranspose {
            input,
            output: shape(side(4), side(5), channels),
            window: Window {
                kernel: [3; 2],
                stride: [stride; 2],
                dilation: [dilation; 2],
                pad: [pad; 2],
            },
            groups,
            input_zero: zeros[0],
            store: store(zeros[1]),
        };
        let values = random(&mut rng, input.len());
        let weights = random(&mut rng, channels * op.taps());
        let bias: Vec<i32> = (0..channels).map(|_| rng.int32() >> 20).collect();
        let weight_scales: Vec<f64> = (1..=channels).map(|c| 0.001 * c as f64).collect();
        let factors = weight_scales
            .iter()
            .map(|scale| multiplier(scales[0] * scale / scales[1]));
        let (mantissas, shifts): (Vec<i32>, Vec<i8>) = factors
            .map(|factor| (factor.mantissa, factor.shift))
            .unzip();
        let constants = [
            Tensor::new(&weights),
            Tensor::new(&bias),
            Tensor::new(&mantissas),
            Tensor::new(&shifts),
        ];
        let got = run(&op, &[Tensor::new(&values)], &constants)[0].get();

        // Scatter: each input pixel adds its window.
        let mut sums: Vec<f64> = (0..op.output.len())
            .map(|index| {
                f64::from(bias[index % channels]) * scales[0] * weight_scales[index % channels]
            })
            .collect();
        let values = real(&values, scales[0], zeros[0]);
        let depth = op.group_channels();
        for (index, weight) in weights.iter().enumerate() {
            let (out, tap, from) = (index / op.taps(), index / depth % 9, index % depth);
            let from = out / (channels / groups) * depth + from;
            for pixel in 0..input.height * input.width {
                let place = |at: usize, tap: usize| (at * stride + tap * dilation).checked_sub(pad);
                let (y, x) = (place(pixel / 5, tap / 3), place(pixel % 5, tap % 3));
                let (Some(y), Some(x)) = (y, x) else { continue };
                if y < op.output.height && x < op.output.width {
                    let product =
                        values[pixel * 4 + from] * f64::from(*weight) * weight_scales[out];
                    sums[(y * op.output.width + x) * channels + out] += product;
                }
            }
        }
        let error = error(&got, scales[1], zeros[1], &sums);
        assert!(error < 0.5001, "{error}");
    }
}
