//! What the ends of a wire said, read off its undamaged side.
//!
//! The decoder is not the link's: an error of the link must not hide here as well. It has no state
//! but the bytes of one frame; repetitions are recognized by what results say of themselves.

use crc::{CRC_32_ISCSI, Crc};
use microtome_link::message::{Channel, FrameResult, Identity, Received};
use microtome_link::{FRAME_LEN_MAX, ToBoard, ToHost};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash as _, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// Version, kind, session, and four numbers of the window.
const HEADER_LEN: usize = 10;
const CRC_LEN: usize = 4;

/// Cuts one direction into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    encoded: Vec<u8>,
}

/// What of a frame counts here.
#[derive(Debug)]
struct Frame<'a> {
    session: u32,
    channel: Channel,
    body: &'a [u8],
}

impl Decoder {
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&Frame<'_>)) {
        for &byte in bytes {
            if byte != 0 {
                self.encoded.push(byte);
                continue;
            }
            if let Some(frame) = decode(&mut self.encoded) {
                each(&frame);
            }
            self.encoded.clear();
        }
        // No frame is longer: this is no frame.
        self.encoded.truncate(FRAME_LEN_MAX + 1);
    }
}

/// The message in a frame; `None` where it is none, or damaged.
fn decode(encoded: &mut [u8]) -> Option<Frame<'_>> {
    let len = cobs::decode_in_place(encoded).ok()?;
    let (content, crc) = encoded[..len].split_at_checked(len.checked_sub(CRC_LEN)?)?;
    let (header, body) = content.split_at_checked(HEADER_LEN)?;
    if CRC.checksum(content).to_le_bytes() != *crc {
        return None;
    }
    let channel = match header[1] {
        16 => Channel::Control,
        18 => Channel::Results,
        _ => return None,
    };
    let session = u32::from_le_bytes(header[2..6].try_into().ok()?);
    Some(Frame {
        session,
        channel,
        body,
    })
}

/// A result as its board sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Number of the acquisition.
    pub acquisition: u32,
    /// Number of the frame in it.
    pub frame: u32,
    /// Of all numbers of the result, see [`digest`].
    pub digest: u64,
}

/// A digest of what record and result have in common as numbers: whose reading, its confidences in
/// 1/255, and the board's ticks.
pub fn digest(origin: &str, confidences: [u8; 2], ticks: [u64; 4]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (origin, confidences, ticks).hash(&mut hasher);
    hasher.finish()
}

/// What is known of one start of a board.
#[derive(Debug, Default)]
pub struct Start {
    /// Results by their numbers; `None` where none was seen.
    pub sent: Vec<Option<Fact>>,
    /// Results before this number were acknowledged to be stored.
    pub stored: u64,
    /// Host time minus board time in microseconds, by the quickest message.
    pub epoch_us: Option<i64>,
    /// Ticks of its clock in a second.
    pub ticks_hz: u32,
}

/// What the ends of a wire have said.
#[derive(Debug, Default)]
pub struct Truth {
    /// By the names of boards' starts.
    pub starts: BTreeMap<u64, Start>,
    /// The start of the board that introduced itself last.
    pub newest: Option<u64>,
    /// Results that a board sent a second time with other content.
    pub contradictions: u64,
    /// Messages to store results.
    pub acknowledgements: u64,
    /// The start of the board in each session.
    sessions: HashMap<u32, u64>,
    from_board: Decoder,
    from_host: Decoder,
}

impl Truth {
    /// Notes bytes that the board sent.
    pub fn board_said(&mut self, bytes: &[u8]) {
        let mut decoder = std::mem::take(&mut self.from_board);
        decoder.feed(bytes, |frame| self.note_board(frame));
        self.from_board = decoder;
    }

    /// Notes bytes that the daemon sent.
    pub fn host_said(&mut self, bytes: &[u8]) {
        let mut decoder = std::mem::take(&mut self.from_host);
        decoder.feed(bytes, |frame| self.note_host(frame));
        self.from_host = decoder;
    }

    /// A cut through the wire: what follows begins with a new frame.
    pub fn board_restarted(&mut self) {
        self.from_board = Decoder::default();
    }

    fn note_board(&mut self, frame: &Frame<'_>) {
        let (channel, body) = (frame.channel, frame.body);
        match (Received { channel, body }).decode::<ToHost<'_>>() {
            Ok(ToHost::Hello(identity)) => self.note_hello(frame.session, &identity),
            Ok(ToHost::Result(result)) => self.note_result(frame.session, &result),
            Ok(ToHost::Clock { ticks, .. }) => self.note_time(frame.session, ticks),
            _ => {}
        }
    }

    fn note_hello(&mut self, session: u32, identity: &Identity) {
        if identity.boot != 0 {
            self.sessions.insert(session, identity.boot);
            self.newest = Some(identity.boot);
            self.starts.entry(identity.boot).or_default().ticks_hz = identity.ticks_hz;
        }
    }

    fn note_result(&mut self, session: u32, result: &FrameResult) {
        let Some(start) = self.start(session) else {
            return;
        };
        let times = result.times;
        let fact = Fact {
            acquisition: result.acquisition,
            frame: result.frame,
            digest: digest(
                origin(result.origin),
                [result.reading.confidence, result.board_confidence],
                [times.exposed, times.begun, times.inferred, times.answered],
            ),
        };
        let at = result.sequence as usize;
        if start.sent.len() <= at {
            start.sent.resize(at + 1, None);
        }
        let before = start.sent[at].replace(fact);
        self.contradictions += u64::from(before.is_some_and(|before| before != fact));
        self.note_time(session, times.answered);
    }

    fn note_time(&mut self, session: u32, ticks: u64) {
        let now_us = unix_us();
        if let Some(start) = self.start(session) {
            let board_us = i128::from(ticks) * 1_000_000 / i128::from(start.ticks_hz.max(1));
            let offset_us = now_us - board_us as i64;
            let least = start.epoch_us.map_or(offset_us, |it| it.min(offset_us));
            start.epoch_us = Some(least);
        }
    }

    fn note_host(&mut self, frame: &Frame<'_>) {
        let (channel, body) = (frame.channel, frame.body);
        let message = (Received { channel, body }).decode::<ToBoard<'_>>();
        if let (Ok(ToBoard::Stored { through }), Some(start)) = (message, self.start(frame.session))
        {
            start.stored = start.stored.max(through + 1);
            self.acknowledgements += 1;
        }
    }

    fn start(&mut self, session: u32) -> Option<&mut Start> {
        let boot = self.sessions.get(&session)?;
        self.starts.get_mut(boot)
    }
}

/// As records name it.
fn origin(origin: microtome_link::message::Origin) -> &'static str {
    use microtome_link::message::Origin;
    match origin {
        Origin::Board => "board",
        Origin::Host => "host",
        Origin::BoardAfterDeadline => "board_after_deadline",
        Origin::BoardAfterNoAnswer => "board_after_no_answer",
    }
}

/// Microseconds since 1970 by this computer's clock.
pub fn unix_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails panics")]

    use super::Truth;
    use microtome_link::{Event, FRAME_LEN_MAX, Link, ToBoard};

    /// Carries what one end has to send to the other, past the tap.
    fn carry(from: &mut Link, to: &mut Link, mut tap: impl FnMut(&[u8])) {
        let mut out = [0; FRAME_LEN_MAX];
        while let Some(frame) = from.poll_transmit(0, &mut out) {
            // In pieces, as bytes come.
            frame.chunks(5).for_each(&mut tap);
            to.receive(frame, 0);
        }
        while let Some(Event::Opened | Event::Message(_)) = to.poll_event() {}
    }

    #[test]
    fn what_the_ends_of_a_link_say_is_understood() {
        let (mut host, mut board, mut truth) = (Link::host(1), Link::board(), Truth::default());
        carry(&mut host, &mut board, |bytes| truth.host_said(bytes));
        carry(&mut board, &mut host, |bytes| truth.board_said(bytes));
        truth.sessions.insert(host.session().unwrap(), 77);
        truth.starts.entry(77).or_default();
        host.send(&ToBoard::Stored { through: 4 }).unwrap();
        carry(&mut host, &mut board, |bytes| truth.host_said(bytes));
        assert_eq!(truth.starts[&77].stored, 5);
    }
}
