//! Which peripherals the boards have, and where: facts of their application notes.

use crate::cmsdk::CmsdkTimers;
use crate::register::Register;
use crate::sse::SseTimer;
use crate::time::Timebase;
use crate::uart::Uart;

/// The peripherals of a board.
pub struct Peripherals {
    /// The line to the host.
    pub(crate) uart: Uart,
    /// The interrupts of that line.
    pub(crate) uart_interrupts: &'static [u16],
    /// Its clock and alarm.
    pub(crate) timebase: &'static dyn Timebase,
    /// The interrupts of these.
    pub(crate) timebase_interrupts: &'static [u16],
    /// Ticks of the clock in a second; a whole number of them make a microsecond.
    pub(crate) ticks_hz: u32,
    /// A bit for each of at least two light-emitting diodes.
    pub(crate) leds: Register,
}

impl Peripherals {
    /// Those of an MPS2 with one processor: AN385, AN386, AN500, AN511.
    ///
    /// # Safety
    /// The board is one of these, and calls this once.
    pub const unsafe fn mps2() -> Self {
        // SAFETY: the caller vouches for the board, which has timers 0 and 1 there.
        static TIMERS: CmsdkTimers = unsafe { CmsdkTimers::at(0x4000_0000, 0x4000_1000) };
        Self {
            // SAFETY: as above; it has UART 0 there.
            uart: unsafe { Uart::at(0x4000_4000) },
            uart_interrupts: &[0, 1],
            timebase: &TIMERS,
            timebase_interrupts: &[8, 9],
            ticks_hz: 25_000_000,
            // SAFETY: as above; it has FPGAIO there, which begins with this register.
            leds: unsafe { Register::at(0x4002_8000) },
        }
    }

    /// Those of an MPS3 with an SSE-300 that runs in the Secure state: AN547.
    ///
    /// # Safety
    /// As for [`Self::mps2`].
    pub const unsafe fn sse_300() -> Self {
        // SAFETY: the caller vouches for the board, which has the counter and timer 0 there.
        static TIMER: SseTimer = unsafe { SseTimer::at(0x5810_0000, 0x5800_0000) };
        Self {
            // SAFETY: as above; it has UART 0 there.
            uart: unsafe { Uart::at(0x5930_3000) },
            uart_interrupts: &[33, 34],
            timebase: &TIMER,
            timebase_interrupts: &[3],
            ticks_hz: 32_000_000,
            // SAFETY: as above; it has FPGAIO there, which begins with this register.
            leds: unsafe { Register::at(0x5930_2000) },
        }
    }
}
