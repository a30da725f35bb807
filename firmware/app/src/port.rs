//! The link over a serial line, shared by the futures of one task.
//!
//! [`Port::serve`] moves bytes; [`Port::send`] and [`Port::poll`] move messages. Sending waits
//! while the link's window is full, which is how a slow host slows the board down; nothing is
//! dropped but log entries.

use crate::log;
use core::cell::RefCell;
use embassy_futures::join::join;
use embassy_futures::select::select3;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use heapless::Vec;
use microtome_link::message::Channel;
use microtome_link::{Event, FRAME_LEN_MAX, Link, Message, SendError};

/// Pause after an error of the serial line; the link makes up for what was lost.
const LINE_ERROR_PAUSE: Duration = Duration::from_millis(10);

/// One end of the link over a serial line.
pub struct Port {
    link: RefCell<Link>,
    /// Whether the log goes over this link.
    carries_log: bool,
    /// There may be something to transmit.
    to_transmit: Signal<NoopRawMutex, ()>,
    /// Something came: an event, or room. One future waits for it.
    news: Signal<NoopRawMutex, ()>,
}

/// The session is over, and with it what was being done for the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl Port {
    /// The board's end, which the log goes over.
    pub const fn board() -> Self {
        Self::new(Link::board(), true)
    }

    /// A host's end, for hosts made of the same parts; `seed` as in [`Link::host`].
    pub const fn host(seed: u32) -> Self {
        Self::new(Link::host(seed), false)
    }

    const fn new(link: Link, carries_log: bool) -> Self {
        Self {
            link: RefCell::new(link),
            carries_log,
            to_transmit: Signal::new(),
            news: Signal::new(),
        }
    }

    /// Moves bytes between the link and the line, for ever.
    pub async fn serve<R: Read, W: Write>(&self, rx: R, tx: W) -> ! {
        join(self.receive(rx), self.transmit(tx)).await;
        unreachable!("neither half returns")
    }

    async fn receive<R: Read>(&self, mut rx: R) {
        let mut bytes = [0; 128];
        loop {
            match rx.read(&mut bytes).await {
                Ok(len) if len > 0 => {
                    self.link.borrow_mut().receive(&bytes[..len], now_us());
                    self.to_transmit.signal(());
                    self.news.signal(());
                }
                _ => Timer::after(LINE_ERROR_PAUSE).await,
            }
        }
    }

    async fn transmit<W: Write>(&self, mut tx: W) {
        let mut out = [0; FRAME_LEN_MAX];
        loop {
            self.take_log();
            let frame = self.link.borrow_mut().poll_transmit(now_us(), &mut out);
            let written = match frame {
                Some(frame) => tx.write_all(frame).await,
                None => tx.flush().await,
            };
            if written.is_err() {
                Timer::after(LINE_ERROR_PAUSE).await;
            }
            if frame.is_none() {
                self.wait_to_transmit().await;
            }
        }
    }

    async fn wait_to_transmit(&self) {
        let timeout = self.link.borrow().poll_timeout();
        let timer = Timer::at(timeout.map_or(Instant::MAX, Instant::from_micros));
        select3(self.to_transmit.wait(), log::NEWS.wait(), timer).await;
    }

    /// Hands the oldest log entry to the link, if that has room.
    fn take_log(&self) {
        let mut link = self.link.borrow_mut();
        if self.carries_log && link.has_room(Channel::Log) {
            let mut bytes = Vec::new();
            if let Some(entry) = log::take(&mut bytes) {
                // There is room, and no entry is longer than a message.
                let _ = link.send(&entry);
            }
        }
    }

    /// The session, if there is one.
    pub fn session(&self) -> Option<u32> {
        self.link.borrow().session()
    }

    /// Whether the peer has all that was sent.
    pub fn is_flushed(&self) -> bool {
        self.link.borrow().is_flushed()
    }

    /// Takes the next event, if there is one.
    pub fn poll<T>(&self, take: impl FnOnce(Event<'_>) -> T) -> Option<T> {
        let taken = self.link.borrow_mut().poll_event().map(take);
        if taken.is_some() {
            // The peer may be waiting for the room that this made.
            self.to_transmit.signal(());
        }
        taken
    }

    /// Waits until there may be an event, or room.
    pub async fn news(&self) {
        self.news.wait().await;
    }

    /// Sends a message in `session`, when there is room for it.
    ///
    /// # Errors
    /// When that session is over.
    pub async fn send(&self, session: u32, message: &impl Message) -> Result<(), Ended> {
        loop {
            if self.session() != Some(session) {
                return Err(Ended);
            }
            let sent = self.link.borrow_mut().send(message);
            match sent {
                Ok(()) => {
                    self.to_transmit.signal(());
                    return Ok(());
                }
                Err(SendError::Full) => self.news().await,
                Err(SendError::Closed) => return Err(Ended),
                // `MESSAGE_LEN_MAX` is that of the longest one.
                Err(SendError::TooLong) => return Ok(()),
            }
        }
    }
}

fn now_us() -> u64 {
    Instant::now().as_micros()
}
