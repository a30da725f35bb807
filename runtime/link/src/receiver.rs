//! The receiving half of a session: hands out each message once and in order.
//!
//! A message keeps its slot until it is handed out, and credit is given for free slots only.
//! Log messages have one slot of their own; while it is taken, further ones are dropped.

use crate::WINDOW;
use crate::frame::Raw;
use crate::message::{Channel, Received};

#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    /// Ring; message `n` lies in slot `n mod WINDOW`.
    slots: [(Raw, Channel); WINDOW],
    /// Sequence number of the message that must come next.
    expected: u8,
    /// Messages before it that were not handed out yet.
    waiting: u8,
    log: Raw,
    log_waits: bool,
    answer: Answer,
    /// A gap is rejected once, until it is filled.
    is_rejected: bool,
    /// Log messages that were dropped.
    pub logs_dropped: u32,
}

/// The acknowledgement that is due to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Ack,
    Reject,
}

impl Receiver {
    pub const NEW: Self = Self {
        slots: [const { (Raw::EMPTY, Channel::Control) }; WINDOW],
        expected: 0,
        waiting: 0,
        log: Raw::EMPTY,
        log_waits: false,
        answer: Answer::Nothing,
        is_rejected: false,
        logs_dropped: 0,
    };

    /// Drops every message: a new session begins.
    pub fn reset(&mut self) {
        (self.expected, self.waiting, self.log_waits) = (0, 0, false);
        (self.answer, self.is_rejected) = (Answer::Nothing, false);
    }

    pub const fn expected(&self) -> u8 {
        self.expected
    }

    pub const fn credit(&self) -> u8 {
        WINDOW as u8 - self.waiting
    }

    /// Takes the message if it is the next one and there is room, and owes an acknowledgement.
    pub fn accept(&mut self, sequence: u8, channel: Channel, body: &[u8]) {
        let ahead = sequence.wrapping_sub(self.expected);
        let is_gap = ahead > 0 && usize::from(ahead) < WINDOW;
        if is_gap && !self.is_rejected {
            self.is_rejected = true;
            self.answer = Answer::Reject;
            return;
        }
        if ahead == 0 && self.credit() > 0 {
            let slot = &mut self.slots[usize::from(sequence) % WINDOW];
            slot.0.set_body(body);
            slot.1 = channel;
            self.expected = self.expected.wrapping_add(1);
            self.waiting += 1;
            self.is_rejected = false;
        }
        self.acknowledge();
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
        if usize::from(self.waiting) == WINDOW - 1 {
            // The peer was told that there is no room at all.
            self.acknowledge();
        }
        let (raw, channel) = &self.slots[usize::from(sequence) % WINDOW];
        Some(Received {
            channel: *channel,
            body: raw.body(),
        })
    }
}
