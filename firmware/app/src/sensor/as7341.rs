//! ams-OSRAM AS7341: an eleven-channel spectral sensor on I2C.
//!
//! Eight bands from 415 to 680 nm, unfiltered light (clear) and near infrared, ten values a
//! frame. The chip has six converters, so that a frame takes two measurements, between which its
//! multiplexer ("SMUX") is switched. Register names and addresses are those of the datasheet
//! (DS000504 v3).

use crate::Clock;
use crate::sensor::{Sensor, SensorError};
use embassy_time::{Duration, Timer};
use embedded_hal::i2c::I2c;
use microtome_plan::Port;

/// Address on the bus; the chip has no other.
pub const ADDRESS: u8 = 0x39;

/// Values in a frame: F1 to F8, clear, near infrared.
pub const CHANNELS: usize = 10;

const ENABLE: u8 = 0x80;
const ATIME: u8 = 0x81;
const ID: u8 = 0x92;
/// Reading it latches the six results that follow it.
const ASTATUS: u8 = 0x94;
const STATUS2: u8 = 0xA3;
const CFG1: u8 = 0xAA;
const CFG6: u8 = 0xAF;
const ASTEP_L: u8 = 0xCA;

const POWER_ON: u8 = 1 << 0;
const SPECTRAL_ON: u8 = 1 << 1;
const SMUX_ON: u8 = 1 << 4;
/// Bits 7 to 2 of [`ID`]; the others are the revision.
const ID_MASK: u8 = 0xFC;
const ID_AS7341: u8 = 0x24;
/// In [`STATUS2`]: the measurement is complete.
const AVALID: u8 = 1 << 6;
/// In [`ASTATUS`]: a converter reached its end.
const ASAT: u8 = 1 << 7;
/// In [`CFG6`]: the next SMUX command writes the configuration that lies in registers 0 to 0x13.
const SMUX_WRITE: u8 = 2 << 3;

/// Which photodiode goes to which converter: two a register, 1-based, 0 is none.
type Smux = [u8; 20];

/// F1 to F4, clear, near infrared on converters 0 to 5.
const SMUX_LOW: Smux = [
    0x30, 0x01, 0x00, 0x00, 0x00, 0x42, 0x00, 0x00, 0x50, 0x00, //
    0x00, 0x00, 0x20, 0x04, 0x00, 0x30, 0x01, 0x50, 0x00, 0x06,
];
/// F5 to F8, clear, near infrared on converters 0 to 5.
const SMUX_HIGH: Smux = [
    0x00, 0x00, 0x00, 0x40, 0x02, 0x00, 0x10, 0x03, 0x50, 0x10, //
    0x03, 0x00, 0x00, 0x00, 0x24, 0x00, 0x00, 0x50, 0x00, 0x06,
];

/// Time between two looks at a flag.
const POLL_PERIOD: Duration = Duration::from_millis(1);
/// Looks at the SMUX flag; switching takes well under a millisecond.
const SMUX_POLLS_MAX: u32 = 10;

/// How light is integrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Integration steps, less one.
    pub atime: u8,
    /// Length of a step, less one, in units of 2.78 µs.
    pub astep: u16,
    /// Gain as the register CFG1 has it: 0 is ½, n is 2^(n−1), at most 10.
    pub gain: u8,
}

impl Exposure {
    /// 50 ms at a gain of 64.
    pub const DEFAULT: Self = Self {
        atime: 29,
        astep: 599,
        gain: 7,
    };

    const fn steps(self) -> u32 {
        (self.atime as u32 + 1) * (self.astep as u32 + 1)
    }

    /// The value of a converter at its end.
    fn full_scale(self) -> u16 {
        self.steps().min(u16::MAX.into()) as u16
    }

    /// Looks at the measurement's flag, until well after it must be set.
    const fn polls_max(self) -> u32 {
        // 2.78 µs a step, and half as long again.
        self.steps() * 417 / 100_000 + 10
    }
}

/// The sensor on a bus.
#[derive(Debug)]
pub struct As7341<B> {
    bus: B,
    exposure: Exposure,
}

impl<B: I2c> As7341<B> {
    /// The sensor on `bus`; nothing is sent yet.
    pub const fn new(bus: B, exposure: Exposure) -> Self {
        Self { bus, exposure }
    }

    /// Gives the bus back.
    pub fn release(self) -> B {
        self.bus
    }

    /// Measures all channels, in counts: F1 to F8, clear, near infrared.
    ///
    /// # Errors
    /// When the bus fails, the chip is not ready in time, or a converter is at its end.
    pub async fn measure(&mut self) -> Result<[u16; CHANNELS], SensorError> {
        let low = self.measure_six(&SMUX_LOW).await?;
        let high = self.measure_six(&SMUX_HIGH).await?;
        let mut counts = [0; CHANNELS];
        counts[..4].copy_from_slice(&low[..4]);
        counts[4..].copy_from_slice(&high);
        Ok(counts)
    }

    async fn measure_six(&mut self, smux: &Smux) -> Result<[u16; 6], SensorError> {
        self.write(ENABLE, POWER_ON)?;
        self.write(CFG6, SMUX_WRITE)?;
        let mut configuration = [0; 1 + size_of::<Smux>()];
        configuration[1..].copy_from_slice(smux);
        self.transfer(&configuration)?;
        self.write(ENABLE, POWER_ON | SMUX_ON)?;
        self.wait(ENABLE, SMUX_ON, 0, SMUX_POLLS_MAX).await?;
        self.write(ENABLE, POWER_ON | SPECTRAL_ON)?;
        let polls_max = self.exposure.polls_max();
        self.wait(STATUS2, AVALID, AVALID, polls_max).await?;
        self.results()
    }

    /// Waits until the bits `mask` of `register` are `value`.
    async fn wait(
        &mut self,
        register: u8,
        mask: u8,
        value: u8,
        polls_max: u32,
    ) -> Result<(), SensorError> {
        for _ in 0..polls_max {
            if self.read(register)? & mask == value {
                return Ok(());
            }
            Timer::after(POLL_PERIOD).await;
        }
        Err(SensorError::Timeout)
    }

    fn results(&mut self) -> Result<[u16; 6], SensorError> {
        let mut bytes = [0; 13];
        self.bus
            .write_read(ADDRESS, &[ASTATUS], &mut bytes)
            .map_err(|_| SensorError::Bus)?;
        if bytes[0] & ASAT != 0 {
            return Err(SensorError::Saturated);
        }
        let count = |at: usize| u16::from_le_bytes([bytes[1 + 2 * at], bytes[2 + 2 * at]]);
        Ok(core::array::from_fn(count))
    }

    fn read(&mut self, register: u8) -> Result<u8, SensorError> {
        let mut byte = [0];
        self.bus
            .write_read(ADDRESS, &[register], &mut byte)
            .map_err(|_| SensorError::Bus)?;
        Ok(byte[0])
    }

    fn write(&mut self, register: u8, value: u8) -> Result<(), SensorError> {
        self.transfer(&[register, value])
    }

    fn transfer(&mut self, bytes: &[u8]) -> Result<(), SensorError> {
        self.bus.write(ADDRESS, bytes).map_err(|_| SensorError::Bus)
    }
}

impl<B: I2c> Sensor for As7341<B> {
    async fn begin(&mut self) -> Result<(), SensorError> {
        let found = self.read(ID)?;
        if found & ID_MASK != ID_AS7341 {
            return Err(SensorError::WrongChip { found });
        }
        let Exposure { atime, astep, gain } = self.exposure;
        let [astep_low, astep_high] = astep.to_le_bytes();
        self.write(ENABLE, POWER_ON)?;
        self.write(ATIME, atime)?;
        self.transfer(&[ASTEP_L, astep_low, astep_high])?;
        self.write(CFG1, gain)
    }

    /// Values are fractions of the converters' full scale, from 0 to 1.
    async fn expose(
        &mut self,
        input: &Port<'_>,
        frame: &mut [i8],
        clock: Clock,
    ) -> Result<u64, SensorError> {
        if frame.len() != CHANNELS {
            return Err(SensorError::FrameLen {
                found: CHANNELS,
                expected: frame.len(),
            });
        }
        let exposed = (clock.now)();
        let counts = self.measure().await?;
        let full_scale = f32::from(self.exposure.full_scale());
        for (value, count) in frame.iter_mut().zip(counts) {
            *value = input.quantize(f32::from(count) / full_scale);
        }
        Ok(exposed)
    }
}
