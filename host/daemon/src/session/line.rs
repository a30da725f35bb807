//! The link over a wire: bytes, frames and timeouts.

use super::inbound::Inbound;
use super::{Event, Fault, STALL_TIMEOUT};
use crate::log::DeviceLog;
use crate::transport::Wire;
use microtome_link::message::{Identity, PROTOCOL};
use microtome_link::{FRAME_LEN_MAX, Link, SendError, ToBoard};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until};

/// Bytes of a foreign device's speech that its error repeats.
const HEARD_LEN_MAX: usize = 32;
/// Bytes that are read at once.
const READ_LEN_MAX: usize = 4096;

/// A link that is driven while one of its methods is awaited.
pub(super) struct Line {
    reader: ReadHalf<Box<dyn Wire>>,
    writer: WriteHalf<Box<dyn Wire>>,
    link: Box<Link>,
    pub inbound: Inbound,
    /// The link's time zero.
    epoch: Instant,
    /// The frame that is being written.
    unsent: Unsent,
    /// Frames that have come, and since when none has although an acknowledgement is due.
    silence: (u32, Option<Instant>),
    /// The first bytes that came.
    heard: Vec<u8>,
}

/// A frame on its way to the wire.
struct Unsent {
    bytes: [u8; FRAME_LEN_MAX],
    at: usize,
    end: usize,
}

impl Line {
    pub fn new(wire: impl Wire, log: DeviceLog) -> Self {
        let wire: Box<dyn Wire> = Box::new(wire);
        let (reader, writer) = tokio::io::split(wire);
        Self {
            reader,
            writer,
            link: Box::new(Link::host(seed())),
            inbound: Inbound::new(log),
            epoch: Instant::now(),
            unsent: Unsent {
                bytes: [0; FRAME_LEN_MAX],
                at: 0,
                end: 0,
            },
            silence: (0, None),
            heard: Vec::new(),
        }
    }

    /// Opens the link, names the board's start and asks who is there.
    pub async fn introduce(&mut self) -> Result<Identity, Fault> {
        while !self.link.is_open() {
            self.turn().await?;
        }
        let boot = random().max(1);
        self.push(&ToBoard::Boot { boot }).await?;
        self.push(&ToBoard::Hello { protocol: PROTOCOL }).await?;
        loop {
            if let Some(Event::Refused(refusal)) = self.inbound.pop() {
                return Err(Fault::Refused(Box::new(refusal)));
            }
            match self.inbound.identity() {
                Some(identity) if identity.protocol == PROTOCOL && identity.boot == 0 => {
                    return Err(Fault::Violation("its start has no name"));
                }
                Some(identity) if identity.protocol == PROTOCOL => return Ok(identity),
                Some(Identity {
                    protocol: board, ..
                }) => {
                    return Err(Fault::Protocol {
                        board,
                        host: PROTOCOL,
                    });
                }
                None => self.turn().await?,
            }
        }
    }

    /// Sends as soon as there is room.
    pub async fn push(&mut self, message: &ToBoard<'_>) -> Result<(), Fault> {
        loop {
            match self.link.send(message) {
                Ok(()) => return Ok(()),
                Err(SendError::Full) => self.turn().await?,
                Err(SendError::Closed) => return Err(Fault::Restarted),
                Err(SendError::TooLong) => return Err(Fault::Violation("a message is too long")),
            }
        }
    }

    /// One turn of the link: takes what has come, then writes, reads or waits, whichever is first.
    pub async fn turn(&mut self) -> Result<(), Fault> {
        self.inbound.collect(&mut self.link)?;
        if self.unsent.at == self.unsent.end {
            let frame = self
                .link
                .poll_transmit(micros_since(self.epoch), &mut self.unsent.bytes);
            (self.unsent.at, self.unsent.end) = (0, frame.map_or(0, <[u8]>::len));
        }
        let stalled = self.watch_silence();
        // While bytes wait to be written, the link cannot do what is due: waking for it would spin.
        let due = self.link.poll_timeout();
        let due = due.filter(|_| self.unsent.at == self.unsent.end);
        let due = due.map(|us| self.epoch + Duration::from_micros(us));
        let wake = [due, stalled].into_iter().flatten().min();
        let wake = wake.unwrap_or_else(|| Instant::now() + STALL_TIMEOUT);
        let unsent = &self.unsent.bytes[self.unsent.at..self.unsent.end];
        let mut bytes = [0; READ_LEN_MAX];
        tokio::select! {
            read = self.reader.read(&mut bytes) => match read {
                Ok(0) => return Err(Fault::Vanished("end of stream".to_owned())),
                Ok(len) => self.receive(&bytes[..len])?,
                Err(error) => return Err(Fault::Vanished(error.to_string())),
            },
            written = self.writer.write(unsent), if !unsent.is_empty() => match written {
                Ok(len) => self.unsent.at += len,
                Err(error) => return Err(Fault::Vanished(error.to_string())),
            },
            () = sleep_until(wake) => {
                if stalled.is_some_and(|at| at <= Instant::now()) {
                    return Err(Fault::Stalled);
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.heard.len() < HEARD_LEN_MAX && !self.link.is_open() {
            let room = HEARD_LEN_MAX - self.heard.len();
            self.heard
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        let now_us = micros_since(self.epoch);
        // The link holds one log entry: each frame is taken before the next one comes.
        for frame in bytes.split_inclusive(|&byte| byte == 0) {
            self.link.receive(frame, now_us);
            self.inbound.collect(&mut self.link)?;
        }
        Ok(())
    }

    /// When a board that acknowledges nothing is given up.
    fn watch_silence(&mut self) -> Option<Instant> {
        let received = self.link.stats().received;
        let (before, since) = self.silence;
        let is_silent = received == before && !self.link.is_flushed();
        let since = is_silent.then(|| since.unwrap_or_else(Instant::now));
        self.silence = (received, since);
        since.map(|since| since + STALL_TIMEOUT)
    }

    /// Why there was no introduction in time.
    pub fn no_introduction(&self) -> Fault {
        if self.link.stats().received == 0 && !self.heard.is_empty() {
            Fault::Foreign {
                heard: self.heard.escape_ascii().to_string(),
            }
        } else {
            Fault::Silent
        }
    }

    /// Waits until everything that was sent has arrived.
    pub async fn flush(&mut self) -> Result<(), Fault> {
        while !self.link.is_flushed() {
            self.turn().await?;
        }
        Ok(())
    }
}

/// A number that differs from one start of the host to the next.
fn seed() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_micros() as u32
}

/// A number that nothing else of anywhere has.
fn random() -> u64 {
    // The standard library keys its maps with the system's randomness.
    RandomState::new().hash_one(SystemTime::now())
}

fn micros_since(epoch: Instant) -> u64 {
    epoch.elapsed().as_micros() as u64
}
