//! Sessions: both halves of the link, and how they begin and begin again.
//!
//! The host opens a session under a number that it never used before, another one at each attempt:
//! so a board that restarts between two attempts has not the same session as before. The board
//! takes any session that is opened and forgets the one before it. A board without a session (it
//! has just started) says so until one is opened, so that the host learns of a restart and opens
//! the next session. Messages of another session are dropped. Within a session every message that was taken is
//! handed out by the other side exactly once and in order; with the session ends the promise. Log
//! messages have no promise at all.
//!
//! The wire may lose, damage, repeat and invent bytes, but must not reorder frames.

use crate::WINDOW_MAX;
use crate::frame::{FRAME_LEN_MAX, Header, Kind, Raw};
use crate::link::Event;
use crate::message::Channel;
use crate::receiver::{Answer, Receiver};
use crate::sender::{Departure, Sender};

/// Time between the first two attempts to open a session, and between the first two announcements
/// of having none; it doubles from one to the next, lest a host on a slow line never hear of an
/// attempt before it makes the next one.
const HANDSHAKE_PERIOD_US: u64 = 100_000;
/// Of these periods, the fourth is the longest.
const HANDSHAKES_MAX: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Host,
    Board,
}

#[derive(Clone, Debug)]
pub(crate) struct Session<const W: usize> {
    role: Role,
    /// The session that is open, or that the host tried to open last; 0 is none.
    number: u32,
    is_open: bool,
    /// When a session was opened or the lack of one announced last, and how often since there was
    /// one; `None` is that it is to be done at once.
    handshake_us: Option<u64>,
    handshakes: u32,
    receiver: Receiver<W>,
    sender: Sender<W>,
    log: Raw,
    log_waits: bool,
    tells_closed: bool,
    tells_opened: bool,
}

impl<const W: usize> Session<W> {
    pub const fn new(role: Role, number: u32) -> Self {
        const { assert!(W.is_power_of_two() && W <= WINDOW_MAX) };
        Self {
            role,
            number,
            is_open: false,
            handshake_us: None,
            handshakes: 0,
            receiver: Receiver::NEW,
            sender: Sender::NEW,
            log: Raw::EMPTY,
            log_waits: false,
            tells_closed: false,
            tells_opened: false,
        }
    }

    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    pub const fn number(&self) -> Option<u32> {
        if self.is_open {
            Some(self.number)
        } else {
            None
        }
    }

    pub const fn is_flushed(&self) -> bool {
        self.sender.is_empty()
    }

    pub const fn has_room(&self, channel: Channel) -> bool {
        let is_taken = match channel {
            Channel::Log => self.log_waits,
            _ => self.sender.is_full(),
        };
        self.is_open && !is_taken
    }

    /// Takes a message for which there is room; `false` when it is too long.
    pub fn push(&mut self, channel: Channel, message: &impl serde::Serialize) -> bool {
        match channel {
            Channel::Log => {
                self.log_waits = self.log.set_message(message);
                self.log_waits
            }
            _ => self.sender.push(channel, message),
        }
    }

    pub fn receive(&mut self, header: Header, body: &[u8], now_us: u64) {
        match self.role {
            Role::Host => self.handshake_as_host(header),
            Role::Board => self.handshake_as_board(header),
        }
        if !self.is_open || header.session != self.number {
            return;
        }
        self.sender.acknowledged(&header, now_us);
        match header.kind {
            Kind::Ack | Kind::Announce => {}
            Kind::Query => self.receiver.accept_query(header.sequence),
            Kind::Open => self.receiver.acknowledge(),
            Kind::Message(Channel::Log) => self.receiver.accept_log(body),
            Kind::Message(channel) => self.receiver.accept(header.sequence, channel, body),
        }
    }

    fn handshake_as_host(&mut self, header: Header) {
        if header.kind == Kind::Announce {
            if self.is_open {
                self.end();
            }
            // There is somebody now. An attempt that is under way is waited for nevertheless: the
            // next one would end what it begins.
            self.handshakes = self.handshakes.min(1);
        } else if !self.is_open && header.session == self.number && header.kind != Kind::Open {
            self.begin();
        }
    }

    fn handshake_as_board(&mut self, header: Header) {
        if header.session == 0 {
            return;
        }
        if header.kind == Kind::Open && !(self.is_open && header.session == self.number) {
            if self.is_open {
                self.end();
            }
            self.number = header.session;
            self.begin();
        } else if !self.is_open {
            // The host believes in a session that is gone.
            self.handshake_us = None;
        }
    }

    fn begin(&mut self) {
        self.sender.reset();
        self.receiver.reset();
        self.log_waits = false;
        (self.handshake_us, self.handshakes) = (None, 0);
        self.is_open = true;
        self.tells_opened = true;
    }

    fn end(&mut self) {
        self.receiver.reset();
        self.is_open = false;
        // A session that nobody was told of needs no end.
        self.tells_closed |= !self.tells_opened;
        self.tells_opened = false;
    }

    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        if core::mem::take(&mut self.tells_closed) {
            return Some(Event::Closed);
        }
        if core::mem::take(&mut self.tells_opened) {
            return Some(Event::Opened);
        }
        self.receiver.pop().map(Event::Message)
    }

    pub fn poll_transmit<'o>(
        &mut self,
        now_us: u64,
        out: &'o mut [u8; FRAME_LEN_MAX],
    ) -> Option<&'o [u8]> {
        if !self.is_open {
            return self.poll_handshake(now_us, out);
        }
        let answer = self.receiver.take_answer();
        if answer == Answer::Now {
            return Some(self.acknowledgement().encode_bare(out));
        }
        // Every frame acknowledges what has arrived.
        match self.sender.poll(now_us) {
            Some(Departure::Message(slot, sequence)) => {
                let kind = Kind::Message(slot.channel);
                let header = self.receiver.tell(kind, self.number, sequence);
                return Some(slot.raw.encode(header, out));
            }
            Some(Departure::Query(number)) => {
                let header = self.receiver.tell(Kind::Query, self.number, number);
                return Some(header.encode_bare(out));
            }
            None => {}
        }
        if core::mem::take(&mut self.log_waits) {
            let kind = Kind::Message(Channel::Log);
            let header = self.receiver.tell(kind, self.number, 0);
            return Some(self.log.encode(header, out));
        }
        (answer == Answer::Ack).then(|| self.acknowledgement().encode_bare(out))
    }

    fn acknowledgement(&mut self) -> Header {
        let query = self.receiver.query();
        self.receiver.tell(Kind::Ack, self.number, query)
    }

    fn poll_handshake<'o>(
        &mut self,
        now_us: u64,
        out: &'o mut [u8; FRAME_LEN_MAX],
    ) -> Option<&'o [u8]> {
        if now_us < self.handshake_due_us() {
            return None;
        }
        self.handshake_us = Some(now_us);
        self.handshakes = (self.handshakes + 1).min(HANDSHAKES_MAX);
        let header = match self.role {
            Role::Host => {
                self.number = self.number.wrapping_add(1).max(1);
                self.receiver.tell(Kind::Open, self.number, 0)
            }
            Role::Board => self.receiver.tell(Kind::Announce, 0, 0),
        };
        Some(header.encode_bare(out))
    }

    pub const fn poll_timeout(&self) -> Option<u64> {
        if self.is_open {
            self.sender.deadline_us()
        } else {
            Some(self.handshake_due_us())
        }
    }

    const fn handshake_due_us(&self) -> u64 {
        let Some(last_us) = self.handshake_us else {
            return 0;
        };
        last_us + (HANDSHAKE_PERIOD_US << self.handshakes.saturating_sub(1))
    }

    pub const fn repeated(&self) -> u32 {
        self.sender.repeated
    }

    pub const fn logs_dropped(&self) -> u32 {
        self.receiver.logs_dropped
    }
}
