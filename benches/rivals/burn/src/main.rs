//! `rivals-burn MODEL RUNS`: the time of each run in microseconds, one a line, after a warm-up.

fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("MODEL RUNS");
    let (model, runs) = (next(), next());
    let runs: usize = runs.parse().expect("RUNS is a number");
    time(&model, runs);
}

mod models {
    pub mod mobilenetv2 {
        include!(concat!(env!("OUT_DIR"), "/model/mobilenetv2.rs"));
    }
    pub mod unet {
        include!(concat!(env!("OUT_DIR"), "/model/unet.rs"));
    }
    pub mod encoder {
        include!(concat!(env!("OUT_DIR"), "/model/encoder.rs"));
    }
}

fn time(model: &str, runs: usize) {
    use burn::tensor::{Device, Distribution, Tensor};
    let device = Device::default();
    eprintln!("{device:?}");
    macro_rules! timed {
        ($module:ident, $dims:expr) => {{
            let net = models::$module::Model::default();
            let input = Tensor::<{ $dims.len() }>::random($dims, Distribution::Default, &device);
            for run in 0..runs + 3 {
                let begun = std::time::Instant::now();
                let output = net.forward(input.clone()).into_data();
                std::hint::black_box(output);
                if run >= 3 {
                    println!("{}", begun.elapsed().as_micros());
                }
            }
        }};
    }
    match model {
        "mobilenetv2" => timed!(mobilenetv2, [1, 3, 224, 224]),
        "unet" => timed!(unet, [1, 3, 256, 256]),
        _ => timed!(encoder, [1, 256, 320]),
    }
}
