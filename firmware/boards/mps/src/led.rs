//! Light-emitting diodes of the FPGA's I/O block, which stand for pins.

use crate::register::Register;
use core::convert::Infallible;
use embedded_hal::digital::{ErrorType, OutputPin};

/// One diode.
pub(crate) struct Led {
    /// A bit for each of them. One task alone writes there.
    register: Register,
    mask: u32,
}

impl Led {
    /// The diode of this number.
    pub const fn new(register: Register, number: u32) -> Self {
        let mask = 1 << number;
        Self { register, mask }
    }
}

impl ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.register.write(self.register.read() & !self.mask);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.register.write(self.register.read() | self.mask);
        Ok(())
    }
}
