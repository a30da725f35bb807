//! Two ends of a link in virtual time and the serial line between them, simulated event by event.
//!
//! A line carries ten bits a byte, keeps the order of bytes, and does all else that a serial line
//! may do: it damages, loses and doubles bytes, loses and repeats frames, makes noise, delays,
//! stalls, and is cut off by a restart of either side. The same seed gives the same run.

#![allow(dead_code, reason = "no test file uses all of it")]

use microtome_link::{FRAME_LEN_MAX, LinkEnd};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A small reproducible generator (xorshift).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds should not give similar runs; zero would give zeros for ever.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }

    fn happens(&mut self, per_million: u32) -> bool {
        per_million > 0 && (self.below(1_000_000) as u32) < per_million
    }
}

/// How often one thing or another happens, in a million bytes or frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A byte comes as another one.
    pub flip: u32,
    /// A byte is lost.
    pub drop: u32,
    /// A byte comes twice.
    pub double: u32,
    /// A frame is lost.
    pub loss: u32,
    /// A frame comes twice.
    pub repeat: u32,
    /// Up to two frames' length of noise come before a frame.
    pub noise: u32,
    /// Before a frame, the line stands still for up to a second.
    pub stall: u32,
}

/// What the line is like.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Bits a second.
    pub baud: u32,
    /// From the last bit of a byte to its reader.
    pub latency_us: u64,
    /// Most bytes that a reader gets at once.
    pub chunk_len: usize,
    /// Bytes that wait in the transmitter of the host and of the board.
    pub queue_len: [usize; 2],
    pub faults: Faults,
}

impl Line {
    /// A UART at each end and nothing between them.
    pub const fn bare(baud: u32) -> Self {
        Self {
            baud,
            latency_us: 0,
            chunk_len: 16,
            queue_len: [16; 2],
            faults: Faults {
                flip: 0,
                drop: 0,
                double: 0,
                loss: 0,
                repeat: 0,
                noise: 0,
                stall: 0,
            },
        }
    }

    /// An adapter to USB on the host's side: a millisecond each way, packets of 64 bytes, and
    /// the operating system's queue.
    pub const fn usb(baud: u32) -> Self {
        Self {
            latency_us: 1000,
            chunk_len: 64,
            queue_len: [4096, 16],
            ..Self::bare(baud)
        }
    }

    pub const fn with(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Bytes that it carries in a second.
    pub const fn bytes_hz(&self) -> u64 {
        self.baud as u64 / 10
    }

    /// Nanoseconds that `len` bytes take on the wire.
    pub const fn wire_ns(&self, len: usize) -> u64 {
        len as u64 * 10_000_000_000 / self.baud as u64
    }
}

/// An end of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Host,
    Board,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Host => Self::Board,
            Self::Board => Self::Host,
        }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// Bytes arrive at this side.
    Arrival(Side, Vec<u8>),
    /// The transmitter of this side has room, its link's time has come, or its owner's.
    Turn(Side),
}

/// Both ends and the line.
pub struct Sim<const W: usize> {
    pub links: [LinkEnd<W>; 2],
    pub line: Line,
    pub random: Random,
    /// Bytes that each side has put on the wire.
    pub sent_bytes: [u64; 2],
    now_ns: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    /// Happenings so far: what is due at the same time happens in this order.
    count: u64,
    /// When the transmitter of each side will have sent all that it has.
    busy_ns: [u64; 2],
    /// The next turn that each side has asked for.
    turn_ns: [u64; 2],
}

impl<const W: usize> Sim<W> {
    pub fn new(seed: u64, line: Line) -> Self {
        Self {
            links: [LinkEnd::host(7), LinkEnd::board()],
            line,
            random: Random::new(seed),
            sent_bytes: [0; 2],
            now_ns: 0,
            agenda: BinaryHeap::new(),
            count: 0,
            busy_ns: [0; 2],
            turn_ns: [u64::MAX; 2],
        }
    }

    pub const fn now_us(&self) -> u64 {
        self.now_ns / 1000
    }

    pub fn link(&mut self, side: Side) -> &mut LinkEnd<W> {
        &mut self.links[side as usize]
    }

    /// A side starts anew: what its transmitter still had is cut off.
    pub fn restart(&mut self, side: Side, link: LinkEnd<W>) {
        self.links[side as usize] = link;
        let sent_ns = self.now_ns + self.line.latency_us * 1000;
        let to = side.other();
        self.agenda.retain(|Reverse((at_ns, _, happening))| {
            *at_ns <= sent_ns || !matches!(happening, Happening::Arrival(at, _) if *at == to)
        });
        self.busy_ns[side as usize] = self.now_ns;
    }

    /// Gives both sides a turn now.
    fn wake(&mut self) {
        self.plan(self.now_ns, Happening::Turn(Side::Host));
        self.plan(self.now_ns, Happening::Turn(Side::Board));
    }

    /// Goes on for so long. `owners` own both links: called whenever something may have happened
    /// at a side, they take events, send messages, and say when they want to be called again.
    pub fn run(
        &mut self,
        duration_us: u64,
        mut owners: impl FnMut(Side, &mut LinkEnd<W>, u64) -> Option<u64>,
    ) {
        self.wake();
        let until_ns = self.now_ns + duration_us * 1000;
        while let Some(Reverse((at_ns, _, _))) = self.agenda.peek()
            && *at_ns <= until_ns
            && let Some(Reverse((at_ns, _, happening))) = self.agenda.pop()
        {
            assert!(at_ns >= self.now_ns, "time goes on");
            self.now_ns = at_ns;
            let now_us = self.now_us();
            let side = match happening {
                Happening::Turn(side) => {
                    if self.turn_ns[side as usize] == at_ns {
                        self.turn_ns[side as usize] = u64::MAX;
                    }
                    side
                }
                Happening::Arrival(side, bytes) => {
                    self.link(side).receive(&bytes, now_us);
                    side
                }
            };
            let wake_us = owners(side, &mut self.links[side as usize], now_us);
            self.transmit(side, wake_us);
        }
        self.now_ns = until_ns;
    }

    fn plan(&mut self, at_ns: u64, happening: Happening) {
        self.agenda.push(Reverse((at_ns, self.count, happening)));
        self.count += 1;
    }

    /// Lets a side transmit for as long as its transmitter has room.
    fn transmit(&mut self, side: Side, wake_us: Option<u64>) {
        let at = side as usize;
        let queue_ns = self.line.wire_ns(self.line.queue_len[at]);
        let mut out = [0; FRAME_LEN_MAX];
        let mut is_idle = false;
        while !is_idle && self.busy_ns[at] <= self.now_ns + queue_ns {
            let now_us = self.now_us();
            match self.links[at].poll_transmit(now_us, &mut out) {
                Some(frame) => {
                    let frame = frame.to_vec();
                    self.put(side, &frame);
                }
                None => is_idle = true,
            }
        }
        let due_us = if is_idle {
            let timeout_us = self.links[at].poll_timeout();
            [timeout_us, wake_us].into_iter().flatten().min()
        } else {
            Some((self.busy_ns[at] - queue_ns).div_ceil(1000))
        };
        // Something that is due but does not happen must not stop the time.
        let due_ns = due_us.map(|at_us| (at_us * 1000).max(self.now_ns + 1000));
        if let Some(due_ns) = due_ns
            && due_ns < self.turn_ns[at]
        {
            self.turn_ns[at] = due_ns;
            self.plan(due_ns, Happening::Turn(side));
        }
    }

    /// Puts a frame on the wire, and on the agenda what arrives of it.
    fn put(&mut self, side: Side, frame: &[u8]) {
        let faults = self.line.faults;
        let mut begin_ns = self.now_ns.max(self.busy_ns[side as usize]);
        if self.random.happens(faults.stall) {
            begin_ns += self.random.below(1_000_000_000) as u64;
        }
        let mut bytes = Vec::new();
        if self.random.happens(faults.noise) {
            let len = self.random.below(2 * FRAME_LEN_MAX);
            bytes.extend((0..len).map(|_| self.random.next() as u8));
        }
        let copies = match () {
            () if self.random.happens(faults.loss) => 0,
            () if self.random.happens(faults.repeat) => 2,
            () => 1,
        };
        let mut len = bytes.len() + frame.len() * copies;
        for _ in 0..copies {
            bytes.extend_from_slice(frame);
        }
        // A frame that is lost takes its time nevertheless.
        len = len.max(frame.len());
        self.sent_bytes[side as usize] += len as u64;
        self.busy_ns[side as usize] = begin_ns + self.line.wire_ns(len);
        for (index, chunk) in bytes.chunks(self.line.chunk_len).enumerate() {
            let sent = index * self.line.chunk_len + chunk.len();
            let at_ns = begin_ns + self.line.wire_ns(sent) + self.line.latency_us * 1000;
            let chunk = damage(chunk, faults, &mut self.random);
            self.plan(at_ns, Happening::Arrival(side.other(), chunk));
        }
    }
}

fn damage(bytes: &[u8], faults: Faults, random: &mut Random) -> Vec<u8> {
    let mut damaged = Vec::with_capacity(bytes.len() + 1);
    for &byte in bytes {
        if random.happens(faults.drop) {
            continue;
        }
        let flip = random.happens(faults.flip);
        let flip = if flip { 1 + random.below(255) as u8 } else { 0 };
        damaged.push(byte ^ flip);
        if random.happens(faults.double) {
            damaged.push(byte ^ flip);
        }
    }
    damaged
}
