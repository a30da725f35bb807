//! The firmware application on Arm's MPS2 with the AN386 image, a Cortex-M4F at 25 MHz, as QEMU
//! emulates it.
//!
//! In the order of the hardware: [`register`] (memory-mapped peripherals), [`timer`] (the clock
//! and `embassy-time`), [`uart`] (the line to the host), [`log`] (defmt), [`executor`] (sleep).
#![no_std]
#![no_main]

mod executor;
mod log;
mod register;
mod timer;
mod uart;

use core::panic::PanicInfo;
use cortex_m::peripheral::{NVIC, SCB};
use cortex_m_rt::{entry, exception};
use embassy_executor::Spawner;
use microtome_app::sensor::ReplaySensor;
use microtome_app::{Board, Clock};
use static_cell::ConstStaticCell;

/// The slots as `board.toml` has them.
const PLAN_AT: usize = 0x10_0000;
const REPLAY_AT: usize = 0x28_0000;
const SLOT_LEN: usize = 0x18_0000;
const MEMORY_LEN: usize = 0x10_0000;

#[repr(align(16))]
struct Memory([u8; MEMORY_LEN]);

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory([0; MEMORY_LEN]));

#[entry]
fn main() -> ! {
    timer::start();
    uart::start();
    for interrupt in Interrupt::ALL {
        // SAFETY: no critical section is under way, and all that the handlers use is ready.
        unsafe { NVIC::unmask(interrupt) };
    }
    executor::run(|spawner| spawn(spawner, MEMORY.take()))
}

fn spawn(spawner: Spawner, memory: &'static mut Memory) {
    match application(memory) {
        Ok(task) => spawner.spawn(task),
        Err(_) => defmt::panic!("the one task does not fit its pool"),
    }
}

#[embassy_executor::task]
async fn application(memory: &'static mut Memory) {
    let replay = slot(REPLAY_AT);
    microtome_app::run(Board {
        name: "mps2-an386",
        firmware: env!("CARGO_PKG_VERSION"),
        clock: Clock {
            now: timer::ticks,
            ticks_hz: timer::TICKS_HZ,
        },
        plan: slot(PLAN_AT),
        replay,
        memory: &mut memory.0,
        sensor: ReplaySensor::new(replay),
        rx: uart::Rx,
        tx: uart::Tx,
    })
    .await
}

/// The bytes of a flash slot.
fn slot(at: usize) -> &'static [u8] {
    // SAFETY: the slots are memory that the board always has; `memory.x` keeps the linker out of
    // them, and nothing writes there while the program runs.
    unsafe { core::slice::from_raw_parts(at as *const u8, SLOT_LEN) }
}

/// The interrupts that are used, by their number.
#[derive(Clone, Copy)]
enum Interrupt {
    UartRx = 0,
    UartTx = 1,
    Counter = 8,
    Alarm = 9,
}

impl Interrupt {
    const ALL: [Self; 4] = [Self::UartRx, Self::UartTx, Self::Counter, Self::Alarm];
}

// SAFETY: the numbers are those of the AN386 application note, and never change.
unsafe impl cortex_m::interrupt::InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Every interrupt comes here: there is no crate that knows this chip's vectors by name.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    const UART_RX: i16 = Interrupt::UartRx as i16;
    const UART_TX: i16 = Interrupt::UartTx as i16;
    const COUNTER: i16 = Interrupt::Counter as i16;
    const ALARM: i16 = Interrupt::Alarm as i16;
    match number {
        UART_RX => uart::on_receive(),
        UART_TX => uart::on_transmit(),
        COUNTER => timer::on_wrap(),
        ALARM => timer::on_alarm(),
        _ => defmt::panic!("interrupt {} is not used", number),
    }
}

/// Starts the board anew: the host learns of it from the link, and goes on.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}

#[defmt::panic_handler]
fn defmt_panic() -> ! {
    SCB::sys_reset()
}
