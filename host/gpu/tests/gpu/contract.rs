//! Every operator keeps the contract of the kernel sets: on random cases, multipliers at their
//! limits and odd channel counts among them, the bits of the reference.

use crate::support::{Builder, reference_outputs};
use microtome_backend::Backend as _;
use microtome_gpu::{Gpu, GpuBackend, GpuError};
use microtome_kernels::cases::{Case, Operand, Rng};
use microtome_kernels::operator::{Constants, Element, Extent};
use microtome_plan::{Op, PlanBuf};
use std::sync::LazyLock;

static GPU: LazyLock<Option<Gpu>> = LazyLock::new(crate::support::gpu);

/// As many cases as take some seconds on a software adapter.
const CASES: usize = 400;
/// Operators of which no form has a program: they run on the CPU.
const WITHOUT_PROGRAM: [&str; 6] = ["Lstm", "Gru", "Rnn", "Delay", "LayerNorm", "LogSoftmax"];

/// One case as a plan of one step, and its inputs.
struct Trial {
    plan: PlanBuf,
    inputs: Vec<Vec<u8>>,
}

impl Trial {
    /// A random case; `None` if it cannot be a plan.
    fn random<C: Case + Clone + Into<Op>>(rng: &mut Rng, in_place: bool) -> Option<Self> {
        let case = C::random(rng);
        case.check().expect("random cases are valid");
        // A plan has no ports of int16, and no program moves them.
        let is_i16 = |extent: &Extent| extent.element == Element::I16;
        if case.inputs().iter().chain(&case.outputs()).any(is_i16) {
            return None;
        }
        let mut filled = |operand: Operand, extent: Extent| {
            let mut words = vec![0_u32; extent.bytes().div_ceil(4)];
            let bytes = &mut bytemuck::cast_slice_mut(&mut words)[..extent.bytes()];
            case.fill(rng, operand, bytes);
            words
        };
        let (read, kept) = (case.inputs(), case.constants());
        let inputs: Vec<_> = (0..)
            .zip(&read)
            .map(|(index, &extent)| filled(Operand::Input(index), extent))
            .collect();
        let constants: Vec<_> = (0..)
            .zip(&kept)
            .map(|(index, &extent)| filled(Operand::Constant(index), extent))
            .collect();
        let bytes = |words: &'_ [u32], extent: &Extent| -> Vec<u8> {
            bytemuck::cast_slice(words)[..extent.bytes()].to_vec()
        };
        let whole = constants.iter().zip(&kept);
        let whole = whole.map(|(words, extent)| &bytemuck::cast_slice(words)[..extent.bytes()]);
        case.check_constants(&Constants(whole.collect())).ok()?;

        let mut plan = Builder::default();
        let places: Vec<_> = read.iter().map(|it| (plan.span(it.bytes()), *it)).collect();
        let constants: Vec<_> = constants
            .iter()
            .zip(&kept)
            .map(|(words, extent)| plan.constant(&bytes(words, extent)))
            .collect();
        let results: Vec<_> = (0..)
            .zip(case.outputs())
            .map(|(index, it)| match index {
                0 if in_place => (places[0].0, it),
                _ => (plan.span(it.bytes()), it),
            })
            .collect();
        plan.whole_step(case.clone(), &places, &results, &constants);
        Some(Self {
            plan: plan.plan(&places, &results),
            inputs: inputs
                .iter()
                .zip(&read)
                .map(|(words, it)| bytes(words, it))
                .collect(),
        })
    }
}

fn check<C: Case + Clone + Into<Op>>(name: &str) {
    let Some(gpu) = GPU.as_ref() else { return };
    let mut rng = Rng::new(name.len() as u64);
    let mut ran = 0;
    for case in 0..CASES {
        let in_place = C::random(&mut rng.clone()).in_place() && case % 2 == 1;
        let Some(trial) = Trial::random::<C>(&mut rng, in_place) else {
            continue;
        };
        let plan = trial.plan.plan();
        let step = plan.steps().next().expect("there is one step");
        let has_program = microtome_gpu::has_program(&plan, &step);
        let mut backend = match GpuBackend::new(gpu, trial.plan.clone()) {
            Ok(backend) => backend,
            Err(GpuError::Unsupported { .. }) if !has_program => continue,
            Err(error) => panic!("{name}: {error}: {:?}", step.op),
        };
        let sample = trial.inputs.iter().map(Vec::as_slice).collect();
        let found = backend.run(&[sample]).expect("every plan runs");
        let wanted = reference_outputs(&trial.plan, &trial.inputs);
        assert!(found[0] == wanted, "{name}: the bits differ: {:?}", step.op);
        ran += 1;
    }
    let without = WITHOUT_PROGRAM.contains(&name);
    assert_eq!(ran == 0, without, "{name}: {ran} of {CASES} cases ran");
}

macro_rules! contract {
    ([] $($name:ident: $operator:ty;)*) => {
        $(
            #[test]
            fn $name() {
                let name = std::any::type_name::<$operator>();
                check::<$operator>(name.rsplit("::").next().unwrap_or(name));
            }
        )*
    };
}

microtome_kernels::for_each_case!(contract);
