//! Small plans whose outputs tell them apart, and packages of them.

use microtome_kernels::reference::clamp::Clamp;
use microtome_package::{PackageBuf, golden, pack};
use microtome_plan::{
    ArenaAt, Element, Manifest, ModelType, OperandAt, PlanBuf, Port, Step, Target, Task, encode,
};
use microtome_update::write;
use microtome_update::{Golden, package::output_digest};

/// Elements of input and output.
pub const LEN: usize = 600;

/// The plan of `clamp(x, −limit, limit)`.
pub fn clamp(limit: i8) -> PlanBuf {
    let [from, to] = [0, LEN].map(ArenaAt);
    let port = |name, at| Port {
        name,
        at,
        dims: [1, LEN].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0,
        zero: 0,
    };
    let (len, min, max) = (LEN, -limit, limit);
    let step = Step {
        name: "clamp",
        scale: 1.0,
        op: Clamp { len, min, max }.into(),
        inputs: [OperandAt::Arena(from)].into_iter().collect(),
        outputs: [to].into_iter().collect(),
        state: Default::default(),
        scratch: from,
        constants: Default::default(),
    };
    let model = format!("clamp-{limit}");
    let manifest = Manifest {
        model: &model,
        target: Target::Generic,
        arena_bytes: 2 * LEN,
        steps: 1,
        inputs: [port("in", from)].into_iter().collect(),
        outputs: [port("out", to)].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    PlanBuf::new(&encode(&manifest, &[step], &[])).unwrap()
}

/// An input whose output tells every limit apart.
pub fn input() -> Vec<u8> {
    (0..LEN).map(|at| at as u8).collect()
}

/// What [`clamp`] makes of [`input`].
pub fn output(limit: i8) -> Vec<u8> {
    let clamped = |value: u8| value.cast_signed().clamp(-limit, limit).cast_unsigned();
    input().into_iter().map(clamped).collect()
}

/// The package of [`clamp`] as this release: a little over four kilobytes.
pub fn package(limit: i8, release: u64) -> PackageBuf {
    let plan = clamp(limit);
    let samples = golden::pseudo_random(&plan.plan(), 6);
    let inputs: Vec<Vec<&[u8]>> = samples.iter().map(|it| vec![&it[0][..]]).collect();
    pack(&plan, release, &inputs).unwrap()
}

/// A package whose second golden vector states what the plan does not give.
pub fn wrong_package(limit: i8, release: u64) -> PackageBuf {
    let input = input();
    let golden = [output(limit), output(limit - 1)].map(|output| Golden {
        input: &input,
        output: output_digest([&output[..]]),
    });
    PackageBuf::new(&write::encode(release, &clamp(limit), &golden).unwrap()).unwrap()
}
