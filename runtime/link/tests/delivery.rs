//! What the link promises, on wires of every quality.

mod wire;

use microtome_link::message::{PIECE_LEN_MAX, Piece};
use microtome_link::{Event, Link, Log, SendError, ToBoard, ToHost};
use proptest::prelude::*;
use wire::{Faults, Random, Wire};

const GOOD: Faults = Faults {
    loss: 0,
    flip: 0,
    hole: 0,
    repeat: 0,
    garbage: 0,
};

const BAD: Faults = Faults {
    loss: 60,
    flip: 60,
    hole: 40,
    repeat: 60,
    garbage: 60,
};

/// One direction of traffic: numbered messages, checked for order within a session.
#[derive(Default)]
struct Flow {
    sent: u32,
    arrived: u32,
}

impl Flow {
    fn arrives(&mut self, number: u32) {
        assert_eq!(number, self.arrived, "lost, repeated or out of order");
        assert!(number < self.sent, "never sent");
        self.arrived += 1;
    }
}

/// Sends `up` pieces to the host and `down` requests to the board, both ways at once.
fn carry(wire: &mut Wire, up: u32, down: u32) -> u64 {
    let data = [0xA5; PIECE_LEN_MAX];
    let (mut to_host, mut to_board) = (Flow::default(), Flow::default());
    let begun_us = wire.now_us;
    while to_host.arrived < up || to_board.arrived < down {
        assert!(wire.now_us - begun_us < 600_000_000, "stuck");
        while to_host.sent < up {
            let piece = Piece {
                offset: to_host.sent,
                data: &data[..to_host.sent as usize % PIECE_LEN_MAX],
            };
            if wire.board.send(&ToHost::Output(piece)).is_err() {
                break;
            }
            to_host.sent += 1;
        }
        while to_board.sent < down {
            let frame = to_board.sent;
            if wire.host.send(&ToBoard::NoAnswer { frame }).is_err() {
                break;
            }
            to_board.sent += 1;
        }
        wire.step();
        while let Some(event) = wire.host.poll_event() {
            if let Event::Message(message) = event {
                let Ok(ToHost::Output(piece)) = message.decode() else {
                    panic!("not what was sent");
                };
                assert_eq!(piece.data.len(), piece.offset as usize % PIECE_LEN_MAX);
                to_host.arrives(piece.offset);
            }
        }
        while let Some(event) = wire.board.poll_event() {
            if let Event::Message(message) = event {
                let Ok(ToBoard::NoAnswer { frame }) = message.decode() else {
                    panic!("not what was sent");
                };
                to_board.arrives(frame);
            }
        }
    }
    wire.now_us - begun_us
}

#[test]
fn a_good_wire_repeats_nothing() {
    let mut wire = Wire::new(1, GOOD);
    carry(&mut wire, 1000, 1000);
    for stats in [wire.host.stats(), wire.board.stats()] {
        assert_eq!((stats.garbage, stats.repeated), (0, 0));
    }
}

#[test]
fn each_message_comes_once_and_in_order_on_a_bad_wire() {
    for seed in 0..20 {
        let mut wire = Wire::new(seed * 7919, BAD);
        carry(&mut wire, 300, 300);
        assert!(wire.board.stats().repeated > 0 && wire.host.stats().garbage > 0);
    }
}

#[test]
fn a_restart_of_either_side_begins_a_session_that_keeps_the_promise() {
    let mut random = Random(4242);
    let mut wire = Wire::new(99, BAD);
    for round in 0..40 {
        carry(&mut wire, random.below(30) as u32, random.below(30) as u32);
        if random.below(2) == 0 {
            wire.board = Link::board();
        } else {
            wire.host = Link::host(1000 + round);
        }
        wait_for_both_to_open(&mut wire);
    }
}

/// Steps until both sides were told of the same new session.
fn wait_for_both_to_open(wire: &mut Wire) {
    let (mut host, mut board) = (false, false);
    let begun_us = wire.now_us;
    while !(host && board) {
        assert!(wire.now_us - begun_us < 60_000_000, "no session");
        // A host notices a silent restart when it is told, or when it says something.
        wire.step();
        while let Some(event) = wire.host.poll_event() {
            host = matches!(event, Event::Opened);
        }
        while let Some(event) = wire.board.poll_event() {
            board = matches!(event, Event::Opened);
        }
    }
}

#[test]
fn the_host_is_told_that_the_board_restarted() {
    let mut wire = Wire::new(5, GOOD);
    carry(&mut wire, 3, 3);
    wire.board = Link::board();
    for _ in 0..5 {
        wire.step();
    }
    assert_eq!(wire.host.poll_event(), Some(Event::Closed));
    assert_eq!(wire.host.poll_event(), Some(Event::Opened));
    assert_eq!(wire.host.poll_event(), None);
}

#[test]
fn a_full_window_is_refused_and_recovers() {
    let mut wire = Wire::new(3, GOOD);
    carry(&mut wire, 1, 1);
    let mut taken = 0;
    // The host hands out nothing, so its buffer fills, then the board's window.
    for _ in 0..50 {
        while wire.board.send(&ToHost::Stopped { frames: taken }).is_ok() {
            taken += 1;
        }
        wire.step();
    }
    assert_eq!(taken as usize, 2 * microtome_link::WINDOW);
    let refused = wire.board.send(&ToHost::Stopped { frames: 0 });
    assert_eq!(refused, Err(SendError::Full));
    let mut arrived = 0;
    for _ in 0..5_000 {
        while let Some(event) = wire.host.poll_event() {
            let Event::Message(message) = event else {
                panic!("not a message: {event:?}");
            };
            assert_eq!(message.decode(), Ok(ToHost::Stopped { frames: arrived }));
            arrived += 1;
        }
        wire.step();
    }
    assert_eq!(arrived, taken);
}

#[test]
fn logs_pass_but_never_hold_up_messages() {
    let mut wire = Wire::new(11, GOOD);
    carry(&mut wire, 1, 1);
    assert_eq!(wire.board.send(&Log::Text("one")), Ok(()));
    assert_eq!(wire.board.send(&Log::Text("two")), Err(SendError::Full));
    wire.step();
    assert_eq!(wire.board.send(&Log::Text("three")), Ok(()));
    wire.step();
    carry_log(&mut wire, "one");
    assert_eq!(wire.host.stats().logs_dropped, 1);
    carry(&mut wire, 10, 10);
}

fn carry_log(wire: &mut Wire, text: &str) {
    let Some(Event::Message(message)) = wire.host.poll_event() else {
        panic!("no log");
    };
    assert_eq!(message.decode(), Ok(Log::Text(text)));
}

#[test]
fn frames_of_another_version_are_reported_once() {
    let mut link = Link::host(1);
    for _ in 0..3 {
        link.receive(&foreign_frame(9), 0);
    }
    assert_eq!(link.poll_event(), Some(Event::OtherVersion(9)));
    assert_eq!(link.poll_event(), None);
    assert_eq!(link.stats().garbage, 0);
}

/// A frame of a later version, laid out as nobody knows yet.
fn foreign_frame(version: u8) -> Vec<u8> {
    let mut raw = vec![version, 200, 1, 2, 3, 4, 5, 6, 7, 8];
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&raw);
    raw.extend_from_slice(&crc.to_le_bytes());
    let mut frame = vec![0; cobs::max_encoding_length(raw.len()) + 1];
    let len = cobs::encode(&raw, &mut frame);
    frame.truncate(len + 1);
    frame
}

#[test]
fn a_device_that_echoes_is_no_board() {
    let mut link = Link::host(1);
    let mut out = [0; microtome_link::FRAME_LEN_MAX];
    for now_us in (0..2_000_000).step_by(50_000) {
        while let Some(frame) = link.poll_transmit(now_us, &mut out) {
            let echo = frame.to_vec();
            link.receive(&echo, now_us);
        }
    }
    assert!(!link.is_open());
}

proptest! {
    #[test]
    fn hostile_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let mut wire = Wire::new(1, GOOD);
        carry(&mut wire, 2, 2);
        wire.host.receive(&bytes, wire.now_us);
        wire.board.receive(&bytes, wire.now_us);
        carry(&mut wire, 5, 5);
    }

    #[test]
    fn any_quality_of_wire_delivers(
        seed in any::<u64>(),
        loss in 0..200_u32,
        flip in 0..200_u32,
        hole in 0..100_u32,
        repeat in 0..300_u32,
        garbage in 0..200_u32,
    ) {
        let mut wire = Wire::new(seed, Faults { loss, flip, hole, repeat, garbage });
        carry(&mut wire, 40, 40);
    }
}
