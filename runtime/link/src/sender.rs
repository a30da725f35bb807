//! The sending half of a session: a window of messages, sent again from the first that is
//! missing ("go back N").
//!
//! A message holds its slot until it is acknowledged. When all slots are taken, [`Sender::push`]
//! refuses and the caller keeps the message: nothing is dropped within a session.

use crate::WINDOW;
use crate::frame::Raw;
use crate::message::Channel;
use crate::timeout::Timeout;

#[derive(Clone, Debug)]
struct Slot {
    raw: Raw,
    channel: Channel,
}

#[derive(Clone, Debug)]
pub(crate) struct Sender {
    /// Ring; message `base` lies in slot `base mod WINDOW`.
    slots: [Slot; WINDOW],
    /// Sequence number of the oldest message that is not acknowledged.
    base: u8,
    /// Messages from `base` on that are held; that were sent at least once; and those before the
    /// one to be sent next. `next <= sent <= held`.
    held: u8,
    sent: u8,
    next: u8,
    /// Messages from `base` on that the peer has room for.
    credit: u8,
    /// A timeout allows one message beyond the credit, lest a lost credit stop the link.
    may_probe: bool,
    timeout: Timeout,
    deadline_us: Option<u64>,
    /// The message whose round trip is being measured, and when it was sent.
    timed: Option<(u8, u64)>,
    /// Messages that were sent more than once.
    pub repeated: u32,
}

const _: () = assert!(WINDOW.is_power_of_two() && WINDOW < 128);

impl Sender {
    pub const NEW: Self = Self {
        slots: [const {
            Slot {
                raw: Raw::EMPTY,
                channel: Channel::Control,
            }
        }; WINDOW],
        base: 0,
        held: 0,
        sent: 0,
        next: 0,
        credit: 0,
        may_probe: false,
        timeout: Timeout::NEW,
        deadline_us: None,
        timed: None,
        repeated: 0,
    };

    /// Forgets every message: a new session begins.
    pub fn reset(&mut self) {
        (self.base, self.held, self.sent, self.next) = (0, 0, 0, 0);
        (self.credit, self.may_probe) = (0, false);
        (self.timeout, self.deadline_us, self.timed) = (Timeout::NEW, None, None);
    }

    pub const fn is_full(&self) -> bool {
        self.held as usize == WINDOW
    }

    pub const fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes a message unless the window is full; `false` when it is too long.
    pub fn push(&mut self, channel: Channel, message: &impl serde::Serialize) -> bool {
        let slot = &mut self.slots[slot_of(self.base.wrapping_add(self.held))];
        slot.channel = channel;
        let fits = slot.raw.set_message(message);
        self.held += u8::from(fits);
        fits
    }

    /// The peer expects message `expected` next and has room for `credit` from there on.
    pub fn acknowledged(&mut self, expected: u8, credit: u8, now_us: u64) {
        let count = expected.wrapping_sub(self.base);
        if count > self.sent {
            return;
        }
        self.credit = credit;
        if count == 0 {
            return;
        }
        if let Some((sequence, sent_us)) = self.timed
            && sequence.wrapping_sub(self.base) < count
        {
            self.timeout.measured(now_us.saturating_sub(sent_us));
            self.timed = None;
        }
        self.base = expected;
        self.held -= count;
        self.sent -= count;
        self.next = self.next.saturating_sub(count);
        self.deadline_us = None;
    }

    /// The peer misses the first message that is not acknowledged.
    pub fn rejected(&mut self) {
        self.next = 0;
        self.timed = None;
        self.deadline_us = None;
    }

    /// The message to send now, with its sequence number and channel.
    pub fn poll(&mut self, now_us: u64) -> Option<(&mut Raw, u8, Channel)> {
        if self.deadline_us.is_some_and(|at| at <= now_us) {
            self.rejected();
            self.timeout.expired();
            self.may_probe = true;
        }
        if self.held > 0 && self.deadline_us.is_none() {
            self.deadline_us = Some(now_us + self.timeout.current_us());
        }
        let may_send = self.next < self.credit || core::mem::take(&mut self.may_probe);
        if self.next >= self.held || !may_send {
            return None;
        }
        let sequence = self.base.wrapping_add(self.next);
        self.next += 1;
        if self.next <= self.sent {
            self.repeated = self.repeated.wrapping_add(1);
        } else {
            self.sent = self.next;
            self.timed = self.timed.or(Some((sequence, now_us)));
        }
        let slot = &mut self.slots[slot_of(sequence)];
        Some((&mut slot.raw, sequence, slot.channel))
    }

    /// When [`Sender::poll`] may have something to send without any other cause.
    pub const fn deadline_us(&self) -> Option<u64> {
        self.deadline_us
    }
}

const fn slot_of(sequence: u8) -> usize {
    sequence as usize % WINDOW
}
