//! One end of the link: bytes in, events out; messages in, frames out.
//!
//! Every buffer is a fixed part of a [`LinkEnd`]. When the window is full, [`LinkEnd::send`] says so and
//! the caller waits: that is the back-pressure of the whole system.

use crate::WINDOW;
use crate::frame::{Bad, Deframer, FRAME_LEN_MAX};
use crate::message::{Channel, Message, Received};
use crate::session::{Role, Session};

/// What happened on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The session ended: the peer restarted. Messages on their way are gone.
    Closed,
    /// A session began.
    Opened,
    /// The peer's frames have another [`VERSION`](crate::frame::VERSION), this one.
    OtherVersion(u8),
    /// A message.
    Message(Received<'a>),
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no session.
    #[error("the link is not open")]
    Closed,
    /// The window is full: try again when an acknowledgement has come.
    #[error("{WINDOW} messages are under way already")]
    Full,
    /// The message is longer than [`MESSAGE_LEN_MAX`](crate::message::MESSAGE_LEN_MAX).
    #[error("the message is too long")]
    TooLong,
}

/// What the link has seen, for diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Frames that arrived whole.
    pub received: u32,
    /// Pieces between zero bytes that were no frame: damage, or a device that speaks something
    /// else.
    pub garbage: u32,
    /// Messages that were sent again.
    pub repeated: u32,
    /// Log messages that were dropped on arrival.
    pub logs_dropped: u32,
}

/// One end of the link with the usual window.
pub type Link = LinkEnd<WINDOW>;

/// One end of the link, with a window of `W` messages: a power of two, [`WINDOW_MAX`] at most. Both
/// ends may differ in it.
///
/// It takes the room of `2 * W + 3` of the longest frames ([`FRAME_LEN_MAX`]) and about 200 bytes,
/// all within itself.
///
/// Its owner gives it the bytes that come ([`LinkEnd::receive`]), writes what
/// [`LinkEnd::poll_transmit`] returns until that is `None`, acts on what [`LinkEnd::poll_event`]
/// returns, and comes back when bytes have come, a message is to be sent, or it is
/// [`LinkEnd::poll_timeout`]. A message that is not taken from [`LinkEnd::poll_event`] stays where it
/// is, and in time the peer is told that there is no room.
#[derive(Clone, Debug)]
pub struct LinkEnd<const W: usize> {
    deframer: Deframer,
    session: Session<W>,
    /// Whether there was nothing to transmit: noise may precede the next frame.
    is_idle: bool,
    /// The peer's other version, and whether it was told.
    other_version: Option<(u8, bool)>,
    received: u32,
    garbage: u32,
}

impl<const W: usize> LinkEnd<W> {
    /// The host's end. `seed` should differ from one start of the host to the next: the numbers
    /// of sessions count on from it.
    pub const fn host(seed: u32) -> Self {
        Self::new(Role::Host, seed)
    }

    /// The board's end.
    pub const fn board() -> Self {
        Self::new(Role::Board, 0)
    }

    const fn new(role: Role, session: u32) -> Self {
        Self {
            deframer: Deframer::EMPTY,
            session: Session::new(role, session),
            is_idle: true,
            other_version: None,
            received: 0,
            garbage: 0,
        }
    }

    /// Whether there is a session.
    pub const fn is_open(&self) -> bool {
        self.session.is_open()
    }

    /// The session, if there is one.
    pub const fn session(&self) -> Option<u32> {
        self.session.number()
    }

    /// Whether every message that was sent has been acknowledged.
    pub const fn is_flushed(&self) -> bool {
        self.session.is_flushed()
    }

    /// Whether [`LinkEnd::send`] takes a message of `channel` now.
    pub const fn has_room(&self, channel: Channel) -> bool {
        self.session.has_room(channel)
    }

    /// Takes a message to be sent.
    ///
    /// # Errors
    /// When it can not be taken now, or never; the caller still has it.
    pub fn send(&mut self, message: &impl Message) -> Result<(), SendError> {
        let channel = message.channel();
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        if !self.has_room(channel) {
            return Err(SendError::Full);
        }
        let fits = self.session.push(channel, message);
        fits.then_some(()).ok_or(SendError::TooLong)
    }

    /// Takes bytes as they came over the wire.
    pub fn receive(&mut self, mut bytes: &[u8], now_us: u64) {
        while let Some(frame) = self.deframer.next(&mut bytes) {
            match frame {
                Ok((header, body)) => {
                    self.received = self.received.wrapping_add(1);
                    self.session.receive(header, body, now_us);
                }
                Err(Bad::Garbage) => self.garbage = self.garbage.wrapping_add(1),
                Err(Bad::Version(version)) => {
                    let was_told = self.other_version == Some((version, true));
                    self.other_version = Some((version, was_told));
                }
            }
        }
    }

    /// What happened next, in order; `None` when there is nothing more.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        if let Some((version, false)) = self.other_version {
            self.other_version = Some((version, true));
            return Some(Event::OtherVersion(version));
        }
        self.session.poll_event()
    }

    /// The next frame to be written to the wire; `None` when there is none now.
    ///
    /// Handshakes come first, then messages, then logs, then a bare acknowledgement.
    pub fn poll_transmit<'o>(
        &mut self,
        now_us: u64,
        out: &'o mut [u8; FRAME_LEN_MAX],
    ) -> Option<&'o [u8]> {
        let frame = self.session.poll_transmit(now_us, out);
        let was_idle = core::mem::replace(&mut self.is_idle, frame.is_none());
        frame.map(|frame| if was_idle { frame } else { &frame[1..] })
    }

    /// When [`LinkEnd::poll_transmit`] must be called again even if nothing happens.
    pub const fn poll_timeout(&self) -> Option<u64> {
        self.session.poll_timeout()
    }

    /// Counts since the link was made.
    pub const fn stats(&self) -> Stats {
        Stats {
            received: self.received,
            garbage: self.garbage,
            repeated: self.session.repeated(),
            logs_dropped: self.session.logs_dropped(),
        }
    }
}
