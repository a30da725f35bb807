//! What the parser of plans promises about bytes that are, or are not, a plan.

use microtome_kernels::data::delay::Delay;
use microtome_kernels::num::{Multiplier, Output, Shape, Window};
use microtome_kernels::packing::Packing;
use microtome_kernels::reference::add::Add;
use microtome_kernels::reference::clamp::Clamp;
use microtome_kernels::reference::conv2d::{Conv2d, ConvConstants};
use microtome_kernels::reference::recurrent::rnn::{Activation, Rnn};
use microtome_kernels::reference::recurrent::{Direction, Recurrent, Start};
use microtome_kernels::view::Broadcast;
use microtome_plan::{
    ArenaAt, Cascade, ConstAt, Element, Fault, Labels, Manifest, ModelType, Op, OperandAt, Plan,
    PlanBuf, PlanError, Port, Step, Target, Task, encode,
};

/// Parts of a plan, to be changed before they are encoded.
#[derive(Clone)]
struct Parts {
    manifest: Manifest<'static>,
    steps: Vec<Step<'static>>,
    constants: Vec<u8>,
}

impl Parts {
    /// A dense layer from 4 to 2 features and a clamp in place.
    fn new() -> Self {
        let port = |name, at, len| Port {
            name,
            at: ArenaAt(at),
            dims: heapless::Vec::from_iter([1, len]),
            order: heapless::Vec::from_iter([0, 1]),
            model_type: ModelType::F32,
            element: Element::I8,
            scale: 0.5,
            zero: -3,
        };
        let clamp = Clamp {
            len: 2,
            min: -5,
            max: 5,
        };
        let dense = Step {
            constants: heapless::Vec::from_iter([0, 16, 32, 48].map(ConstAt)),
            ..step("dense", dense(), &[in_arena(0)], 4)
        };
        Self {
            manifest: Manifest {
                model: "dense",
                target: Target::Generic,
                arena_bytes: 6,
                steps: 2,
                inputs: heapless::Vec::from_iter([port("x", 0, 4)]),
                outputs: heapless::Vec::from_iter([port("y", 4, 2)]),
                task: Task::Classify {
                    labels: Labels("no\nyes"),
                },
                cascade: Some(Cascade {
                    confidence_min: 200,
                    model: "larger",
                }),
            },
            steps: vec![dense, step("clamp", clamp, &[in_arena(4)], 4)],
            constants: constants(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        encode(&self.manifest, &self.steps, &self.constants)
    }

    fn error(&self) -> Option<PlanError> {
        PlanBuf::new(&self.encode()).err()
    }
}

/// A step without constants, and with one result.
fn step(
    name: &'static str,
    op: impl Into<Op>,
    inputs: &[OperandAt],
    output: usize,
) -> Step<'static> {
    Step {
        name,
        scale: 0.25,
        op: op.into(),
        inputs: inputs.iter().copied().collect(),
        outputs: heapless::Vec::from_iter([ArenaAt(output)]),
        state: heapless::Vec::new(),
        scratch: ArenaAt(0),
        constants: heapless::Vec::new(),
    }
}

fn in_arena(at: usize) -> OperandAt {
    OperandAt::Arena(ArenaAt(at))
}

fn dense() -> Conv2d {
    let shape = |channels| Shape {
        height: 1,
        width: 1,
        channels,
    };
    Conv2d {
        input: shape(4),
        output: shape(2),
        window: Window {
            kernel: [1; 2],
            stride: [1; 2],
            dilation: [1; 2],
            pad: [0; 2],
        },
        groups: 1,
        input_zero: -3,
        store: Output {
            zero: 1,
            min: -128,
            max: 127,
        },
        packing: Packing::ROWS,
        scratch: 0,
    }
}

/// Weights, biases, mantissas and shifts at the offsets that the dense layer names.
fn constants() -> Vec<u8> {
    let mut bytes = vec![0; 50];
    bytes[..8].copy_from_slice(&[1, 2, 3, 4, 250, 251, 252, 253]);
    bytes[16..20].copy_from_slice(&7_i32.to_le_bytes());
    bytes[32..36].copy_from_slice(&(1_i32 << 30).to_le_bytes());
    bytes[36..40].copy_from_slice(&i32::MAX.to_le_bytes());
    bytes[48..].copy_from_slice(&[0xfa, 0xfb]);
    bytes
}

#[test]
fn what_was_encoded_is_parsed() {
    let parts = Parts::new();
    let bytes = parts.encode();
    let buf = PlanBuf::new(&bytes).unwrap();
    let plan = buf.plan();
    assert_eq!(*plan.manifest(), parts.manifest);
    assert_eq!(plan.steps().collect::<Vec<_>>(), parts.steps);
    assert_eq!(plan.constants(), parts.constants);
    assert_eq!(plan.len_bytes(), bytes.len());
    assert_eq!(buf.bytes(), bytes);
    let conv = ConvConstants::of(&plan.step_constants(&parts.steps[0]));
    assert_eq!(conv.weights, [1, 2, 3, 4, -6, -5, -4, -3]);
    assert_eq!(conv.bias, [7, 0]);
    let factor = Multiplier {
        mantissa: i32::MAX,
        shift: -5,
    };
    assert_eq!(conv.multiplier(1), factor);
}

#[test]
fn an_owned_plan_has_its_constants_at_a_cache_line() {
    let buf = PlanBuf::new(&Parts::new().encode()).unwrap();
    for buf in [&buf, &buf.clone()] {
        assert!(buf.plan().constants().as_ptr().addr().is_multiple_of(64));
    }
    assert_eq!(buf.clone().bytes(), buf.bytes());
}

#[test]
fn a_flash_slot_may_be_longer_than_its_plan() {
    let mut bytes = Parts::new().encode();
    let len = bytes.len();
    bytes.resize(len + 40, 0xff);
    let mut slot = vec![0_u128; bytes.len().div_ceil(16)];
    let slot = &mut bytemuck::cast_slice_mut(&mut slot)[..bytes.len()];
    slot.copy_from_slice(&bytes);
    assert_eq!(Plan::parse(slot).unwrap().len_bytes(), len);
    assert_eq!(Plan::parse(&slot[1..]).unwrap_err(), PlanError::Misaligned);
    assert_eq!(PlanBuf::new(&bytes).unwrap_err(), PlanError::NotAPlan);
}

#[test]
fn a_truncated_plan_is_refused_at_every_length() {
    let bytes = Parts::new().encode();
    for len in 0..bytes.len() {
        let error = PlanBuf::new(&bytes[..len]).unwrap_err();
        let expected = match len {
            0..4 => PlanError::NotAPlan,
            4..64 => PlanError::Truncated {
                need: 64,
                have: len,
            },
            _ => PlanError::Truncated {
                need: bytes.len(),
                have: len,
            },
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = Parts::new().encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(PlanBuf::new(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn another_version_is_named() {
    let mut bytes = Parts::new().encode();
    bytes[4] = 9;
    let error = PlanError::Version {
        found: 9,
        supported: 3,
    };
    assert_eq!(PlanBuf::new(&bytes).unwrap_err(), error);
}

/// Each edit of a good plan, and the rule that it breaks.
#[test]
fn broken_rules_are_named() {
    fn conv(parts: &mut Parts, edit: impl FnOnce(&mut Conv2d)) {
        let Op::Conv2d(conv) = &mut parts.steps[0].op else {
            unreachable!("the first step is the dense layer");
        };
        edit(conv);
    }
    let dense = |fault| PlanError::Step { index: 0, fault };
    let manifest = |fault| PlanError::Manifest { fault };
    type Edit = fn(&mut Parts);
    let table: [(Edit, PlanError); 14] = [
        (|p| p.manifest.steps = 1, manifest(Fault::Encoding)),
        (|p| p.manifest.inputs.clear(), manifest(Fault::Port)),
        (|p| p.manifest.inputs[0].order[0] = 1, manifest(Fault::Port)),
        (
            |p| p.manifest.inputs[0].scale = f32::NAN,
            manifest(Fault::Number),
        ),
        (
            |p| p.manifest.inputs[0].dims[0] = usize::MAX,
            manifest(Fault::Size),
        ),
        (|p| p.manifest.outputs[0].at.0 = 8, manifest(Fault::Arena)),
        (|p| p.manifest.arena_bytes = 4, manifest(Fault::Arena)),
        (|p| conv(p, |c| c.groups = 3), dense(Fault::Shape)),
        (|p| conv(p, |c| c.window.stride[1] = 0), dense(Fault::Size)),
        (
            |p| conv(p, |c| (c.store.min, c.store.max) = (1, 0)),
            dense(Fault::Number),
        ),
        (|p| p.steps[0].constants[1].0 = 4, dense(Fault::Constant)),
        (|p| p.steps[0].constants[3].0 = 64, dense(Fault::Constant)),
        (|p| p.constants[35] = 0x20, dense(Fault::Number)),
        (|p| p.constants[48] = 31, dense(Fault::Number)),
    ];
    for (index, (edit, error)) in table.into_iter().enumerate() {
        let mut parts = Parts::new();
        edit(&mut parts);
        assert_eq!(parts.error(), Some(error), "edit {index}");
    }
}

/// Lists that are too short or too long, and places that are none.
#[test]
fn operands_are_as_many_as_the_operator_has_and_lie_where_there_is_room() {
    const PLACE: ArenaAt = ArenaAt(0);
    type Edit = fn(&mut Step<'static>);
    let table: [(Edit, Fault); 17] = [
        (|s| s.inputs.clear(), Fault::Arena),
        (|s| s.inputs.push(in_arena(0)).unwrap(), Fault::Arena),
        (|s| s.outputs.clear(), Fault::Arena),
        (|s| s.outputs.push(PLACE).unwrap(), Fault::Arena),
        (|s| s.state.push(PLACE).unwrap(), Fault::Arena),
        (|s| s.constants.truncate(3), Fault::Constant),
        (|s| s.constants.push(ConstAt(0)).unwrap(), Fault::Constant),
        (|s| s.inputs[0] = in_arena(2), Fault::Arena),
        (|s| s.inputs[0] = in_arena(8), Fault::Arena),
        (|s| s.inputs[0] = in_arena(usize::MAX - 3), Fault::Arena),
        (|s| s.outputs[0].0 = 5, Fault::Arena),
        (|s| s.outputs[0].0 = 8, Fault::Arena),
        (|s| s.scratch.0 = 2, Fault::Arena),
        (|s| s.scratch.0 = 8, Fault::Arena),
        (|s| s.inputs[0] = constant(8), Fault::Constant),
        (|s| s.inputs[0] = constant(48), Fault::Constant),
        (|s| s.inputs[0] = constant(usize::MAX - 15), Fault::Constant),
    ];
    for (index, (edit, fault)) in table.into_iter().enumerate() {
        let mut parts = Parts::new();
        edit(&mut parts.steps[0]);
        let error = PlanError::Step { index: 0, fault };
        assert_eq!(parts.error(), Some(error), "edit {index}");
    }
}

fn constant(at: usize) -> OperandAt {
    OperandAt::Constant(ConstAt(at))
}

#[test]
fn an_operand_may_be_a_constant() {
    let mut parts = Parts::new();
    parts.steps[0].inputs[0] = constant(16);
    let buf = PlanBuf::new(&parts.encode()).unwrap();
    let plan = buf.plan();
    let step = plan.steps().next().unwrap();
    assert!(step.reads().is_empty());
    let operands: Vec<_> = step.operands().collect();
    let [(OperandAt::Constant(at), extent)] = operands[..] else {
        panic!("one constant: {operands:?}");
    };
    assert_eq!(plan.constant(at, extent), [7, 0, 0, 0]);
}

#[test]
fn a_constant_is_never_replaced() {
    let mut parts = Parts::new();
    parts.steps[1] = step(
        "clamp",
        Clamp {
            len: 2,
            min: -5,
            max: 5,
        },
        &[constant(0)],
        0,
    );
    assert_eq!(parts.error(), None);
    assert!(!parts.steps[1].is_in_place());
}

/// The elements that can hold a type, and no others.
#[test]
fn a_port_has_elements_that_hold_its_type() {
    let table: [(ModelType, &[Element]); 6] = [
        (ModelType::F32, &[Element::I8, Element::F32]),
        (ModelType::I8, &[Element::I8]),
        (ModelType::U8, &[Element::I8]),
        (ModelType::Bool, &[Element::I8]),
        (ModelType::I32, &[Element::I32]),
        (ModelType::I64, &[Element::I32]),
    ];
    for (model_type, holders) in table {
        for element in [Element::I8, Element::I16, Element::I32, Element::F32] {
            let mut parts = Parts::new();
            parts.manifest.arena_bytes = 20;
            let port = &mut parts.manifest.inputs[0];
            (port.model_type, port.element) = (model_type, element);
            let fault = Fault::Port;
            let error = (!holders.contains(&element)).then_some(PlanError::Manifest { fault });
            assert_eq!(parts.error(), error, "{model_type:?} as {element:?}");
        }
    }
}

#[test]
fn a_port_takes_the_bytes_of_its_elements() {
    let mut parts = Parts::new();
    let port = &mut parts.manifest.inputs[0];
    (port.element, port.at) = (Element::F32, ArenaAt(4));
    parts.manifest.arena_bytes = 20;
    assert_eq!(parts.error(), None);
    assert_eq!(parts.manifest.inputs[0].len_bytes(), 16);
    parts.manifest.arena_bytes = 19;
    let fault = Fault::Arena;
    assert_eq!(parts.error(), Some(PlanError::Manifest { fault }));
}

#[test]
fn only_the_first_operand_is_replaced_and_only_element_by_element() {
    let overlap = |index| {
        Some(PlanError::Step {
            index,
            fault: Fault::Overlap,
        })
    };
    let mut parts = Parts::new();
    parts.steps[0].outputs[0] = ArenaAt(0);
    assert_eq!(parts.error(), overlap(0));

    let mut parts = Parts::new();
    let Op::Clamp(clamp) = &mut parts.steps[1].op else {
        unreachable!("the second step is the clamp");
    };
    clamp.len = 6;
    parts.manifest.arena_bytes = 16;
    parts.steps[1].outputs[0] = ArenaAt(8);
    assert_eq!(parts.error(), overlap(1));

    let mut parts = Parts::new();
    for (output, error) in [(0, None), (4, overlap(1)), (8, None)] {
        parts.manifest.arena_bytes = 12;
        parts.steps[1] = step("add", add(), &[in_arena(0), in_arena(4)], output);
        assert_eq!(parts.error(), error, "the sum at {output}");
    }
    parts.steps[1] = step("add", add(), &[in_arena(0), in_arena(0)], 0);
    assert_eq!(parts.error(), overlap(1));
}

/// An addition of two elements.
fn add() -> Add {
    let factor = |shift| Multiplier {
        mantissa: 1 << 30,
        shift,
    };
    Add {
        broadcast: Broadcast::flat(2),
        subtract: false,
        zeros: [0; 2],
        factors: [factor(0); 2],
        factor: factor(-18),
        store: dense().store,
    }
}

/// What is kept lies apart from operands, results and all else that is kept.
#[test]
fn state_overlaps_nothing_that_a_step_reads_or_writes() {
    let delay = Delay {
        element: Element::I8,
        frame_len: 4,
        frames: 1,
        delay: 2,
        overlap: 0,
        fill: 7,
    };
    let mut parts = Parts::new();
    parts.manifest.arena_bytes = 16;
    // Input 0..4, output 4..8, state of two frames.
    let fault = |fault| Some(PlanError::Step { index: 1, fault });
    for (state, error) in [
        (8, None),
        (0, fault(Fault::Overlap)),
        (4, fault(Fault::Overlap)),
        (12, fault(Fault::Arena)),
        (9, fault(Fault::Arena)),
    ] {
        let mut step = step("delay", delay, &[in_arena(0)], 4);
        step.state.push(ArenaAt(state)).unwrap();
        parts.steps[1] = step;
        assert_eq!(parts.error(), error, "state at {state}");
    }
    parts.steps[1].state.clear();
    assert_eq!(parts.error(), fault(Fault::Arena));
}

/// A cell has two results, state and scratch.
#[test]
fn all_that_a_step_writes_lies_apart() {
    let shape = Recurrent {
        time: 1,
        features: 4,
        hidden: 1,
        direction: Direction::Forward,
        start: Start::Kept,
        sequence: true,
    };
    let activation = Activation::Tanh;
    let mut parts = Parts::new();
    parts.manifest.arena_bytes = 28;
    parts.constants.resize(80, 0);
    // Input 0..4, one byte each of sequence, last vector and state, and 12 of scratch.
    let mut cell = step("cell", Rnn { shape, activation }, &[in_arena(0)], 4);
    cell.outputs.push(ArenaAt(8)).unwrap();
    cell.state.push(ArenaAt(12)).unwrap();
    cell.scratch = ArenaAt(16);
    cell.constants = heapless::Vec::from_iter([ConstAt(64); 8]);
    parts.steps[1] = cell.clone();
    assert_eq!(parts.error(), None);
    type Edit = fn(&mut Step<'static>);
    let table: [(Edit, Fault); 8] = [
        (|s| s.outputs[1].0 = 0, Fault::Overlap),
        (|s| s.outputs[1].0 = 4, Fault::Overlap),
        (|s| s.state[0].0 = 8, Fault::Overlap),
        (|s| s.scratch.0 = 0, Fault::Overlap),
        (|s| s.scratch.0 = 8, Fault::Overlap),
        (|s| s.scratch.0 = 12, Fault::Overlap),
        (|s| s.scratch.0 = 20, Fault::Arena),
        (|s| s.outputs.truncate(1), Fault::Arena),
    ];
    for (index, (edit, fault)) in table.into_iter().enumerate() {
        parts.steps[1] = cell.clone();
        edit(&mut parts.steps[1]);
        let error = PlanError::Step { index: 1, fault };
        assert_eq!(parts.error(), Some(error), "edit {index}");
    }
}
