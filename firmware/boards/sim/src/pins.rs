//! Pins as a file: a line for each level that one is given, `NANOSECONDS PIN LEVEL`, by the clock
//! of the board's messages.

use embedded_hal::digital::{ErrorKind, ErrorType, OutputPin};
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

/// A pin that writes down its levels, where there is a file.
pub struct FilePin {
    name: &'static str,
    file: Option<Arc<File>>,
    ticks: fn() -> u64,
}

impl FilePin {
    /// The pin called `name`; without a file it is not there.
    pub fn new(name: &'static str, file: Option<Arc<File>>, ticks: fn() -> u64) -> Self {
        Self { name, file, ticks }
    }

    fn set(&self, level: u8) -> Result<(), ErrorKind> {
        let mut file = self.file.as_deref().ok_or(ErrorKind::Other)?;
        let line = format!("{} {} {level}\n", (self.ticks)(), self.name);
        file.write_all(line.as_bytes())
            .map_err(|_| ErrorKind::Other)
    }
}

impl ErrorType for FilePin {
    type Error = ErrorKind;
}

impl OutputPin for FilePin {
    fn set_low(&mut self) -> Result<(), ErrorKind> {
        self.set(0)
    }

    fn set_high(&mut self) -> Result<(), ErrorKind> {
        self.set(1)
    }
}
