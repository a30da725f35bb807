//! What the parser of plans promises about bytes that are, or are not, a plan.

use microtome_kernels::num::{Multiplier, Output, Shape, Window};
use microtome_kernels::reference::{clamp::Clamp, conv2d::Conv2d};
use microtome_plan::op::ConvAt;
use microtome_plan::{
    ArenaAt, Cascade, ConstAt, Fault, Labels, Manifest, ModelType, Op, Plan, PlanBuf, PlanError,
    Port, Step, Target, Task, encode,
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
            scale: 0.5,
            zero: -3,
        };
        let step = |name, op| Step {
            name,
            scale: 0.25,
            op,
        };
        let clamp = Op::Clamp {
            params: Clamp {
                len: 2,
                min: -5,
                max: 5,
            },
            input: ArenaAt(4),
            output: ArenaAt(4),
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
            steps: vec![step("dense", dense()), step("clamp", clamp)],
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

fn dense() -> Op {
    let shape = |channels| Shape {
        height: 1,
        width: 1,
        channels,
    };
    Op::Conv2d {
        params: Conv2d {
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
        },
        input: ArenaAt(0),
        output: ArenaAt(4),
        constants: ConvAt {
            weights: ConstAt(0),
            bias: ConstAt(16),
            mantissas: ConstAt(32),
            shifts: ConstAt(48),
        },
    }
}

/// Weights, biases, mantissas and shifts at the offsets that `dense` names.
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
    let (at, ..) = parts.steps[0].op.constants().unwrap();
    let conv = plan.conv(at, 8, 2);
    assert_eq!(conv.weights, [1, 2, 3, 4, -6, -5, -4, -3]);
    assert_eq!(conv.bias, [7, 0]);
    let factor = Multiplier {
        mantissa: i32::MAX,
        shift: -5,
    };
    assert_eq!(conv.multiplier(1), factor);
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
        supported: 1,
    };
    assert_eq!(PlanBuf::new(&bytes).unwrap_err(), error);
}

/// Each edit of a good plan, and the rule that it breaks.
#[test]
fn broken_rules_are_named() {
    fn conv(parts: &mut Parts, edit: impl FnOnce(&mut Conv2d, &mut ConvAt)) {
        let Op::Conv2d {
            params, constants, ..
        } = &mut parts.steps[0].op
        else {
            unreachable!("the first step is the dense layer");
        };
        edit(params, constants);
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
        (|p| conv(p, |c, _| c.groups = 3), dense(Fault::Shape)),
        (
            |p| conv(p, |c, _| c.window.stride[1] = 0),
            dense(Fault::Size),
        ),
        (
            |p| conv(p, |c, _| (c.store.min, c.store.max) = (1, 0)),
            dense(Fault::Number),
        ),
        (|p| conv(p, |_, at| at.bias.0 = 4), dense(Fault::Constant)),
        (
            |p| conv(p, |_, at| at.shifts.0 = 64),
            dense(Fault::Constant),
        ),
        (|p| p.constants[35] = 0x20, dense(Fault::Number)),
        (|p| p.constants[48] = 31, dense(Fault::Number)),
    ];
    for (index, (edit, error)) in table.into_iter().enumerate() {
        let mut parts = Parts::new();
        edit(&mut parts);
        assert_eq!(parts.error(), Some(error), "edit {index}");
    }
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
    let Op::Conv2d { output, .. } = &mut parts.steps[0].op else {
        unreachable!("the first step is the dense layer");
    };
    *output = ArenaAt(0);
    assert_eq!(parts.error(), overlap(0));
    let mut parts = Parts::new();
    let Op::Clamp { params, output, .. } = &mut parts.steps[1].op else {
        unreachable!("the second step is the clamp");
    };
    params.len = 6;
    parts.manifest.arena_bytes = 16;
    *output = ArenaAt(8);
    assert_eq!(parts.error(), overlap(1));
}
