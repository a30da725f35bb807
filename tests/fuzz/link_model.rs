//! Both ends of a link against a model of what they promise, by a script of what happens.
//!
//! The model is two queues a session. Whatever the wire does to the bytes, and whenever either
//! side restarts: what a side hands out is what the other has sent in the same session, in order,
//! each once, nothing else. And when the wire is good again, all of it is handed out.

use microtome_link::{Event, FRAME_LEN_MAX, LinkEnd, ToBoard, ToHost};
use std::collections::VecDeque;

/// Small, so that scripts soon fill it.
const WINDOW: usize = 2;
/// Frames that are on the wire at most, either way.
const FRAMES_MAX: usize = 8;
/// More than the longest timeout of the link.
const LONG_US: u64 = 3_000_000;

type End = LinkEnd<WINDOW>;

/// A side, and what it has promised.
struct Party {
    end: End,
    /// Frames on their way to this side.
    frames: VecDeque<Vec<u8>>,
    /// Messages that this side has handed out in its session.
    heard: u32,
    /// Sessions in which this side has sent messages, each with how many.
    sessions: Vec<(u32, u32)>,
}

impl Party {
    fn new(end: End) -> Self {
        Self {
            end,
            frames: VecDeque::new(),
            heard: 0,
            sessions: Vec::new(),
        }
    }

    /// Messages that this side has sent in `session`.
    fn sent_in(&self, session: u32) -> u32 {
        let mut sessions = self.sessions.iter();
        sessions
            .find(|(number, _)| *number == session)
            .map_or(0, |(_, sent)| *sent)
    }
}

/// Both sides, host and board, and the time.
struct World {
    parties: [Party; 2],
    now_us: u64,
    restarts: u32,
}

/// Runs the script; whether any message was handed out in its course.
///
/// Of each byte the lowest bit is a side, the next three say what happens, the others how.
pub fn script(bytes: &[u8]) -> bool {
    let mut world = World {
        parties: [Party::new(End::host(1)), Party::new(End::board())],
        now_us: 0,
        restarts: 0,
    };
    let mut messages = 0;
    for &byte in bytes {
        let (at, what, how) = (usize::from(byte & 1), byte >> 1 & 7, usize::from(byte >> 4));
        match what {
            0 => world.transmit(at),
            1 => world.deliver(at, how),
            2 => world.damage(at, how),
            3 => world.repeat(at),
            4 => world.send(at),
            5 => messages += world.hear(at),
            6 => world.now_us += 1 << how,
            _ => world.restart(at, how),
        }
    }
    world.settle();
    messages > 0
}

impl World {
    /// Puts a frame of this side on the wire.
    fn transmit(&mut self, at: usize) {
        let mut out = [0; FRAME_LEN_MAX];
        if self.parties[1 - at].frames.len() < FRAMES_MAX
            && let Some(frame) = self.parties[at].end.poll_transmit(self.now_us, &mut out)
        {
            self.parties[1 - at].frames.push_back(frame.to_vec());
        }
    }

    /// Brings this side a frame, in two pieces.
    fn deliver(&mut self, at: usize, how: usize) {
        let party = &mut self.parties[at];
        if let Some(frame) = party.frames.pop_front() {
            let (head, tail) = frame.split_at(how.min(frame.len()));
            party.end.receive(head, self.now_us);
            party.end.receive(tail, self.now_us);
        }
    }

    /// Damages the next frame to this side: it loses a byte, or all.
    fn damage(&mut self, at: usize, how: usize) {
        let frames = &mut self.parties[at].frames;
        match frames.front_mut() {
            Some(frame) if how < frame.len() => drop(frame.remove(how)),
            _ => drop(frames.pop_front()),
        }
    }

    /// The next frame to this side comes twice, one right after the other.
    fn repeat(&mut self, at: usize) {
        let party = &mut self.parties[at];
        if let Some(frame) = party.frames.pop_front() {
            party.end.receive(&frame, self.now_us);
            party.end.receive(&frame, self.now_us);
        }
    }

    /// This side sends its next message, if there is room. It may do so in a session that it was
    /// not told of yet.
    fn send(&mut self, at: usize) {
        let party = &mut self.parties[at];
        let Some(session) = party.end.session() else {
            return;
        };
        let number = party.sent_in(session);
        let is_sent = match at {
            0 => party.end.send(&ToBoard::NoAnswer { frame: number }),
            _ => party.end.send(&ToHost::Stopped { frames: number }),
        };
        if is_sent.is_ok() {
            party.sessions.retain(|(number, _)| *number != session);
            party.sessions.push((session, number + 1));
        }
    }

    /// All events of this side; how many of them are messages.
    fn hear(&mut self, at: usize) -> usize {
        let mut messages = 0;
        loop {
            let [host, board] = &mut self.parties;
            let (party, peer) = if at == 0 {
                (host, board)
            } else {
                (board, host)
            };
            let session = party.end.session();
            match party.end.poll_event() {
                None => return messages,
                Some(Event::Closed | Event::Opened) => party.heard = 0,
                Some(Event::OtherVersion(version)) => panic!("nobody speaks version {version}"),
                Some(Event::Message(message)) => {
                    let number = match at {
                        0 => match message.decode() {
                            Ok(ToHost::Stopped { frames }) => frames,
                            other => panic!("not what was sent: {other:?}"),
                        },
                        _ => match message.decode() {
                            Ok(ToBoard::NoAnswer { frame }) => frame,
                            other => panic!("not what was sent: {other:?}"),
                        },
                    };
                    let session = session.expect("messages belong to a session");
                    assert_eq!(number, party.heard, "lost, repeated or out of order");
                    assert!(number < peer.sent_in(session), "never sent");
                    party.heard += 1;
                    messages += 1;
                }
            }
        }
    }

    /// This side starts anew. What is on the wire may stay there, or end with it.
    fn restart(&mut self, at: usize, how: usize) {
        self.restarts += 1;
        let end = match at {
            0 => End::host(1 + 1000 * self.restarts),
            _ => End::board(),
        };
        if how & 1 == 1 {
            self.parties[1 - at].frames.clear();
        }
        let party = &mut self.parties[at];
        party.end = end;
        party.heard = 0;
    }

    /// The wire is good and both sides act: there is a session, and all that was sent in it is
    /// handed out.
    fn settle(&mut self) {
        for _ in 0..40 {
            for at in [0, 1] {
                for _ in 0..FRAMES_MAX {
                    self.transmit(at);
                }
                while !self.parties[1 - at].frames.is_empty() {
                    self.deliver(1 - at, 3);
                }
                self.hear(1 - at);
            }
            let due_us = self
                .parties
                .iter()
                .filter_map(|party| party.end.poll_timeout());
            let due_us = due_us.min().unwrap_or(self.now_us);
            assert!(
                due_us <= self.now_us + LONG_US,
                "nothing would happen for too long"
            );
            self.now_us = self.now_us.max(due_us);
        }
        let [host, board] = &self.parties;
        assert!(host.end.is_open(), "there is no session");
        assert_eq!(host.end.session(), board.end.session());
        let session = host.end.session().expect("it is open");
        assert_eq!(
            host.heard,
            board.sent_in(session),
            "the host misses messages"
        );
        assert_eq!(
            board.heard,
            host.sent_in(session),
            "the board misses messages"
        );
        assert!(host.end.is_flushed() && board.end.is_flushed());
    }
}
