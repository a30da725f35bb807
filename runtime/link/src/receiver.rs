//! The receiving half of a session: hands out each message once and in order.
//!
//! A message keeps its slot from when it arrives, in whatever order, until it is handed out, and
//! credit is given for free slots only. Log messages have one slot of their own; while it is taken,
//! further ones are dropped.

use crate::frame::{Header, Kind, Raw};
use crate::message::{Channel, Received};

#[derive(Clone, Debug)]
pub(crate) struct Receiver<const W: usize> {
    /// Ring; message `n` lies in slot `n mod W`.
    slots: [(Raw, Channel); W],
    /// Sequence number of the message that must come next.
    expected: u8,
    /// Bit `n`: message `expected + n` has arrived. Bit 0 is clear.
    arrived: u8,
    /// Messages before `expected` that were not handed out yet.
    waiting: u8,
    /// The first message for which the peer was last told that there is no room.
    edge_told: u8,
    log: Raw,
    log_waits: bool,
    answer: Answer,
    /// Number of the last query.
    query: u8,
    /// Log messages that were dropped.
    pub logs_dropped: u32,
}

/// The acknowledgement that is due to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    /// With the next frame, or alone if there is none.
    Ack,
    /// Alone and at once: the peer has asked, or sends more than it would if it knew.
    Now,
}

impl<const W: usize> Receiver<W> {
    pub const NEW: Self = Self {
        slots: [const { (Raw::EMPTY, Channel::Control) }; W],
        expected: 0,
        arrived: 0,
        waiting: 0,
        edge_told: 0,
        log: Raw::EMPTY,
        log_waits: false,
        answer: Answer::Nothing,
        query: 0,
        logs_dropped: 0,
    };

    /// Drops every message: a new session begins.
    pub fn reset(&mut self) {
        (self.expected, self.arrived, self.waiting) = (0, 0, 0);
        (self.edge_told, self.log_waits) = (0, false);
        (self.answer, self.query) = (Answer::Nothing, 0);
    }

    const fn credit(&self) -> u8 {
        W as u8 - self.waiting
    }

    const fn edge(&self) -> u8 {
        self.expected.wrapping_add(self.credit())
    }

    /// The number of the last query.
    pub const fn query(&self) -> u8 {
        self.query
    }

    /// A header, which tells the peer all that there is to tell.
    pub fn tell(&mut self, kind: Kind, session: u32, sequence: u8) -> Header {
        self.edge_told = self.edge();
        Header {
            kind,
            session,
            sequence,
            acknowledgement: self.expected,
            credit: self.credit(),
            arrived: self.arrived,
        }
    }

    /// Takes the message if it is new and there is room, and owes an acknowledgement.
    pub fn accept(&mut self, sequence: u8, channel: Channel, body: &[u8]) {
        let ahead = sequence.wrapping_sub(self.expected);
        if ahead < self.credit() && self.arrived >> ahead & 1 == 0 {
            let slot = &mut self.slots[usize::from(sequence) % W];
            slot.0.set_body(body);
            slot.1 = channel;
            self.arrived |= 1 << ahead;
            while self.arrived & 1 == 1 {
                self.arrived >>= 1;
                self.expected = self.expected.wrapping_add(1);
                self.waiting += 1;
            }
        }
        if self.arrived != 0 {
            // A message is missing.
            self.answer = Answer::Now;
        }
        self.acknowledge();
    }

    /// Takes a query, and owes the answer.
    pub fn accept_query(&mut self, number: u8) {
        self.query = number;
        self.answer = Answer::Now;
    }

    /// Takes a log message if there is room.
    pub fn accept_log(&mut self, body: &[u8]) {
        if self.log_waits {
            self.logs_dropped = self.logs_dropped.wrapping_add(1);
        } else {
            self.log.set_body(body);
            self.log_waits = true;
        }
    }

    /// Owes an acknowledgement.
    pub fn acknowledge(&mut self) {
        if self.answer == Answer::Nothing {
            self.answer = Answer::Ack;
        }
    }

    /// The acknowledgement that is due; it is so no longer.
    pub fn take_answer(&mut self) -> Answer {
        core::mem::replace(&mut self.answer, Answer::Nothing)
    }

    /// Hands out the next message.
    pub fn pop(&mut self) -> Option<Received<'_>> {
        if core::mem::take(&mut self.log_waits) {
            return Some(Received {
                channel: Channel::Log,
                body: self.log.body(),
            });
        }
        let sequence = self.expected.wrapping_sub(self.waiting);
        self.waiting = self.waiting.checked_sub(1)?;
        let untold = self.edge().wrapping_sub(self.edge_told);
        if usize::from(untold) * 2 >= W || self.edge_told == self.expected {
            // The peer may be waiting for the room.
            self.acknowledge();
        }
        let (raw, channel) = &self.slots[usize::from(sequence) % W];
        Some(Received {
            channel: *channel,
            body: raw.body(),
        })
    }
}
