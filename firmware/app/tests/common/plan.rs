//! A small plan, for tests of whatever brings a plan onto a board.

use microtome_kernels::reference::clamp::Clamp;
use microtome_plan::{
    ArenaAt, Cascade, Element, Labels, Manifest, ModelType, OperandAt, PlanBuf, Port, Step, Target,
    Task,
};

/// Elements of the plan's input and of its output.
pub const LEN: usize = 600;
/// Class 0 of a frame is confident from here on.
pub const CONFIDENCE_MIN: u8 = 200;

/// A plan whose output is its input, clamped to −128..=100, read as class probabilities.
pub fn plan() -> PlanBuf {
    plan_clamping_at(100)
}

/// As [`plan`], with another upper limit.
pub fn plan_clamping_at(max: i8) -> PlanBuf {
    let port = |name, at| Port {
        name,
        at: ArenaAt(at),
        dims: [1, LEN].into_iter().collect(),
        order: [0, 1].into_iter().collect(),
        model_type: ModelType::I8,
        element: Element::I8,
        scale: 1.0 / 256.0,
        zero: -128,
    };
    let clamp = |name, input, output, max| {
        let (len, min) = (LEN, -128);
        Step {
            name,
            scale: 1.0 / 256.0,
            op: Clamp { len, min, max }.into(),
            inputs: [OperandAt::Arena(ArenaAt(input))].into_iter().collect(),
            outputs: [ArenaAt(output)].into_iter().collect(),
            state: heapless::Vec::new(),
            scratch: ArenaAt(0),
            constants: heapless::Vec::new(),
        }
    };
    let manifest = Manifest {
        model: "clamp",
        target: Target::Generic,
        arena_bytes: 2 * LEN,
        steps: 2,
        inputs: [port("in", 0)].into_iter().collect(),
        outputs: [port("out", LEN)].into_iter().collect(),
        task: Task::Classify {
            labels: Labels("yes\nno"),
        },
        cascade: Some(Cascade {
            confidence_min: CONFIDENCE_MIN,
            model: "heavy",
        }),
    };
    // The first step overwrites the input, as real plans do.
    let steps = [clamp("low", 0, 0, 110), clamp("high", 0, LEN, max)];
    PlanBuf::new(&microtome_plan::encode(&manifest, &steps, &[])).expect("a valid plan")
}

/// A frame whose first class has the given probability, and every other none.
pub fn frame(probability: u8) -> Vec<u8> {
    let mut frame = vec![0x80; LEN];
    frame[0] = (i32::from(probability) - 128) as u8;
    frame
}
