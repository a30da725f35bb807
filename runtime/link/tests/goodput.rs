//! What the link makes of a line: goodput and latency against the rate of byte errors.
mod sim;

use microtome_link::message::{PIECE_LEN_MAX, Piece};
use microtome_link::{Event, Link, ToBoard, ToHost};
use sim::{Faults, Line, Side, Sim};

fn opened(seed: u64, line: Line) -> Sim {
    let mut sim = Sim::new(seed, line);
    while !sim.links.iter().all(Link::is_open) {
        sim.run(10_000, &mut |_, link: &mut Link, _| {
            while link.poll_event().is_some() {}
            None
        });
    }
    sim.wake();
    sim
}

/// Data bytes a second that arrive of what the board sends without end, as a part of what the line carries.
fn goodput(line: Line, piece_len: usize, both: bool) -> (f64, u32) {
    let mut sim = opened(1, line);
    let data = [0xA5; PIECE_LEN_MAX];
    let (mut sent, mut arrived) = ([0_u32; 2], [0_u64; 2]);
    const DURATION_US: u64 = 4_000_000;
    sim.run(DURATION_US, &mut |side, link: &mut Link, _| {
        loop {
            match link.poll_event() {
                None => break,
                Some(Event::Message(message)) => {
                    let len = match side {
                        Side::Host => match message.decode() {
                            Ok(ToHost::Output(piece)) => piece.data.len(),
                            _ => panic!(),
                        },
                        Side::Board => match message.decode() {
                            Ok(ToBoard::Input(piece)) => piece.data.len(),
                            _ => panic!(),
                        },
                    };
                    arrived[side as usize] += len as u64;
                }
                Some(_) => {}
            }
        }
        if side == Side::Board || both {
            loop {
                let piece = Piece {
                    offset: (sent[side as usize] * piece_len as u32) % (1 << 20),
                    data: &data[..piece_len],
                };
                let taken = match side {
                    Side::Board => link.send(&ToHost::Output(piece)),
                    Side::Host => link.send(&ToBoard::Input(piece)),
                };
                if taken.is_err() {
                    break;
                }
                sent[side as usize] += 1;
            }
        }
        None
    });
    let line_bytes = f64::from(line.baud) / 10.0 * DURATION_US as f64 / 1e6;
    (
        arrived[0] as f64 / line_bytes,
        sim.links[1].stats().repeated,
    )
}

#[test]
fn table() {
    for line in [
        Line::bare(921_600),
        Line::bare(3_000_000),
        Line::usb(921_600),
        Line::usb(3_000_000),
    ] {
        for piece_len in [PIECE_LEN_MAX, 128] {
            for both in [false, true] {
                print!(
                    "{:8} {:5} us {piece_len:4} {both:5}",
                    line.baud, line.latency_us
                );
                for flip in [0, 10, 100, 300, 1000, 2000] {
                    let faults = Faults {
                        flip,
                        ..Faults::default()
                    };
                    let (part, _) = goodput(line.with(faults), piece_len, both);
                    print!(" {:5.1}", 100.0 * part);
                }
                println!();
            }
        }
    }
}
