use microtome_kernels::float::{
    conv2d::*, depthwise::*, math, matmul::*, softmax::*, source::Source, unary::*,
};
use microtome_kernels::generic::SET;
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::view::Strides;
fn cpu() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .unwrap()
        .split(" ")
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
fn time(name: &str, macs: usize, mut f: impl FnMut()) {
    f();
    let mut best = f64::MAX;
    for _ in 0..7 {
        let t = cpu();
        f();
        std::thread::yield_now();
        best = best.min((cpu() - t) / 1e9);
    }
    println!(
        "{name}: {:.3} ms, {:.2} GMAC/s",
        best * 1e3,
        macs as f64 / best / 1e9
    );
}
fn main() {
    let sh = |height, width, channels| Shape {
        height,
        width,
        channels,
    };
    let conv = |h, w, i, o, k: usize, s: usize, g| ConvF32 {
        input: sh(h, w, i),
        output: sh(h / s, w / s, o),
        window: Window {
            kernel: [k, k],
            stride: [s, s],
            dilation: [1, 1],
            pad: [k / 2, k / 2],
        },
        groups: g,
        min: 0.0,
        max: 6.0,
        weights: Source::Constant,
        bias: Source::Constant,
    };
    for (name, p) in [
        ("conv3x3 56 64-64", conv(56, 56, 64, 64, 3, 1, 1)),
        ("3x3 28 16-64", conv(28, 28, 16, 64, 3, 1, 1)),
        ("3x3 28 32-64", conv(28, 28, 32, 64, 3, 1, 1)),
        ("3x3 28 48-64", conv(28, 28, 48, 64, 3, 1, 1)),
        ("1x1 14 192-512", conv(14, 14, 192, 512, 1, 1, 1)),
        ("1x1 14 256-512", conv(14, 14, 256, 512, 1, 1, 1)),
        ("1x1 14 320-512", conv(14, 14, 320, 512, 1, 1, 1)),
        ("1x1 14 400-512", conv(14, 14, 400, 512, 1, 1, 1)),
        ("1x1 14 512-512", conv(14, 14, 512, 512, 1, 1, 1)),
        ("1x1 14 528-512", conv(14, 14, 528, 512, 1, 1, 1)),
    ] {
        use microtome_kernels::Operator;
        let input = vec![0.5; p.input.len()];
        let weights = vec![0.25; p.output.channels * p.taps()];
        let bias = vec![0.1; p.output.channels];
        let mut out = vec![0.0; p.output.len()];
        let mut scratch = vec![0.0; p.scratch_bytes() / 4];
        let macs = p.macs();
        time(name, macs, || {
            (SET.conv2d_f32)(
                &p,
                &ConvReads {
                    input: &input,
                    weights: &weights,
                    bias: &bias,
                },
                &mut scratch,
                &mut out,
            )
        });
    }
    let p = DepthwiseF32 {
        input: sh(56, 56, 144),
        output: sh(56, 56, 144),
        window: Window {
            kernel: [3, 3],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [1, 1],
        },
        min: 0.0,
        max: 6.0,
        weights: Source::Constant,
        bias: Source::Constant,
    };
    let input = vec![0.5; p.input.len()];
    let weights = vec![0.25; 9 * 144];
    let bias = vec![0.1; 144];
    let mut out = vec![0.0; p.output.len()];
    time("depthwise 56 144", 56 * 56 * 144 * 9, || {
        (SET.depthwise_f32)(
            &p,
            &ConvReads {
                input: &input,
                weights: &weights,
                bias: &bias,
            },
            &mut out,
        )
    });
    for (m, t) in [(256, false), (256, true), (1, false), (1, true)] {
        let (k, n) = (320, 1280);
        let p = MatMulF32 {
            batch: [1; 4],
            rows: m,
            depth: k,
            columns: n,
            a: Strides {
                offset: 0,
                strides: [0, 0, 0, 0, k as isize, 1],
            },
            b: Strides {
                offset: 0,
                strides: if t {
                    [0, 0, 0, 0, 1, k as isize]
                } else {
                    [0, 0, 0, 0, n as isize, 1]
                },
            },
            a_len: m * k,
            b_len: k * n,
            a_source: Source::Operand,
            b_source: Source::Constant,
        };
        use microtome_kernels::Operator;
        let (a, b) = (vec![0.5; m * k], vec![0.25; k * n]);
        let mut scratch = vec![0.0; p.scratch_bytes() / 4];
        let mut out = vec![0.0; m * n];
        time(
            &format!("matmul {m}x{k}x{n} transposed {t}"),
            m * k * n,
            || (SET.matmul_f32)(&p, [&a, &b], &mut scratch, &mut out),
        );
    }
    let mut v = vec![0.5f32; 1 << 20];
    for kind in [
        UnaryKind::Exp,
        UnaryKind::Sigmoid,
        UnaryKind::Tanh,
        UnaryKind::Gelu,
        UnaryKind::Relu,
        UnaryKind::Sin,
    ] {
        v.iter_mut()
            .enumerate()
            .for_each(|(i, x)| *x = (i % 400) as f32 * 0.01 - 2.0);
        time(&format!("{kind:?} 1M"), 1 << 20, || {
            Function::plain(kind).apply(&mut v)
        });
    }
    let _ = math::exp(1.0);
    let _ = SoftmaxKind::Softmax;
}
