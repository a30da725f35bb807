//! The sending half of a session: a window of messages, of which those that are lost are sent
//! again ("selective repeat").
//!
//! A message holds its slot until it is acknowledged, in order. When all slots are taken,
//! [`Sender::push`] refuses and the caller keeps the message: nothing is dropped within a session.
//!
//! A wire keeps the order of frames. So when a message has arrived, every one that was sent before
//! it and has not arrived is lost, and is sent again at once. Where no message follows, a query
//! does: a short frame, whose answer tells as much. It is sent when nothing was heard in time, and
//! at once after a message that was sent again. So no message is ever sent again that is not lost,
//! and a timeout that was too short costs a few bytes.

use crate::frame::{BARE_LEN, Header, Kind, Raw};
use crate::message::Channel;
use crate::timeout::Timeout;
use heapless::Vec;

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub raw: Raw,
    pub channel: Channel,
}

/// What is to be sent.
pub(crate) enum Departure<'a> {
    /// The message, and its sequence number.
    Message(&'a mut Slot, u8),
    /// A query of this number.
    Query(u8),
}

/// A frame whose round trip is being measured: it was sent once.
#[derive(Clone, Copy, Debug)]
struct Timed {
    /// Sequence number of the message, or number of the query.
    number: u8,
    sent_us: u64,
    /// Bytes that were under way then, its own included.
    bytes: u32,
}

/// Whether to ask what has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// A message was sent again: ask if none follows it.
    Resent,
    /// Nothing was heard in time: ask now.
    Expired,
}

#[derive(Clone, Debug)]
pub(crate) struct Sender<const W: usize> {
    /// Ring; message `n` lies in slot `n mod W`.
    slots: [Slot; W],
    /// Sequence number of the oldest message that has not arrived.
    base: u8,
    /// Messages from `base` on that are held, and of these the ones that were sent at least once.
    held: u8,
    sent: u8,
    /// Bit `n`: message `base + n` has arrived although `base` has not.
    arrived: u8,
    /// The messages under way, in the order in which each was sent last.
    flight: Vec<u8, W>,
    /// Messages from `base` on that the peer has room for.
    credit: u8,
    doubt: Doubt,
    /// Number of the last query.
    queries: u8,
    /// The query that is under way, and how many messages of the flight are before it.
    query: Option<Timed>,
    before_query: usize,
    timeout: Timeout,
    deadline_us: Option<u64>,
    /// The message that is being timed.
    timed: Option<Timed>,
    /// How often a message was sent again.
    pub repeated: u32,
}

impl<const W: usize> Sender<W> {
    pub const NEW: Self = Self {
        slots: [const {
            Slot {
                raw: Raw::EMPTY,
                channel: Channel::Control,
            }
        }; W],
        base: 0,
        held: 0,
        sent: 0,
        arrived: 0,
        flight: Vec::new(),
        credit: 0,
        doubt: Doubt::None,
        queries: 0,
        query: None,
        before_query: 0,
        timeout: Timeout::NEW,
        deadline_us: None,
        timed: None,
        repeated: 0,
    };

    /// Forgets every message: a new session begins.
    pub fn reset(&mut self) {
        (self.base, self.held, self.sent, self.arrived) = (0, 0, 0, 0);
        self.flight.clear();
        (self.credit, self.doubt) = (0, Doubt::None);
        (self.queries, self.query, self.before_query) = (0, None, 0);
        (self.timeout, self.deadline_us, self.timed) = (Timeout::NEW, None, None);
    }

    pub const fn is_full(&self) -> bool {
        self.held as usize == W
    }

    pub const fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes a message unless the window is full; `false` when it is too long.
    pub fn push(&mut self, channel: Channel, message: &impl serde::Serialize) -> bool {
        let slot = &mut self.slots[slot_of::<W>(self.base.wrapping_add(self.held))];
        slot.channel = channel;
        let fits = slot.raw.set_message(message);
        self.held += u8::from(fits);
        fits
    }

    /// Takes what a frame of the peer acknowledges.
    pub fn acknowledged(&mut self, header: &Header, now_us: u64) {
        let count = header.acknowledgement.wrapping_sub(self.base);
        if count > self.sent {
            return;
        }
        let credit = header.credit.min(W as u8);
        // Sixteen bits have room for a window of eight messages and as many before it. The message
        // that the peer expects has not arrived, whatever it says.
        let after = !(u16::MAX << count) | u16::from(header.arrived & !1) << count;
        let after = after & !(u16::MAX << self.sent);
        let has_answer = header.kind == Kind::Ack
            && self
                .query
                .is_some_and(|query| query.number == header.sequence);
        let landed = self.landed(after, has_answer);
        let has_news =
            landed > 0 || after != u16::from(self.arrived) || count + credit > self.credit;
        if has_news {
            self.deadline_us = None;
            self.measure(after, has_answer, now_us);
        }
        if has_answer {
            self.query = None;
        }
        self.flight = Vec::from_slice(&self.flight[landed..]).unwrap_or_default();
        self.before_query = self.before_query.saturating_sub(landed);
        if self.flight.is_empty() && self.doubt == Doubt::Resent {
            self.doubt = Doubt::None;
        }
        self.base = header.acknowledgement;
        self.held -= count;
        self.sent -= count;
        self.arrived = (after >> count) as u8;
        self.credit = credit;
    }

    /// How many messages at the beginning of the flight have arrived by now, or are lost because
    /// something after them has.
    fn landed(&self, arrived: u16, has_answer: bool) -> usize {
        let has_arrived = |&sequence: &u8| arrived >> sequence.wrapping_sub(self.base) & 1 == 1;
        let newest = self.flight.iter().rposition(has_arrived);
        let answered = if has_answer { self.before_query } else { 0 };
        newest.map_or(0, |newest| newest + 1).max(answered)
    }

    /// Learns from the round trips that have ended.
    fn measure(&mut self, arrived: u16, has_answer: bool, now_us: u64) {
        let ended = self
            .timed
            .take_if(|timed| arrived >> timed.number.wrapping_sub(self.base) & 1 == 1);
        let answered = self.query.filter(|_| has_answer);
        for timed in [ended, answered].into_iter().flatten() {
            let round_trip_us = now_us.saturating_sub(timed.sent_us);
            self.timeout.measured(round_trip_us, timed.bytes);
        }
    }

    /// What to send now.
    pub fn poll(&mut self, now_us: u64) -> Option<Departure<'_>> {
        if self.deadline_us.is_some_and(|at| at <= now_us) {
            self.timeout.expired();
            (self.deadline_us, self.doubt) = (None, Doubt::Expired);
        }
        let next = self.next().filter(|_| self.doubt != Doubt::Expired);
        let must_ask = match self.doubt {
            Doubt::None => false,
            Doubt::Resent => next.is_none() && !self.flight.is_empty(),
            Doubt::Expired => true,
        };
        if let Some(sequence) = next {
            self.depart(sequence, now_us);
        } else if must_ask {
            self.ask(now_us);
        }
        if self.held > 0 && self.deadline_us.is_none() {
            self.deadline_us = Some(now_us + self.timeout.current_us(self.flight_bytes()));
        }
        if must_ask {
            return Some(Departure::Query(self.queries));
        }
        let sequence = next?;
        let slot = &mut self.slots[slot_of::<W>(sequence)];
        Some(Departure::Message(slot, sequence))
    }

    /// The first message that is to be sent, if the peer has room for it.
    fn next(&self) -> Option<u8> {
        let mut indices = 0..self.held.min(self.credit);
        let index = indices.find(|index| {
            let sequence = self.base.wrapping_add(*index);
            self.arrived >> index & 1 == 0 && !self.flight.contains(&sequence)
        })?;
        Some(self.base.wrapping_add(index))
    }

    /// Notes that the message is sent.
    fn depart(&mut self, sequence: u8, now_us: u64) {
        let is_added = self.flight.push(sequence).is_ok();
        debug_assert!(is_added, "a message is under way once");
        let index = sequence.wrapping_sub(self.base);
        if index < self.sent {
            self.repeated = self.repeated.wrapping_add(1);
            self.timed = self.timed.filter(|timed| timed.number != sequence);
            self.doubt = Doubt::Resent;
        } else {
            self.sent = index + 1;
            let timed = self.timed(sequence, 0, now_us);
            self.timed = self.timed.or(Some(timed));
        }
    }

    /// Notes that a query is sent.
    fn ask(&mut self, now_us: u64) {
        self.doubt = Doubt::None;
        self.queries = self.queries.wrapping_add(1);
        self.query = Some(self.timed(self.queries, BARE_LEN, now_us));
        self.before_query = self.flight.len();
    }

    fn timed(&self, number: u8, len: u32, now_us: u64) -> Timed {
        Timed {
            number,
            sent_us: now_us,
            bytes: self.flight_bytes() + len,
        }
    }

    fn flight_bytes(&self) -> u32 {
        let slots = self.flight.iter().map(|&sequence| slot_of::<W>(sequence));
        slots.map(|slot| self.slots[slot].raw.wire_len()).sum()
    }

    /// When [`Sender::poll`] may have something to send without any other cause.
    pub const fn deadline_us(&self) -> Option<u64> {
        self.deadline_us
    }
}

const fn slot_of<const W: usize>(sequence: u8) -> usize {
    sequence as usize % W
}
