//! CMSDK APB UART 0 as the line to the host.
//!
//! Received bytes wait in a pipe of [`RECEIVED_MAX`] bytes, room for a window of the longest
//! frames; what does not fit is lost, and the link sends it again.

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

const BASE: usize = 0x4000_4000;
// SAFETY: the application note has UART 0 at this address; these are its registers.
static DATA: Register = unsafe { Register::at(BASE) };
// SAFETY: as above.
static STATE: Register = unsafe { Register::at(BASE + 0x4) };
// SAFETY: as above.
static CONTROL: Register = unsafe { Register::at(BASE + 0x8) };
/// Which interrupts are pending; writing ones clears them.
// SAFETY: as above.
static INTERRUPT: Register = unsafe { Register::at(BASE + 0xC) };
// SAFETY: as above.
static BAUD_DIVIDER: Register = unsafe { Register::at(BASE + 0x10) };

const STATE_TX_FULL: u32 = 1 << 0;
const STATE_RX_FULL: u32 = 1 << 1;
const CONTROL_TX: u32 = 1 << 0;
const CONTROL_RX: u32 = 1 << 1;
const CONTROL_TX_INTERRUPT: u32 = 1 << 2;
const CONTROL_RX_INTERRUPT: u32 = 1 << 3;
const INTERRUPT_TX: u32 = 1 << 0;
const INTERRUPT_RX: u32 = 1 << 1;
/// 25 MHz / 217 is 115,200 baud. QEMU does not mind.
const DIVIDER: u32 = 217;

static RECEIVED: Pipe<CriticalSectionRawMutex, RECEIVED_MAX> = Pipe::new();
/// Who waits to transmit.
static SENDER: Shared<Option<Waker>> = Shared::new(RefCell::new(None));

/// Readies the line.
pub fn start() {
    BAUD_DIVIDER.write(DIVIDER);
    CONTROL.write(CONTROL_TX | CONTROL_RX | CONTROL_RX_INTERRUPT);
}

/// A byte came.
pub fn on_receive() {
    INTERRUPT.write(INTERRUPT_RX);
    while STATE.read() & STATE_RX_FULL != 0 {
        let byte = DATA.read() as u8;
        // No room: the byte is lost.
        let _ = RECEIVED.try_write(&[byte]);
    }
}

/// There is room to transmit.
pub fn on_transmit() {
    critical_section::with(|cs| {
        INTERRUPT.write(INTERRUPT_TX);
        CONTROL.write(CONTROL.read() & !CONTROL_TX_INTERRUPT);
        if let Some(waker) = SENDER.borrow_ref_mut(cs).take() {
            waker.wake();
        }
    });
}

/// The receiving half. There is one.
pub struct Rx;

impl ErrorType for Rx {
    type Error = Infallible;
}

impl Read for Rx {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        Ok(RECEIVED.read(bytes).await)
    }
}

/// The sending half. There is one.
pub struct Tx;

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
        if STATE.read() & STATE_TX_FULL != 0 {
            break;
        }
        DATA.write(byte.into());
        sent += 1;
    }
    sent
}

fn wake_when_there_is_room(waker: &Waker) {
    critical_section::with(|cs| {
        *SENDER.borrow_ref_mut(cs) = Some(waker.clone());
        CONTROL.write(CONTROL.read() | CONTROL_TX_INTERRUPT);
        if STATE.read() & STATE_TX_FULL == 0 {
            // Room came before the interrupt was enabled.
            waker.wake_by_ref();
        }
    });
}
