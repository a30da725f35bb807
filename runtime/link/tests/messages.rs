//! Messages survive encoding, fit into a frame at their largest, and hostile bytes decode to
//! nothing or to something harmless.

use microtome_answer::{Answer, DETECTIONS_MAX, Detection, Reading};
use microtome_link::message::{
    Acquisition, Answerer, Channel, ExecutorKind, FAULT_LEN_MAX, FrameResult, Identity,
    InputSource, MESSAGE_LEN_MAX, Mode, NAME_LEN_MAX, Name, Origin, PIECE_LEN_MAX, Piece,
    PlanFault, Received, Refusal, Times,
};
use microtome_link::update::{PlanSource, RolledBack, Update, UpdateRefusal, UpdateState, Updated};
use microtome_link::{Log, ToBoard, ToHost};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Name> {
    "[a-z0-9.-]{0,48}".prop_map(|text| Name::try_from(text.as_str()).expect("short"))
}

fn reading() -> impl Strategy<Value = Reading> {
    let detection = (any::<u8>(), any::<u8>(), any::<u16>(), any::<u16>())
        .prop_map(|(class, score, x, y)| Detection { class, score, x, y });
    let objects = (
        prop::collection::vec(detection, 0..=DETECTIONS_MAX),
        any::<u16>(),
    )
        .prop_map(|(found, more)| Answer::Objects {
            found: found.into_iter().collect(),
            more,
        });
    let answer = prop_oneof![
        Just(Answer::Raw),
        (any::<u16>(), any::<u8>()).prop_map(|(class, score)| Answer::Class { class, score }),
        objects,
    ];
    (answer, any::<u8>()).prop_map(|(answer, confidence)| Reading { answer, confidence })
}

fn answerer() -> impl Strategy<Value = Answerer> {
    let executor = prop_oneof![
        Just(ExecutorKind::Other),
        Just(ExecutorKind::Cpu),
        Just(ExecutorKind::Gpu),
        Just(ExecutorKind::Fleet),
    ];
    (any::<[u8; 8]>(), executor).prop_map(|(plan, executor)| Answerer { plan, executor })
}

fn result() -> impl Strategy<Value = FrameResult> {
    let origin = prop_oneof![
        Just(Origin::Board),
        Just(Origin::Host),
        Just(Origin::BoardAfterDeadline),
        Just(Origin::BoardAfterNoAnswer),
    ];
    (
        (any::<u64>(), any::<u32>(), any::<u32>()),
        origin,
        reading(),
        any::<u8>(),
        (any::<[u64; 4]>(), any::<Option<u64>>()),
        any::<u32>(),
        prop::option::of(answerer()),
    )
        .prop_map(
            |(numbers, origin, reading, board_confidence, (times, signalled), missed, answerer)| {
                let (sequence, acquisition, frame) = numbers;
                let [exposed, begun, inferred, answered] = times;
                FrameResult {
                    sequence,
                    acquisition,
                    frame,
                    origin,
                    reading,
                    board_confidence,
                    times: Times {
                        exposed,
                        begun,
                        inferred,
                        answered,
                        signalled,
                    },
                    missed,
                    answerer,
                }
            },
        )
}

fn rolled_back() -> impl Strategy<Value = RolledBack> {
    prop_oneof![
        any::<u64>().prop_map(|release| RolledBack::Unconfirmed { release }),
        any::<u64>().prop_map(|release| RolledBack::Unusable { release }),
        any::<u64>().prop_map(|release| RolledBack::Aborted { release }),
        Just(RolledBack::RecordLost),
    ]
}

fn updates() -> impl Strategy<Value = UpdateState> {
    let source = prop_oneof![
        Just(PlanSource::Factory),
        Just(PlanSource::A),
        Just(PlanSource::B)
    ];
    let numbers = (any::<[u64; 2]>(), any::<u32>(), any::<bool>());
    let options = (any::<Option<[u8; 32]>>(), prop::option::of(rolled_back()));
    (source, numbers, options).prop_map(
        |(source, (releases, slot_bytes, is_confirmed), (key, rolled_back))| UpdateState {
            source,
            release: releases[0],
            is_confirmed,
            release_confirmed: releases[1],
            key,
            slot_bytes,
            rolled_back,
        },
    )
}

fn identity() -> impl Strategy<Value = Identity> {
    let fault = "[ -~]{0,96}".prop_map(|text| PlanFault::try_from(text.as_str()).expect("short"));
    let numbers = (any::<u16>(), any::<[u32; 4]>(), any::<u64>());
    let names = (name(), name(), name(), name(), prop::option::of(fault));
    let state = (any::<[u8; 32]>(), prop::option::of(updates()));
    (numbers, names, state).prop_map(
        |(
            (protocol, numbers, boot),
            (board, unit, firmware, model, plan_fault),
            (plan, updates),
        )| Identity {
            protocol,
            board,
            unit,
            firmware,
            model,
            plan,
            plan_fault,
            arena_bytes: numbers[0],
            ticks_hz: numbers[1],
            replay_frames: numbers[2],
            boot,
            acquisitions: numbers[3],
            updates,
        },
    )
}

/// The messages without borrowed data; pieces have a test of their own.
fn to_host() -> impl Strategy<Value = ToHost<'static>> {
    prop_oneof![
        identity().prop_map(ToHost::Hello),
        result().prop_map(ToHost::Result),
        (any::<[u32; 3]>(), reading()).prop_map(|([frame, len, deadline_ms], reading)| {
            ToHost::Ask {
                frame,
                len,
                deadline_ms,
                reading,
            }
        }),
        (any::<u32>(), any::<u16>(), any::<u64>())
            .prop_map(|(run, step, ticks)| ToHost::StepCost { run, step, ticks }),
        (any::<u32>(), any::<u64>()).prop_map(|(run, ticks)| ToHost::RunDone { run, ticks }),
        any::<u32>().prop_map(|frames| ToHost::Stopped { frames }),
        any::<u32>().prop_map(|frames| ToHost::Refused(Refusal::NoFrame { frames })),
        any::<[u64; 2]>().prop_map(|[host_us, ticks]| ToHost::Clock { host_us, ticks }),
        updates().prop_map(|state| ToHost::Updated(Updated::State(state))),
        any::<[u64; 2]>().prop_map(|[from, to]| {
            ToHost::Refused(Refusal::Update(UpdateRefusal::Downgrade { from, to }))
        }),
    ]
}

fn to_board() -> impl Strategy<Value = ToBoard<'static>> {
    let mode = prop_oneof![Just(Mode::Rate), Just(Mode::Latency)];
    let acquisition = (any::<[u32; 3]>(), any::<bool>(), mode).prop_map(
        |([frames, period_us, deadline_ms], offload, mode)| Acquisition {
            frames,
            period_us,
            offload,
            deadline_ms,
            mode,
        },
    );
    prop_oneof![
        any::<u16>().prop_map(|protocol| ToBoard::Hello { protocol }),
        acquisition.prop_map(ToBoard::Start),
        Just(ToBoard::Stop),
        (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(run, index, profile)| {
            ToBoard::Run {
                run,
                input: InputSource::Replay(index),
                profile,
            }
        }),
        (any::<u32>(), reading(), answerer()).prop_map(|(frame, reading, answerer)| {
            ToBoard::Answer {
                frame,
                reading,
                answerer,
            }
        }),
        any::<u32>().prop_map(|frame| ToBoard::NoAnswer { frame }),
        any::<u64>().prop_map(|boot| ToBoard::Boot { boot }),
        any::<u64>().prop_map(|through| ToBoard::Stored { through }),
        any::<u64>().prop_map(|host_us| ToBoard::Clock { host_us }),
        any::<bool>().prop_map(|allowed| ToBoard::Offload { allowed }),
    ]
}

fn encode<'b>(message: &impl serde::Serialize, room: &'b mut [u8]) -> Received<'b> {
    Received {
        channel: Channel::Control,
        body: postcard::to_slice(message, room).expect("there is room"),
    }
}

proptest! {
    #[test]
    fn messages_to_the_host_come_back(message in to_host()) {
        let mut room = [0; MESSAGE_LEN_MAX];
        prop_assert_eq!(encode(&message, &mut room).decode(), Ok(message));
    }

    #[test]
    fn messages_to_the_board_come_back(message in to_board()) {
        let mut room = [0; MESSAGE_LEN_MAX];
        prop_assert_eq!(encode(&message, &mut room).decode(), Ok(message));
    }

    #[test]
    fn pieces_come_back(
        offset in any::<u32>(),
        data in prop::collection::vec(any::<u8>(), 0..=PIECE_LEN_MAX),
    ) {
        let mut room = [0; MESSAGE_LEN_MAX];
        let piece = Piece { offset, data: &data };
        prop_assert_eq!(encode(&ToBoard::Input(piece), &mut room).decode(), Ok(ToBoard::Input(piece)));
        prop_assert_eq!(encode(&ToHost::Frame(piece), &mut room).decode(), Ok(ToHost::Frame(piece)));
        let update = ToBoard::Update(Update::Piece(piece));
        prop_assert_eq!(encode(&update, &mut room).decode(), Ok(update));
    }

    #[test]
    fn hostile_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..MESSAGE_LEN_MAX)) {
        let received = Received { channel: Channel::Control, body: &body };
        let _ = received.decode::<ToHost<'_>>();
        let _ = received.decode::<ToBoard<'_>>();
        let _ = received.decode::<Log<'_>>();
    }

    #[test]
    fn a_message_with_bytes_left_over_is_malformed(message in to_board()) {
        let mut room = [0; MESSAGE_LEN_MAX + 1];
        let len = encode(&message, &mut room[..MESSAGE_LEN_MAX]).body.len();
        let received = Received { channel: Channel::Control, body: &room[..=len] };
        prop_assert!(received.decode::<ToBoard<'_>>().is_err());
    }
}

#[test]
fn the_largest_message_fits_exactly() {
    let detection = Detection {
        class: u8::MAX,
        score: u8::MAX,
        x: u16::MAX,
        y: u16::MAX,
    };
    let result = FrameResult {
        sequence: u64::MAX,
        acquisition: u32::MAX,
        frame: u32::MAX,
        origin: Origin::BoardAfterNoAnswer,
        reading: Reading {
            answer: Answer::Objects {
                found: [detection; DETECTIONS_MAX].into(),
                more: u16::MAX,
            },
            confidence: u8::MAX,
        },
        board_confidence: u8::MAX,
        times: Times {
            exposed: u64::MAX,
            begun: u64::MAX,
            inferred: u64::MAX,
            answered: u64::MAX,
            signalled: Some(u64::MAX),
        },
        missed: u32::MAX,
        answerer: Some(Answerer {
            plan: [u8::MAX; 8],
            executor: ExecutorKind::Gpu,
        }),
    };
    let mut room = [0; MESSAGE_LEN_MAX];
    let largest = encode(&ToHost::Result(result), &mut room).body.len();
    assert_eq!(largest, MESSAGE_LEN_MAX);
}

#[test]
fn the_largest_hello_fits() {
    let name = Name::try_from("n".repeat(NAME_LEN_MAX).as_str()).unwrap();
    let hello = ToHost::Hello(Identity {
        protocol: u16::MAX,
        board: name.clone(),
        unit: name.clone(),
        firmware: name.clone(),
        model: name,
        plan: [u8::MAX; 32],
        plan_fault: Some(PlanFault::try_from("f".repeat(FAULT_LEN_MAX).as_str()).unwrap()),
        arena_bytes: u32::MAX,
        ticks_hz: u32::MAX,
        replay_frames: u32::MAX,
        boot: u64::MAX,
        acquisitions: u32::MAX,
        updates: Some(UpdateState {
            source: PlanSource::B,
            release: u64::MAX,
            is_confirmed: true,
            release_confirmed: u64::MAX,
            key: Some([u8::MAX; 32]),
            slot_bytes: u32::MAX,
            rolled_back: Some(RolledBack::Aborted { release: u64::MAX }),
        }),
    });
    let mut room = [0; MESSAGE_LEN_MAX];
    assert!(encode(&hello, &mut room).body.len() <= MESSAGE_LEN_MAX);
}
