//! What befalls bytes on their way: seeded, so that a run can be repeated with the same faults at
//! the same bytes.

use oorandom::Rand64;
use std::time::Duration;

/// How often what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, clap::Args)]
pub struct Rates {
    /// Bytes of which a bit is flipped, as a part of all
    #[arg(long, default_value_t = 1e-5)]
    pub flips: f64,
    /// Bytes that vanish, as a part of all
    #[arg(long, default_value_t = 1e-5)]
    pub drops: f64,
    /// Bursts of up to 512 bytes that come twice, as a part of all
    #[arg(long, default_value_t = 1e-3)]
    pub doubles: f64,
    /// Bursts whose end vanishes, as a part of all
    #[arg(long, default_value_t = 1e-3)]
    pub cuts: f64,
    /// Bursts before which up to 4096 bytes of garbage come, as a part of all
    #[arg(long, default_value_t = 1e-3)]
    pub floods: f64,
    /// Bursts before which the wire stands still for up to half a second, as a part of all
    #[arg(long, default_value_t = 1e-3)]
    pub stalls: f64,
    /// How often a second the cable is pulled
    #[arg(long, default_value_t = 0.03)]
    pub resets: f64,
}

impl Rates {
    /// A good wire.
    pub const NONE: Self = Self {
        flips: 0.0,
        drops: 0.0,
        doubles: 0.0,
        cuts: 0.0,
        floods: 0.0,
        stalls: 0.0,
        resets: 0.0,
    };
}

/// How often what has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Bits flipped.
    pub flips: u64,
    /// Bytes dropped.
    pub drops: u64,
    /// Bursts doubled.
    pub doubles: u64,
    /// Bursts cut.
    pub cuts: u64,
    /// Floods of garbage.
    pub floods: u64,
    /// Stalls.
    pub stalls: u64,
    /// Cables pulled.
    pub resets: u64,
}

impl Faults {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, u64); 7] {
        [
            ("bit flips", self.flips),
            ("dropped bytes", self.drops),
            ("doubled bursts", self.doubles),
            ("cut bursts", self.cuts),
            ("floods", self.floods),
            ("stalls", self.stalls),
            ("cable pulled", self.resets),
        ]
    }
}

impl std::ops::AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.flips += other.flips;
        self.drops += other.drops;
        self.doubles += other.doubles;
        self.cuts += other.cuts;
        self.floods += other.floods;
        self.stalls += other.stalls;
        self.resets += other.resets;
    }
}

/// Longest flood.
const FLOOD_LEN_MAX: u64 = 4096;
/// Longest stall.
const STALL_MS_MAX: u64 = 500;
/// Longest time that a cable is out.
const UNPLUGGED_MS_MAX: u64 = 400;

/// Damages bursts, one after another.
#[derive(Debug)]
pub struct Damage {
    random: Rand64,
    /// How often.
    pub rates: Rates,
    /// What it did.
    pub faults: Faults,
}

impl Damage {
    /// The damage that `seed` stands for.
    pub fn new(rates: Rates, seed: u64) -> Self {
        Self {
            random: Rand64::new(seed.into()),
            rates,
            faults: Faults::default(),
        }
    }

    /// What becomes of `burst`, appended to `out`, and how long the wire stands still before it.
    pub fn apply(&mut self, burst: &[u8], out: &mut impl Extend<u8>) -> Option<Duration> {
        if self.happens(self.rates.floods) {
            self.faults.floods += 1;
            let len = self.random.rand_range(1..FLOOD_LEN_MAX);
            out.extend((0..len).map(|_| self.random.rand_u64() as u8));
        }
        let mut burst = burst.to_vec();
        if self.happens(self.rates.cuts) {
            self.faults.cuts += 1;
            burst.truncate(self.random.rand_range(0..burst.len() as u64) as usize);
        }
        let flips = self.places(self.rates.flips, burst.len());
        self.faults.flips += flips.len() as u64;
        for at in flips {
            burst[at] ^= 1 << self.random.rand_range(0..8);
        }
        let drops = self.places(self.rates.drops, burst.len());
        self.faults.drops += drops.len() as u64;
        for &at in drops.iter().rev() {
            burst.remove(at);
        }
        if self.happens(self.rates.doubles) {
            self.faults.doubles += 1;
            out.extend(burst.iter().copied());
        }
        out.extend(burst);
        self.happens(self.rates.stalls).then(|| {
            self.faults.stalls += 1;
            Duration::from_millis(self.random.rand_range(1..STALL_MS_MAX))
        })
    }

    /// Time until the cable is pulled next, and for how long.
    pub fn next_reset(&mut self) -> Option<(Duration, Duration)> {
        let wait_s = -(1.0 - self.random.rand_float()).ln() / self.rates.resets;
        let out = Duration::from_millis(self.random.rand_range(1..UNPLUGGED_MS_MAX));
        Some((Duration::try_from_secs_f64(wait_s).ok()?, out))
    }

    fn happens(&mut self, rate: f64) -> bool {
        rate > 0.0 && self.random.rand_float() < rate
    }

    /// Places among `len` that are hit, in order.
    fn places(&mut self, rate: f64, len: usize) -> Vec<usize> {
        let mut places = Vec::new();
        if rate <= 0.0 {
            return places;
        }
        let mut at = 0.0;
        loop {
            // The gap between hits is distributed geometrically.
            at += (1.0 - self.random.rand_float()).ln() / (1.0 - rate.min(0.5)).ln();
            if at >= len as f64 {
                break;
            }
            places.push(at as usize);
            at += 1.0;
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::{Damage, Rates};

    #[test]
    fn a_good_wire_changes_nothing() {
        let mut damage = Damage::new(Rates::NONE, 1);
        let mut out = Vec::new();
        assert_eq!(damage.apply(&[1, 2, 3], &mut out), None);
        assert_eq!(out, [1, 2, 3]);
        assert_eq!(damage.next_reset(), None);
    }

    #[test]
    fn faults_come_as_often_as_they_shall_and_again_with_the_same_seed() {
        let rates = Rates {
            flips: 1e-2,
            drops: 1e-3,
            ..Rates::NONE
        };
        let run = |seed| {
            let (mut damage, mut out) = (Damage::new(rates, seed), Vec::new());
            for _ in 0..1000 {
                damage.apply(&[0x55; 100], &mut out);
            }
            (damage.faults, out)
        };
        let (faults, out) = run(7);
        assert!((800..1200).contains(&faults.flips), "{faults:?}");
        assert!((60..140).contains(&faults.drops), "{faults:?}");
        assert_eq!(out.len() as u64, 100_000 - faults.drops);
        assert_eq!(run(7), (faults, out));
    }
}
