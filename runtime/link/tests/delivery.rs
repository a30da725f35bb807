//! What the link promises, on lines of every quality.

mod sim;

use microtome_link::message::{PIECE_LEN_MAX, Piece};
use microtome_link::{
    Event, FRAME_LEN_MAX, Link, LinkEnd, Log, SendError, ToBoard, ToHost, WINDOW,
};
use proptest::prelude::*;
use sim::{Faults, Line, Random, Side};

type Sim = sim::Sim<WINDOW>;

const GOOD: Line = Line::bare(921_600);

const BAD: Line = Line::usb(921_600).with(Faults {
    flip: 1000,
    drop: 300,
    double: 300,
    loss: 60_000,
    repeat: 60_000,
    noise: 60_000,
    stall: 3000,
});

/// A line with a session over it.
fn opened(seed: u64, line: Line) -> Sim {
    let mut sim = Sim::new(seed, line);
    open(&mut sim);
    sim
}

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

/// The length of a numbered piece.
const fn len(number: u32) -> usize {
    number as usize * 37 % (PIECE_LEN_MAX + 1)
}

/// Sends `up` pieces to the host and `down` requests to the board, both ways at once; the
/// microseconds that it took.
fn carry(sim: &mut Sim, up: u32, down: u32) -> u64 {
    let (mut to_host, mut to_board) = (Flow::default(), Flow::default());
    let begun_us = sim.now_us();
    let mut ended_us = begun_us;
    while to_host.arrived < up || to_board.arrived < down {
        assert!(sim.now_us() - begun_us < 600_000_000, "stuck");
        sim.run(100_000, |side, link, now_us| {
            match side {
                Side::Host => {
                    send_requests(link, &mut to_board, down);
                    take_pieces(link, &mut to_host);
                }
                Side::Board => {
                    send_pieces(link, &mut to_host, up);
                    take_requests(link, &mut to_board);
                }
            }
            if to_host.arrived < up || to_board.arrived < down {
                ended_us = now_us;
            }
            None
        });
    }
    ended_us - begun_us
}

fn send_pieces(link: &mut Link, flow: &mut Flow, count: u32) {
    while flow.sent < count {
        let (offset, data) = (flow.sent, &[0xA5; PIECE_LEN_MAX][..len(flow.sent)]);
        if link.send(&ToHost::Output(Piece { offset, data })).is_err() {
            break;
        }
        flow.sent += 1;
    }
}

fn take_pieces(link: &mut Link, flow: &mut Flow) {
    while let Some(event) = link.poll_event() {
        if let Event::Message(message) = event {
            let Ok(ToHost::Output(piece)) = message.decode() else {
                panic!("not what was sent");
            };
            assert_eq!(piece.data, &[0xA5; PIECE_LEN_MAX][..len(piece.offset)]);
            flow.arrives(piece.offset);
        }
    }
}

fn send_requests(link: &mut Link, flow: &mut Flow, count: u32) {
    while flow.sent < count {
        let frame = flow.sent;
        if link.send(&ToBoard::NoAnswer { frame }).is_err() {
            break;
        }
        flow.sent += 1;
    }
}

fn take_requests(link: &mut Link, flow: &mut Flow) {
    while let Some(event) = link.poll_event() {
        if let Event::Message(message) = event {
            let Ok(ToBoard::NoAnswer { frame }) = message.decode() else {
                panic!("not what was sent");
            };
            flow.arrives(frame);
        }
    }
}

/// Owners that do nothing.
fn nobody<const W: usize>(_: Side, _: &mut LinkEnd<W>, _: u64) -> Option<u64> {
    None
}

#[test]
fn a_good_line_repeats_nothing_at_any_rate() {
    for baud in [9_600, 115_200, 921_600, 3_000_000] {
        for line in [Line::bare(baud), Line::usb(baud)] {
            let mut sim = opened(1, line);
            carry(&mut sim, 500, 500);
            for link in &sim.links {
                let stats = link.stats();
                assert_eq!((stats.garbage, stats.repeated), (0, 0), "{line:?}");
            }
            // Short messages before long ones do not make the link impatient.
            let bytes: u64 = (0..500).map(|number| len(number) as u64 + 26).sum();
            let sent = sim.sent_bytes[Side::Board as usize];
            assert!(sent < bytes + bytes / 10, "{line:?}: {sent} for {bytes}");
        }
    }
}

#[test]
fn each_message_comes_once_and_in_order_on_a_bad_line() {
    for seed in 0..20 {
        let mut sim = opened(seed, BAD);
        carry(&mut sim, 300, 300);
        let [host, board] = sim.links.map(|link| link.stats());
        assert!(board.repeated > 0 && host.garbage > 0);
    }
}

#[test]
fn one_damaged_byte_in_500_is_no_standstill() {
    for seed in 0..20 {
        let flip = 2000;
        let line = GOOD.with(Faults {
            flip,
            ..Faults::default()
        });
        let mut sim = opened(seed, line);
        // 20 frames of 2 kB, and as many answers.
        let took_us = carry(&mut sim, 160, 20);
        assert!(took_us < 6_000_000, "{took_us} us");
    }
}

#[test]
fn a_restart_of_either_side_begins_a_session_that_keeps_the_promise() {
    let mut random = Random::new(4242);
    let mut sim = opened(99, BAD);
    for round in 0..60 {
        carry(&mut sim, random.below(30) as u32, random.below(30) as u32);
        // In the middle of whatever is under way.
        sim.run(random.below(30_000) as u64, |side, link, _| {
            let _ = match side {
                Side::Host => link.send(&ToBoard::Stop),
                Side::Board => link.send(&ToHost::Stopped { frames: 0 }),
            };
            None
        });
        if random.below(2) == 0 {
            sim.restart(Side::Board, Link::board());
        } else {
            sim.restart(Side::Host, Link::host(1000 * (round + 1)));
        }
        open(&mut sim);
    }
}

/// Goes on until both sides were told of the same new session.
fn open(sim: &mut Sim) {
    let mut is_open = [false; 2];
    let begun_us = sim.now_us();
    while !(is_open[0] && is_open[1]) {
        assert!(sim.now_us() - begun_us < 60_000_000, "no session");
        sim.run(1000, |side, link, _| {
            while let Some(event) = link.poll_event() {
                match event {
                    Event::Opened => is_open[side as usize] = true,
                    Event::Closed => is_open[side as usize] = false,
                    _ => {}
                }
            }
            None
        });
    }
    assert_eq!(sim.links[0].session(), sim.links[1].session());
}

#[test]
fn the_host_is_told_that_the_board_restarted() {
    let mut sim = opened(5, GOOD);
    carry(&mut sim, 3, 3);
    sim.restart(Side::Board, Link::board());
    sim.run(5000, nobody);
    let host = sim.link(Side::Host);
    assert_eq!(host.poll_event(), Some(Event::Closed));
    assert_eq!(host.poll_event(), Some(Event::Opened));
    assert_eq!(host.poll_event(), None);
}

#[test]
fn a_full_window_is_refused_and_recovers() {
    let mut sim = opened(3, GOOD);
    carry(&mut sim, 1, 1);
    let mut taken = 0;
    // The host hands out nothing, so its buffer fills, then the board's window.
    sim.run(60_000_000, |side, link, _| {
        while side == Side::Board && link.send(&ToHost::Stopped { frames: taken }).is_ok() {
            taken += 1;
        }
        None
    });
    assert_eq!(taken as usize, 2 * WINDOW);
    let refused = sim.link(Side::Board).send(&ToHost::Stopped { frames: 0 });
    assert_eq!(refused, Err(SendError::Full));
    // While nothing moves, next to nothing is said.
    assert!(
        sim.sent_bytes.iter().sum::<u64>() < 5000,
        "{:?}",
        sim.sent_bytes
    );
    let mut arrived = 0;
    sim.run(10_000, |side, link, _| {
        while side == Side::Host
            && let Some(event) = link.poll_event()
        {
            let Event::Message(message) = event else {
                panic!("not a message: {event:?}");
            };
            assert_eq!(message.decode(), Ok(ToHost::Stopped { frames: arrived }));
            arrived += 1;
        }
        None
    });
    assert_eq!(arrived, taken);
}

#[test]
fn noise_in_a_pause_takes_no_message_along() {
    let mut sim = opened(8, GOOD);
    carry(&mut sim, 1, 1);
    sim.run(1_000_000, nobody);
    let now_us = sim.now_us();
    sim.link(Side::Host).receive(b"a glitch", now_us);
    carry(&mut sim, 1, 0);
    let [host, board] = sim.links.map(|link| link.stats());
    assert_eq!((host.garbage, board.repeated), (1, 0));
}

#[test]
fn logs_pass_but_never_hold_up_messages() {
    let mut sim = opened(11, GOOD);
    carry(&mut sim, 1, 1);
    let board = sim.link(Side::Board);
    assert_eq!(board.send(&Log::Text("one")), Ok(()));
    assert_eq!(board.send(&Log::Text("two")), Err(SendError::Full));
    sim.run(1000, nobody);
    assert_eq!(sim.link(Side::Board).send(&Log::Text("three")), Ok(()));
    sim.run(1000, nobody);
    let Some(Event::Message(message)) = sim.link(Side::Host).poll_event() else {
        panic!("no log");
    };
    assert_eq!(message.decode(), Ok(Log::Text("one")));
    assert_eq!(sim.link(Side::Host).stats().logs_dropped, 1);
    carry(&mut sim, 10, 10);
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
    let mut out = [0; FRAME_LEN_MAX];
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
        let mut sim = opened(1, GOOD);
        carry(&mut sim, 2, 2);
        let now_us = sim.now_us();
        sim.link(Side::Host).receive(&bytes, now_us);
        sim.link(Side::Board).receive(&bytes, now_us);
        carry(&mut sim, 5, 5);
    }

    #[test]
    fn a_line_of_any_quality_delivers(
        seed in any::<u64>(),
        [flip, drop, double] in [0..2000_u32, 0..1000_u32, 0..1000_u32],
        [loss, repeat, noise] in [0..200_000_u32, 0..300_000_u32, 0..200_000_u32],
        stall in 0..10_000_u32,
        baud in prop::sample::select(vec![115_200_u32, 921_600, 3_000_000]),
        latency_us in 0..20_000_u64,
    ) {
        let faults = Faults { flip, drop, double, loss, repeat, noise, stall };
        let line = Line { latency_us, ..Line::usb(baud).with(faults) };
        carry(&mut opened(seed, line), 40, 40);
    }
}
