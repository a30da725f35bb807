//! RISE on the adapter is what the specification on the CPU says.

use microtome_backend::CpuBackend;
use microtome_backend::rise::{Rise, RiseError, Score, explain};
use microtome_compiler::{Options, compile};
use microtome_gpu::GpuBackend;
use microtome_kernels::cases::Rng;
use microtome_plan::{Element, PlanBuf};

/// The shipped models, whose outputs are grids of two classes.
fn cells(kind: &str) -> PlanBuf {
    let path = format!("{}/../../models/cells/{kind}", env!("CARGO_MANIFEST_DIR"));
    let model = std::fs::read(path).expect("the model is there");
    compile(&model, &Options::new("cells"))
        .expect("it compiles")
        .plan
}

fn rise(masks: u32) -> Rise {
    Rise {
        masks,
        grid: [7, 9],
        keep: 0.4,
        seed: 5,
        score: Score {
            first: 1,
            step: 2,
            count: 4,
        },
    }
}

fn image(plan: &PlanBuf) -> Vec<u8> {
    let plan = plan.plan();
    let input = &plan.manifest().inputs[0];
    let mut rng = Rng::new(3);
    if input.element == Element::I8 {
        let mut values = vec![0_i8; input.len()];
        rng.fill(&mut values);
        return bytemuck::cast_slice(&values).to_vec();
    }
    let mut value = || rng.size(0..=1000) as f32 / 1000.0;
    let values: Vec<f32> = (0..input.len()).map(|_| value()).collect();
    bytemuck::cast_slice(&values).to_vec()
}

#[test]
fn maps_are_those_of_the_specification() {
    let Some(gpu) = crate::support::gpu() else {
        return;
    };
    for kind in ["cells.float.onnx", "cells.onnx"] {
        let plan = cells(kind);
        let image = image(&plan);
        let mut backend = GpuBackend::new(&gpu, plan.clone()).expect("the plan fits");
        // More masks than a batch, and not a whole number of batches.
        let rise = rise(70);
        let found = backend.rise(&image, &rise).expect("it runs");
        let mut cpu = CpuBackend::new(plan.clone());
        let wanted = explain(&mut cpu, plan.plan().manifest(), &image, &rise).expect("it runs");
        assert_eq!(found.len(), wanted.len());
        let largest = wanted
            .iter()
            .fold(0.0_f32, |largest, it| largest.max(it.abs()));
        assert!(largest > 0.0, "a map of zeros shows nothing");
        for (pixel, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            let difference = (found - wanted).abs();
            assert!(
                difference <= 1e-4 * largest,
                "{kind} {pixel}: {found}, not {wanted}"
            );
        }
        let again = backend.rise(&image, &rise).expect("it runs");
        assert!(found == again, "the same seed gives the same map");
    }
}

#[test]
fn what_cannot_be_explained_is_told() {
    let plan = cells("cells.float.onnx");
    let image = image(&plan);
    let plan_ref = plan.plan();
    let manifest = plan_ref.manifest();
    let mut cpu = CpuBackend::new(plan.clone());
    let mut told = |image: &[u8], rise: Rise| {
        explain(&mut cpu, manifest, image, &rise).expect_err("it is refused")
    };
    let far = Score {
        first: 0,
        step: 1,
        count: manifest.outputs[0].len() + 1,
    };
    let score = far;
    let refused = told(&image, Rise { score, ..rise(2) });
    assert!(matches!(refused, RiseError::Score { .. }), "{refused}");
    for rise in [
        rise(0),
        Rise {
            keep: 0.0,
            ..rise(1)
        },
        Rise {
            keep: f32::NAN,
            ..rise(1)
        },
        Rise {
            grid: [0, 4],
            ..rise(1)
        },
    ] {
        let refused = told(&image, rise);
        assert!(matches!(refused, RiseError::Options(_)), "{refused}");
    }
    let refused = told(&image[1..], rise(1));
    assert!(matches!(refused, RiseError::Backend(_)), "{refused}");
}
