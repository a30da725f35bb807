//! Every course of events with a small window, a few messages and a few faults.
//!
//! A state is both ends, the frames on the wire and what the owners have sent and heard. From the
//! first state, every frame may be sent, arrive, arrive twice or be lost, every timeout may pass,
//! every message may be handed out, and a side may restart, at any moment and in any order. In
//! each state that can be reached, what was handed out is what was sent, in order and once; and
//! from each of them all else arrives when the wire is good again.
//!
//! Time is left out: whatever the times, all that they decide is when a timeout passes, and here
//! it may pass at any moment. So states that differ in times alone are one.

use microtome_link::{Event, FRAME_LEN_MAX, LinkEnd, ToBoard, ToHost};
use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

const HOST: usize = 0;
const BOARD: usize = 1;

/// What happens at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Limits {
    /// Messages that each side sends in a session.
    messages: [u8; 2],
    /// Frames that are lost.
    losses: u8,
    /// Frames that come twice.
    repeats: u8,
    /// Timeouts that pass while something else could happen.
    timeouts: u8,
    /// Restarts of each side.
    restarts: [u8; 2],
}

#[derive(Clone)]
struct State<const W: usize> {
    ends: [LinkEnd<W>; 2],
    /// Frames on their way to each side.
    wires: [VecDeque<Vec<u8>>; 2],
    /// The session of each side, and what it has sent and heard in it.
    sessions: [Option<u32>; 2],
    sent: [u8; 2],
    heard: [u8; 2],
    left: Limits,
}

/// Frames on the wire at most, either way.
const FRAMES_MAX: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Step {
    Transmit,
    Deliver,
    Repeat,
    Lose,
    Expire,
    Hear,
    Restart,
}

const STEPS: [Step; 7] = [
    Step::Transmit,
    Step::Deliver,
    Step::Repeat,
    Step::Lose,
    Step::Expire,
    Step::Hear,
    Step::Restart,
];

impl<const W: usize> State<W> {
    /// Both sides have just opened a session.
    fn opened(limits: Limits) -> Self {
        let mut state = Self {
            ends: [LinkEnd::host(100), LinkEnd::board()],
            wires: [VecDeque::new(), VecDeque::new()],
            sessions: [None; 2],
            sent: [0; 2],
            heard: [0; 2],
            left: limits,
        };
        while !state.ends.iter().all(LinkEnd::is_open) {
            for side in [HOST, BOARD] {
                state.transmit(side, 0);
                state.deliver(1 - side, 1);
            }
        }
        state.wires = [VecDeque::new(), VecDeque::new()];
        for side in [HOST, BOARD] {
            state.hear(side);
            state.send(side);
        }
        state
    }

    /// Does the step at a side; `false` where it can not happen.
    fn step(&mut self, step: Step, side: usize) -> bool {
        let has_room = self.wires[1 - side].len() < FRAMES_MAX;
        let is_coming = !self.wires[side].is_empty();
        let left = &mut self.left;
        let happens = match step {
            Step::Transmit => has_room && self.transmit(side, 0),
            Step::Deliver => is_coming && self.deliver(side, 1),
            Step::Repeat => is_coming && take(&mut left.repeats) && self.deliver(side, 2),
            Step::Lose => is_coming && take(&mut left.losses) && self.deliver(side, 0),
            Step::Expire => {
                let due_us = self.ends[side].poll_timeout().filter(|_| has_room);
                due_us.is_some() && take(&mut left.timeouts) && self.expire(side)
            }
            Step::Hear => self.hear(side),
            Step::Restart => take(&mut left.restarts[side]) && self.restart(side),
        };
        // Owners send whenever there is room: when they do makes no difference to the other side.
        if happens {
            self.send(side);
        }
        happens
    }

    fn transmit(&mut self, side: usize, now_us: u64) -> bool {
        let mut out = [0; FRAME_LEN_MAX];
        let frame = self.ends[side].poll_transmit(now_us, &mut out);
        let frame = frame.map(<[u8]>::to_vec);
        self.wires[1 - side].extend(frame.clone());
        frame.is_some()
    }

    fn expire(&mut self, side: usize) -> bool {
        let due_us = self.ends[side].poll_timeout();
        due_us.is_some_and(|due_us| self.transmit(side, due_us))
    }

    fn deliver(&mut self, side: usize, times: usize) -> bool {
        let frame = self.wires[side].pop_front();
        for _ in 0..times {
            self.ends[side].receive(frame.as_deref().unwrap_or_default(), 0);
        }
        frame.is_some()
    }

    fn send(&mut self, side: usize) {
        while self.sessions[side].is_some()
            && self.sessions[side] == self.ends[side].session()
            && self.sent[side] < self.left.messages[side]
        {
            let number = self.sent[side].into();
            let sent = match side {
                HOST => self.ends[HOST].send(&ToBoard::NoAnswer { frame: number }),
                _ => self.ends[BOARD].send(&ToHost::Stopped { frames: number }),
            };
            if sent.is_err() {
                break;
            }
            self.sent[side] += 1;
        }
    }

    /// The next event of a side.
    fn hear(&mut self, side: usize) -> bool {
        let session = self.ends[side].session();
        let number = match self.ends[side].poll_event() {
            None => return false,
            Some(Event::Opened) => {
                self.sessions[side] = session;
                (self.sent[side], self.heard[side]) = (0, 0);
                return true;
            }
            Some(Event::Closed) => {
                self.sessions[side] = None;
                return true;
            }
            Some(Event::OtherVersion(_)) => panic!("there is no other version"),
            Some(Event::Message(message)) => match side {
                HOST => match message.decode() {
                    Ok(ToHost::Stopped { frames }) => frames,
                    other => panic!("not what was sent: {other:?}"),
                },
                _ => match message.decode() {
                    Ok(ToBoard::NoAnswer { frame }) => frame,
                    other => panic!("not what was sent: {other:?}"),
                },
            },
        };
        let heard = u32::from(self.heard[side]);
        assert_eq!(number, heard, "lost, repeated or out of order");
        let is_same = self.sessions[HOST] == self.sessions[BOARD];
        assert!(
            !is_same || number < self.sent[1 - side].into(),
            "never sent"
        );
        self.heard[side] += 1;
        true
    }

    fn restart(&mut self, side: usize) -> bool {
        let restarts = u32::from(self.left.restarts[side]);
        self.ends[side] = match side {
            HOST => LinkEnd::host(1000 * (restarts + 1)),
            _ => LinkEnd::board(),
        };
        self.sessions[side] = None;
        (self.sent[side], self.heard[side]) = (0, 0);
        true
    }

    /// From here on the wire is good: all that the owners want to send is handed out.
    fn settle(mut self) {
        for _ in 0..40 {
            let mut is_quiet = true;
            for side in [HOST, BOARD] {
                while self.hear(side) {}
                self.send(side);
                while self.transmit(side, 0) {}
                while self.deliver(1 - side, 1) {
                    is_quiet = false;
                }
            }
            let is_done = self.sent == self.left.messages
                && self.heard == [self.sent[BOARD], self.sent[HOST]]
                && self.ends.iter().all(LinkEnd::is_flushed);
            if is_done {
                return;
            }
            // No answer is under way that takes longer than a timeout.
            for side in [HOST, BOARD].into_iter().filter(|_| is_quiet) {
                self.expire(side);
            }
        }
        panic!(
            "stuck: sent {:?}, heard {:?}, {:?}",
            self.sent, self.heard, self.ends
        );
    }

    /// What tells states apart.
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for end in &self.ends {
            without_times(&format!("{end:?}")).hash(&mut hasher);
        }
        (&self.wires, self.sessions, self.sent, self.heard, self.left).hash(&mut hasher);
        hasher.finish()
    }
}

fn take(left: &mut u8) -> bool {
    let is_left = *left > 0;
    *left -= u8::from(is_left);
    is_left
}

/// The text of an end without its times, and without the counts of what it has seen.
fn without_times(text: &str) -> String {
    const COUNTS: [&str; 4] = ["received", "garbage", "repeated", "logs_dropped"];
    let is_time = |name: &str| name.ends_with("_us") || name.ends_with("_ns");
    let mut kept = String::new();
    for part in text.split(", ") {
        let name = part.rsplit(": ").nth(1).unwrap_or_default();
        let name = name.rsplit(' ').next().unwrap_or_default();
        if is_time(name) {
            // Whether there is a time makes a difference; which one it is makes none.
            kept.push_str(if part.contains("None") { "-" } else { "+" });
        } else if !COUNTS.contains(&name) && name != "backoffs" {
            kept.push_str(part);
        }
    }
    kept
}

/// Walks through all states; how many there are.
fn explore<const W: usize>(limits: Limits) -> usize {
    let first = State::<W>::opened(limits);
    let mut seen = HashSet::from([first.key()]);
    let mut open = vec![first];
    while let Some(state) = open.pop() {
        for side in [HOST, BOARD] {
            for step in STEPS {
                let mut next = state.clone();
                if next.step(step, side) && seen.insert(next.key()) {
                    open.push(next);
                }
            }
        }
        state.settle();
    }
    seen.len()
}

const CALM: Limits = Limits {
    messages: [0, 3],
    losses: 0,
    repeats: 0,
    timeouts: 0,
    restarts: [0; 2],
};

#[test]
fn one_way_with_losses_and_repeats() {
    let states = explore::<2>(Limits {
        losses: 2,
        repeats: 1,
        timeouts: 1,
        ..CALM
    });
    println!("{states} states");
    assert!(states > 1000);
}

#[test]
fn a_window_of_one_message() {
    let states = explore::<1>(Limits {
        messages: [0, 2],
        losses: 2,
        repeats: 1,
        timeouts: 2,
        ..CALM
    });
    println!("{states} states");
    assert!(states > 1000);
}

#[test]
fn both_ways_with_losses() {
    let states = explore::<2>(Limits {
        messages: [1, 2],
        losses: 1,
        timeouts: 1,
        ..CALM
    });
    println!("{states} states");
    assert!(states > 1000);
}

#[test]
fn restarts_of_either_side() {
    for restarts in [[0, 1], [1, 0]] {
        let states = explore::<2>(Limits {
            messages: [1, 1],
            losses: 1,
            timeouts: 1,
            restarts,
            ..CALM
        });
        println!("{states} states");
        assert!(states > 1000);
    }
}
