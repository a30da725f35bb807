//! Random models of the operators that have programs: the adapter computes the bits of the
//! reference kernels.
//!
//! A failure names its seed.

#[path = "../../../../runtime/compiler/tests/common/onnx.rs"]
#[allow(dead_code, reason = "the compiler's tests use the rest")]
mod onnx;
#[path = "../../../../runtime/compiler/tests/common/random.rs"]
#[allow(dead_code, reason = "the compiler's tests use the rest")]
mod random;

use crate::support::reference_outputs;
use microtome_backend::Backend;
use microtome_compiler::{Options, compile};
use microtome_gpu::{GpuBackend, GpuError};
use random::{Palette, Random};

const MODELS: u64 = 80;
/// Samples of each model.
const SAMPLES: usize = 3;

#[test]
fn random_models_have_the_references_bits() {
    let Some(gpu) = crate::support::gpu() else {
        return;
    };
    let mut ran = 0;
    for seed in 0..MODELS {
        let model = random::model(seed, Palette::Common);
        let compiled = compile(&model, &Options::new("random"));
        let plan = compiled
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"))
            .plan;
        let mut backend = match GpuBackend::new(&gpu, plan.clone()) {
            Ok(backend) => backend,
            Err(GpuError::Unsupported { .. }) => continue,
            Err(error) => panic!("seed {seed}: {error}"),
        };
        let mut random = Random::new(!seed);
        let ports = plan.plan().manifest().inputs.clone();
        let mut sample = || -> Vec<Vec<u8>> {
            let inputs = ports.iter().map(|port| random.bytes(port.len_bytes()));
            inputs.collect()
        };
        let samples: Vec<_> = (0..SAMPLES).map(|_| sample()).collect();
        let inputs: Vec<_> = samples
            .iter()
            .map(|sample| sample.iter().map(Vec::as_slice).collect())
            .collect();
        let found = backend.run(&inputs);
        let found = found.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (found, sample) in found.iter().zip(&samples) {
            let wanted = reference_outputs(&plan, sample);
            assert!(*found == wanted, "seed {seed}: the bits differ");
        }
        ran += 1;
    }
    println!("{ran} of {MODELS} models ran");
    assert!(ran > MODELS / 2, "only {ran} models ran");
}
