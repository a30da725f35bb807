//! What the link makes of a line: goodput and added latency against the rate of byte errors.
//!
//! The table stands in `goodput.txt`; with `MICROTOME_BLESS` set it is written anew.

mod sim;

use microtome_answer::{Answer, Reading};
use microtome_link::message::{FrameResult, Origin, PIECE_LEN_MAX, Piece, Times};
use microtome_link::{Event, LinkEnd, ToBoard, ToHost, WINDOW};
use sim::{Faults, Line, Random, Side, Sim};
use std::fmt::Write as _;
use std::path::Path;

const BAUDS: [u32; 2] = [921_600, 3_000_000];
/// Damaged bytes in a million.
const ERRORS: [u32; 6] = [0, 10, 100, 300, 1000, 2000];
const DURATION_US: u64 = 3_000_000;

/// What is sent in a run.
#[derive(Clone, Copy)]
struct Load {
    piece_len: usize,
    /// Whether the host sends as much as the board.
    is_both_ways: bool,
}

fn opened<const W: usize>(line: Line) -> Sim<W> {
    let mut sim = Sim::new(1, line);
    while !sim.links.iter().all(LinkEnd::is_open) {
        sim.run(1000, |_, link, _| {
            while link.poll_event().is_some() {}
            None
        });
    }
    sim
}

/// Bytes of pieces that a side takes.
fn take<const W: usize>(side: Side, link: &mut LinkEnd<W>) -> u64 {
    let mut taken = 0;
    while let Some(event) = link.poll_event() {
        let Event::Message(message) = event else {
            continue;
        };
        let piece = match side {
            Side::Host => match message.decode() {
                Ok(ToHost::Output(piece)) => piece,
                other => panic!("not a piece: {other:?}"),
            },
            Side::Board => match message.decode() {
                Ok(ToBoard::Input(piece)) => piece,
                other => panic!("not a piece: {other:?}"),
            },
        };
        taken += piece.data.len() as u64;
    }
    taken
}

/// Bytes of pieces that arrive at the host, in thousandths of what the line carries.
fn goodput<const W: usize>(line: Line, load: Load) -> u64 {
    let mut sim = opened::<W>(line);
    let data = &[0xA5; PIECE_LEN_MAX][..load.piece_len];
    let (mut offsets, mut taken) = ([0_u32; 2], [0_u64; 2]);
    sim.run(DURATION_US, |side, link, _| {
        let at = side as usize;
        taken[at] += take(side, link);
        let is_sending = side == Side::Board || load.is_both_ways;
        if !is_sending {
            return None;
        }
        loop {
            // Tensors of 512 KiB.
            let offset = offsets[at] % (1 << 19);
            let piece = Piece { offset, data };
            let sent = match side {
                Side::Board => link.send(&ToHost::Output(piece)),
                Side::Host => link.send(&ToBoard::Input(piece)),
            };
            if sent.is_err() {
                break;
            }
            offsets[at] += load.piece_len as u32;
        }
        None
    });
    taken[Side::Host as usize] * 1_000_000_000 / (line.bytes_hz() * DURATION_US)
}

/// A result, as boards send them when they are confident.
fn result(frame: u32) -> ToHost<'static> {
    let (class, score) = (3, 250);
    let answered = 1_000_000_000 + u64::from(frame) * 10_000_000;
    ToHost::Result(FrameResult {
        sequence: frame.into(),
        acquisition: 0,
        frame,
        origin: Origin::Board,
        reading: Reading {
            answer: Answer::Class { class, score },
            confidence: score,
        },
        board_confidence: score,
        times: Times {
            exposed: answered - 40_000,
            begun: answered - 39_000,
            inferred: answered,
            answered,
            signalled: None,
        },
        missed: 0,
        answerer: None,
    })
}

/// Microseconds from sending a result on an idle line to its event, beyond what its bytes alone
/// take on the wire: of 2000 at random times, the median, the 99th percentile and the latest.
fn added_latency_us(line: Line) -> [u64; 3] {
    const COUNT: u32 = 2000;
    let mut sim = opened::<WINDOW>(line);
    let mut random = Random::new(7);
    let mut sent_us: Vec<u64> = Vec::new();
    let mut added_us: Vec<u64> = Vec::new();
    let mut due_us = 0;
    sim.run(u64::from(COUNT) * 30_000, |side, link, now_us| {
        if side == Side::Board {
            let frame = sent_us.len() as u32;
            if now_us >= due_us && frame < COUNT && link.send(&result(frame)).is_ok() {
                sent_us.push(now_us);
                due_us = now_us + 5_000 + random.below(10_000) as u64;
            }
            return (sent_us.len() < COUNT as usize).then_some(due_us);
        }
        while let Some(Event::Message(message)) = link.poll_event() {
            let wire_us = line.wire_ns(message.body.len()) / 1000;
            added_us.push(now_us - sent_us[added_us.len()] - wire_us);
        }
        None
    });
    assert_eq!(added_us.len(), COUNT as usize);
    added_us.sort_unstable();
    [0.5, 0.99, 1.0].map(|part| added_us[(part * f64::from(COUNT - 1)) as usize])
}

fn with_errors(line: Line, flip: u32) -> Line {
    line.with(Faults {
        flip,
        ..line.faults
    })
}

fn goodput_row<const W: usize>(name: &str, line: Line, load: Load) -> (String, Vec<u64>) {
    let parts = ERRORS.map(|flip| goodput::<W>(with_errors(line, flip), load));
    let mut row = format!("{:>9} {name:<30} {W} {:>5}", line.baud, load.piece_len);
    for part in parts {
        write!(row, " {:>6}.{}", part / 10, part % 10).expect("a string");
    }
    (row, parts.to_vec())
}

fn header(out: &mut String, what: &str) {
    *out += what;
    for errors in ERRORS {
        write!(out, " {:>8}", format!("{errors}e-6")).expect("a string");
    }
    *out += "\n";
}

fn goodput_table(out: &mut String) {
    let load = |piece_len, is_both_ways| Load {
        piece_len,
        is_both_ways,
    };
    let (long, short) = (load(PIECE_LEN_MAX, false), load(128, false));
    let long_both = load(PIECE_LEN_MAX, true);
    *out += "Goodput: bytes of tensor pieces that arrive, in % of baud / 10 bytes a second,\n\
             against the part of bytes that are damaged\n\n";
    header(
        out,
        &format!("{:>9} {:<30} W {:>5}", "baud", "line", "piece"),
    );
    for baud in BAUDS {
        let (bare, usb) = (Line::bare(baud), Line::usb(baud));
        let (row, parts) = goodput_row::<WINDOW>("bare", bare, long);
        // What the table must show, whoever writes it anew.
        assert!(parts[0] >= 950 && parts[2] >= 800, "{row}");
        *out += &(row + "\n");
        for (row, _) in [
            goodput_row::<WINDOW>("bare, both ways at once", bare, long_both),
            goodput_row::<WINDOW>("bare", bare, short),
            goodput_row::<WINDOW>("USB adapter", usb, long),
            goodput_row::<8>("USB adapter", usb, long),
            goodput_row::<WINDOW>("USB adapter, both ways at once", usb, long_both),
            goodput_row::<WINDOW>("USB adapter", usb, short),
        ] {
            *out += &(row + "\n");
        }
    }
}

fn latency_table(out: &mut String) {
    *out += "\nAdded latency of a result on an idle line, in microseconds beyond its own bytes:\n\
             median / 99th percentile / latest of 2000\n\n";
    header(out, &format!("{:>9} {:<10}", "baud", ""));
    for baud in BAUDS {
        let rows = ERRORS.map(|flip| added_latency_us(with_errors(Line::bare(baud), flip)));
        assert!(rows[..3].iter().all(|[_, p99, _]| *p99 < 1000), "{rows:?}");
        for (index, name) in ["median", "99 %", "latest"].into_iter().enumerate() {
            write!(out, "{baud:>9} {name:<10}").expect("a string");
            for row in rows {
                write!(out, " {:>8}", row[index]).expect("a string");
            }
            *out += "\n";
        }
    }
}

#[test]
fn the_table_of_goodput_and_latency_is_up_to_date() {
    let mut table = String::new();
    goodput_table(&mut table);
    latency_table(&mut table);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goodput.txt");
    if std::env::var_os("MICROTOME_BLESS").is_some() {
        std::fs::write(&path, &table).expect("the table can be written");
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        stands, table,
        "tests/goodput.txt is not up to date: run this test with MICROTOME_BLESS=1"
    );
}
