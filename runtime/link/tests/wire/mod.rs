//! Two ends of a link in virtual time, and a wire between them that does everything but reorder.

use microtome_link::{FRAME_LEN_MAX, Link};

/// How often one thing or another happens to a frame, in 1/1000.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// It is lost.
    pub loss: u32,
    /// One of its bits is flipped.
    pub flip: u32,
    /// One of its bytes is lost.
    pub hole: u32,
    /// It comes twice.
    pub repeat: u32,
    /// Bytes that nobody sent come before it.
    pub garbage: u32,
}

/// A small reproducible generator (xorshift).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }

    fn happens(&mut self, per_thousand: u32) -> bool {
        (self.below(1000) as u32) < per_thousand
    }
}

pub struct Wire {
    pub host: Link,
    pub board: Link,
    pub now_us: u64,
    pub random: Random,
    pub faults: Faults,
    pub bytes: usize,
}

impl Wire {
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            host: Link::host(7),
            board: Link::board(),
            now_us: 0,
            random: Random(seed | 1),
            faults,
            bytes: 0,
        }
    }

    /// Carries all that either side has to send, then lets a millisecond pass.
    pub fn step(&mut self) {
        let mut out = [0; FRAME_LEN_MAX];
        let mut to_board = Vec::new();
        while let Some(frame) = self.host.poll_transmit(self.now_us, &mut out) {
            disturb(frame, &mut to_board, self.faults, &mut self.random);
        }
        let mut to_host = Vec::new();
        while let Some(frame) = self.board.poll_transmit(self.now_us, &mut out) {
            disturb(frame, &mut to_host, self.faults, &mut self.random);
        }
        self.now_us += 1000;
        self.bytes += to_board.len() + to_host.len();
        // Serial drivers hand over pieces of any length.
        for piece in to_board.chunks(97) {
            self.board.receive(piece, self.now_us);
        }
        for piece in to_host.chunks(61) {
            self.host.receive(piece, self.now_us);
        }
    }
}

fn disturb(frame: &[u8], out: &mut Vec<u8>, faults: Faults, random: &mut Random) {
    if random.happens(faults.garbage) {
        let len = random.below(2 * FRAME_LEN_MAX);
        out.extend((0..len).map(|_| random.below(256) as u8));
    }
    if random.happens(faults.loss) {
        return;
    }
    let mut frame = frame.to_vec();
    if random.happens(faults.flip) {
        let at = random.below(frame.len());
        frame[at] ^= 1 << random.below(8);
    }
    if random.happens(faults.hole) {
        frame.remove(random.below(frame.len()));
    }
    out.extend_from_slice(&frame);
    if random.happens(faults.repeat) {
        out.extend_from_slice(&frame);
    }
}
