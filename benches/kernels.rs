//! Multiply–accumulates a second of the kernel sets that this machine runs, on layers of the MLPerf
//! Tiny models.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use microtome_kernels::cases::Rng;
use microtome_kernels::dispatch;
use microtome_kernels::num::{Output, Shape, Window};
use microtome_kernels::packing::Packing;
use microtome_kernels::reference::conv2d::{Conv2d, ConvConstants};
use microtome_kernels::reference::depthwise::Depthwise;
use microtome_kernels::set::{Convolution, KernelSet};
use microtome_plan::Target;
use std::hint::black_box;

const STORE: Output = Output {
    zero: -128,
    min: -128,
    max: 127,
};

/// The sets that this machine runs, but for the portable one where there is a faster one.
fn sets() -> Vec<&'static KernelSet> {
    #[cfg(target_arch = "x86_64")]
    let all: Vec<_> = dispatch::x86_64().collect();
    #[cfg(not(target_arch = "x86_64"))]
    let all = Vec::new();
    if all.is_empty() {
        vec![dispatch::best()]
    } else {
        all
    }
}

fn kernels(criterion: &mut Criterion) {
    for set in sets() {
        layers(criterion, set);
    }
}

fn layers(criterion: &mut Criterion, set: &KernelSet) {
    let layers = [
        ("conv 3x3 16 to 16, 32x32 (ic)", [32, 32, 16], 16, 3),
        ("conv 3x3 64 to 64, 8x8 (ic)", [8, 8, 64], 64, 3),
        ("conv 1x1 64 to 64, 25x5 (kws)", [25, 5, 64], 64, 1),
        ("conv 1x1 8 to 16, 48x48 (vww)", [48, 48, 8], 16, 1),
        ("dense 640 to 128 (ad)", [1, 1, 640], 128, 1),
    ];
    for (name, input, channels, kernel) in layers {
        let input = shape(input);
        let params = Conv2d {
            input,
            output: Shape { channels, ..input },
            window: same(kernel),
            groups: 1,
            input_zero: -128,
            store: STORE,
            packing: Packing::ROWS,
            scratch: 0,
        };
        let packing = Target::of_this_host().packing(&params);
        let params = Conv2d { packing, ..params };
        let lens = [params.weights_len(), input.len(), params.output.len()];
        let bench = Bench::new(name, params.macs(), lens, channels);
        bench.run(criterion, set, set.conv2d, &params);
    }
    for (name, input) in [
        ("depthwise 3x3 64, 25x5 (kws)", [25, 5, 64]),
        ("depthwise 3x3 8, 48x48 (vww)", [48, 48, 8]),
    ] {
        let input = shape(input);
        let params = Depthwise {
            input,
            output: input,
            window: same(3),
            input_zero: -128,
            store: STORE,
            scratch: 0,
        };
        let lens = [params.weights_len(), input.len(), input.len()];
        let bench = Bench::new(name, params.macs(), lens, input.channels);
        bench.run(criterion, set, set.depthwise, &params);
    }
}

const fn shape([height, width, channels]: [usize; 3]) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

/// A window that keeps rows and columns.
const fn same(kernel: usize) -> Window {
    Window {
        kernel: [kernel; 2],
        stride: [1; 2],
        dilation: [1; 2],
        pad: [kernel / 2; 2],
    }
}

/// A layer with random operands.
struct Bench {
    name: &'static str,
    macs: usize,
    weights: Vec<i8>,
    input: Vec<i8>,
    output: Vec<i8>,
    channels: usize,
}

impl Bench {
    fn new(name: &'static str, macs: usize, lens: [usize; 3], channels: usize) -> Self {
        let [mut weights, mut input, output] = lens.map(|len| vec![0; len]);
        let mut rng = Rng::new(1);
        rng.fill(&mut weights);
        rng.fill(&mut input);
        Self {
            name,
            macs,
            weights,
            input,
            output,
            channels,
        }
    }

    fn run<P>(
        mut self,
        criterion: &mut Criterion,
        set: &KernelSet,
        kernel: Convolution<P>,
        params: &P,
    ) {
        let [bias, mantissas] = [0, 1 << 30].map(|value| vec![value; self.channels]);
        let constants = ConvConstants {
            weights: &self.weights,
            bias: &bias,
            mantissas: &mantissas,
            shifts: &vec![-8; self.channels],
        };
        let mut group = criterion.benchmark_group(set.name);
        group.throughput(Throughput::Elements(self.macs as u64));
        group.bench_function(self.name, |bencher| {
            bencher.iter(|| {
                let input = black_box(&self.input);
                kernel(params, &constants, input, &mut [], &mut self.output);
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = kernels
}
criterion_main!(benches);
