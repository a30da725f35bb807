//! A CMSDK APB UART as the line to the host.
//!
//! Received bytes wait in a pipe of `RECEIVED_MAX` bytes, room for a window of the longest
//! frames; what does not fit is lost, and the link sends it again.

use crate::MACHINE;
use crate::executor::Shared;
use crate::register::Register;
use core::cell::RefCell;
use core::convert::Infallible;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embedded_io_async::{ErrorType, Read, Write};

/// Bytes that wait to be read.
const RECEIVED_MAX: usize = 4096;

const STATE_TX_FULL: u32 = 1 << 0;
const STATE_RX_FULL: u32 = 1 << 1;
const CONTROL_TX: u32 = 1 << 0;
const CONTROL_RX: u32 = 1 << 1;
const CONTROL_TX_INTERRUPT: u32 = 1 << 2;
const CONTROL_RX_INTERRUPT: u32 = 1 << 3;
const INTERRUPT_TX: u32 = 1 << 0;
/// 25 MHz / 217 is 115,200 baud. QEMU does not mind.
const DIVIDER: u32 = 217;

static RECEIVED: Pipe<CriticalSectionRawMutex, RECEIVED_MAX> = Pipe::new();
/// Who waits to transmit.
static SENDER: Shared<Option<Waker>> = Shared::new(RefCell::new(None));

/// A UART.
pub struct Uart {
    data: Register,
    state: Register,
    control: Register,
    /// Which interrupts are pending; writing ones clears them.
    interrupt: Register,
    baud_divider: Register,
}

impl Uart {
    /// The UART at `base`.
    ///
    /// # Safety
    /// A CMSDK APB UART must be there, and nothing else may use it.
    pub const unsafe fn at(base: usize) -> Self {
        // SAFETY: the caller vouches for the UART; these are its registers.
        unsafe {
            Self {
                data: Register::at(base),
                state: Register::at(base + 0x4),
                control: Register::at(base + 0x8),
                interrupt: Register::at(base + 0xC),
                baud_divider: Register::at(base + 0x10),
            }
        }
    }

    fn is(&self, state: u32) -> bool {
        self.state.read() & state != 0
    }
}

/// Readies the line.
pub(crate) fn start() {
    let uart = &MACHINE.peripherals.uart;
    uart.baud_divider.write(DIVIDER);
    uart.control
        .write(CONTROL_TX | CONTROL_RX | CONTROL_RX_INTERRUPT);
}

/// Bytes came, or there is room to transmit.
pub(crate) fn on_interrupt() {
    let uart = &MACHINE.peripherals.uart;
    let pending = uart.interrupt.read();
    uart.interrupt.write(pending);
    while uart.is(STATE_RX_FULL) {
        let byte = uart.data.read() as u8;
        // No room: the byte is lost.
        let _ = RECEIVED.try_write(&[byte]);
    }
    if pending & INTERRUPT_TX != 0 {
        critical_section::with(|cs| {
            uart.control
                .write(uart.control.read() & !CONTROL_TX_INTERRUPT);
            if let Some(waker) = SENDER.borrow_ref_mut(cs).take() {
                waker.wake();
            }
        });
    }
}

/// The receiving half. There is one.
pub(crate) struct Rx;

impl ErrorType for Rx {
    type Error = Infallible;
}

impl Read for Rx {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        Ok(RECEIVED.read(bytes).await)
    }
}

/// The sending half. There is one.
pub(crate) struct Tx;

impl ErrorType for Tx {
    type Error = Infallible;
}

impl Write for Tx {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        poll_fn(|context| {
            let sent = transmit(bytes);
            if sent > 0 || bytes.is_empty() {
                return Poll::Ready(Ok(sent));
            }
            wake_when_there_is_room(context.waker());
            Poll::Pending
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Gives the UART as many bytes as it takes now.
fn transmit(bytes: &[u8]) -> usize {
    let mut sent = 0;
    for &byte in bytes {
        if MACHINE.peripherals.uart.is(STATE_TX_FULL) {
            break;
        }
        MACHINE.peripherals.uart.data.write(byte.into());
        sent += 1;
    }
    sent
}

fn wake_when_there_is_room(waker: &Waker) {
    critical_section::with(|cs| {
        *SENDER.borrow_ref_mut(cs) = Some(waker.clone());
        let uart = &MACHINE.peripherals.uart;
        uart.control
            .write(uart.control.read() | CONTROL_TX_INTERRUPT);
        if !uart.is(STATE_TX_FULL) {
            // Room came before the interrupt was enabled.
            waker.wake_by_ref();
        }
    });
}
