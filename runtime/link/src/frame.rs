//! One frame: `COBS(header ‖ body ‖ CRC-32C) ‖ 0x00`.
//!
//! | header byte | what |
//! |---|---|
//! | 0 | [`VERSION`] of the frames; where it differs, nothing else is read |
//! | 1 | kind: an acknowledgement, a step of the handshake, or the channel of a message |
//! | 2..6 | session, little-endian; 0 is none |
//! | 6 | sequence number of a message; number of a query; in an acknowledgement, of the last query |
//! | 7 | acknowledgement: the next sequence number that the sender of the frame expects |
//! | 8 | credit: messages from the acknowledgement on that it has room for |
//! | 9 | which of them have arrived already: bit *n* is the acknowledgement plus *n*; bit 0 is clear |
//!
//! The CRC follows the body, little-endian. COBS leaves no zero byte within a frame, so that a
//! receiver finds the next frame after any garbage. The first frame after a pause begins with a
//! zero byte, so that noise during the pause does not take it along.
//!
//! In every version the first byte of a frame is the version and the last four are the CRC, and
//! frames of the handshake are short, so that versions can name each other.

use crate::message::{Channel, MESSAGE_LEN_MAX};
use core::fmt;
use core::ops::Range;
use crc::{CRC_32_ISCSI, Crc, Table};

/// Version of the frames. A link with another one is reported, not used.
pub const VERSION: u8 = 2;

/// Longest frame on the wire, its zero bytes included.
pub const FRAME_LEN_MAX: usize = 1 + ENCODED_LEN_MAX + 1;

/// Longest frame without its zero bytes.
const ENCODED_LEN_MAX: usize = cobs::max_encoding_length(RAW_LEN_MAX);

/// Longest frame before COBS.
const RAW_LEN_MAX: usize = HEADER_LEN + MESSAGE_LEN_MAX + CRC_LEN;

const HEADER_LEN: usize = 10;
const CRC_LEN: usize = 4;

/// Bytes that a frame without a body takes on the wire.
pub(crate) const BARE_LEN: u32 = (HEADER_LEN + CRC_LEN + 2) as u32;

/// A small table: a faster one costs more flash than a board has to spare.
const CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What every frame acknowledges, alone, and the last query that has come.
    Ack,
    /// Asks for [`Kind::Ack`].
    Query,
    /// The host begins the session in the header.
    Open,
    /// The board has no session.
    Announce,
    /// The body is a message.
    Message(Channel),
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Ack => 0,
            Self::Query => 1,
            Self::Open => 2,
            Self::Announce => 3,
            Self::Message(Channel::Control) => 16,
            Self::Message(Channel::Tensors) => 17,
            Self::Message(Channel::Results) => 18,
            Self::Message(Channel::Log) => 19,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Ack,
            1 => Self::Query,
            2 => Self::Open,
            3 => Self::Announce,
            16 => Self::Message(Channel::Control),
            17 => Self::Message(Channel::Tensors),
            18 => Self::Message(Channel::Results),
            19 => Self::Message(Channel::Log),
            _ => return None,
        })
    }
}

/// The header, but for the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: Kind,
    pub session: u32,
    pub sequence: u8,
    pub acknowledgement: u8,
    pub credit: u8,
    pub arrived: u8,
}

/// Room for one frame before COBS. The body is written once; header and CRC each time that the
/// frame is sent.
#[derive(Clone)]
pub(crate) struct Raw {
    bytes: [u8; RAW_LEN_MAX],
    body_len: usize,
}

impl Raw {
    pub const EMPTY: Self = Self {
        bytes: [0; RAW_LEN_MAX],
        body_len: 0,
    };

    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_LEN..HEADER_LEN + self.body_len]
    }

    /// Bytes that the frame takes on the wire, to within a few.
    pub const fn wire_len(&self) -> u32 {
        BARE_LEN + self.body_len as u32
    }

    /// Encodes `message` as the body; `false` when it is too long.
    pub fn set_message(&mut self, message: &impl serde::Serialize) -> bool {
        let room = &mut self.bytes[HEADER_LEN..HEADER_LEN + MESSAGE_LEN_MAX];
        let len = postcard::to_slice(message, room).map(|body| body.len());
        let fits = len.is_ok();
        self.body_len = len.unwrap_or(0);
        fits
    }

    /// Copies `body`, which came out of a frame and fits.
    pub fn set_body(&mut self, body: &[u8]) {
        self.bytes[HEADER_LEN..HEADER_LEN + body.len()].copy_from_slice(body);
        self.body_len = body.len();
    }

    /// The frame with `header` on the wire, between two zeros.
    pub fn encode<'o>(&mut self, header: Header, out: &'o mut [u8; FRAME_LEN_MAX]) -> &'o [u8] {
        header.encode(&mut self.bytes[..HEADER_LEN + self.body_len + CRC_LEN], out)
    }
}

impl Header {
    /// The frame without a body on the wire, between two zeros.
    pub fn encode_bare(self, out: &mut [u8; FRAME_LEN_MAX]) -> &[u8] {
        self.encode(&mut [0; HEADER_LEN + CRC_LEN], out)
    }

    /// Fills in header and CRC around the body that lies in `raw`.
    fn encode<'o>(self, raw: &mut [u8], out: &'o mut [u8; FRAME_LEN_MAX]) -> &'o [u8] {
        raw[0] = VERSION;
        raw[1] = self.kind.code();
        raw[2..6].copy_from_slice(&self.session.to_le_bytes());
        raw[6] = self.sequence;
        raw[7] = self.acknowledgement;
        raw[8] = self.credit;
        raw[9] = self.arrived;
        let crc_at = raw.len() - CRC_LEN;
        let crc = CRC.checksum(&raw[..crc_at]);
        raw[crc_at..].copy_from_slice(&crc.to_le_bytes());
        out[0] = 0;
        let end = 1 + cobs::encode(raw, &mut out[1..=ENCODED_LEN_MAX]);
        out[end] = 0;
        &out[..=end]
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Raw").field(&self.body()).finish()
    }
}

/// Why bytes between two zeros are no frame of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Damaged, or never a frame.
    Garbage,
    /// A frame of this other version.
    Version(u8),
}

/// Cuts a stream of bytes into frames.
#[derive(Clone)]
pub(crate) struct Deframer {
    bytes: [u8; ENCODED_LEN_MAX],
    /// Bytes since the last zero; those beyond the longest frame are only counted.
    len: usize,
}

impl Deframer {
    pub const EMPTY: Self = Self {
        bytes: [0; ENCODED_LEN_MAX],
        len: 0,
    };

    /// Takes bytes off the front of `input` up to the end of a frame; `None` when they run out.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Result<(Header, &[u8]), Bad>> {
        loop {
            let end = input.iter().position(|&byte| byte == 0);
            let (part, rest) = input.split_at(end.unwrap_or(input.len()));
            self.append(part);
            *input = rest.get(1..).unwrap_or_default();
            end?;
            let len = core::mem::take(&mut self.len);
            if len > 0 {
                return Some(match self.bytes.get_mut(..len) {
                    Some(encoded) => decode(encoded),
                    None => Err(Bad::Garbage),
                });
            }
        }
    }

    fn append(&mut self, part: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + part.len()) {
            room.copy_from_slice(part);
            self.len += part.len();
        } else {
            self.len = ENCODED_LEN_MAX + 1;
        }
    }
}

impl fmt::Debug for Deframer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = &self.bytes[..self.len.min(ENCODED_LEN_MAX)];
        f.debug_tuple("Deframer").field(&bytes).finish()
    }
}

/// Decodes one frame in place.
fn decode(encoded: &mut [u8]) -> Result<(Header, &[u8]), Bad> {
    let len = cobs::decode_in_place(encoded).map_err(|_| Bad::Garbage)?;
    let crc_at = len.checked_sub(CRC_LEN).ok_or(Bad::Garbage)?;
    let crc = CRC.checksum(&encoded[..crc_at]).to_le_bytes();
    if crc_at < HEADER_LEN || encoded[crc_at..len] != crc {
        return Err(Bad::Garbage);
    }
    if encoded[0] != VERSION {
        return Err(Bad::Version(encoded[0]));
    }
    let body: Range<usize> = HEADER_LEN..crc_at;
    if body.len() > MESSAGE_LEN_MAX {
        return Err(Bad::Garbage);
    }
    let header = Header {
        kind: Kind::from_code(encoded[1]).ok_or(Bad::Garbage)?,
        session: u32::from_le_bytes([encoded[2], encoded[3], encoded[4], encoded[5]]),
        sequence: encoded[6],
        acknowledgement: encoded[7],
        credit: encoded[8],
        arrived: encoded[9],
    };
    Ok((header, &encoded[body]))
}
