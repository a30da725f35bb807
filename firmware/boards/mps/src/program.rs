//! Where the program begins, what interrupts do, and what a panic does.

use crate::executor;
use crate::led::Led;
use crate::uart::{self, Rx, Tx};
use crate::{MACHINE, time};
use core::panic::PanicInfo;
use cortex_m::peripheral::{NVIC, SCB};
use cortex_m_rt::{entry, exception};
use embassy_executor::Spawner;
use microtome_app::pins::Pins;
use microtome_app::sensor::ReplaySensor;
use microtome_app::{Board, Clock};

#[entry]
fn main() -> ! {
    MACHINE.peripherals.timebase.start();
    uart::start();
    for interrupts in [
        MACHINE.peripherals.uart_interrupts,
        MACHINE.peripherals.timebase_interrupts,
    ] {
        for &interrupt in interrupts {
            // SAFETY: no critical section is under way, and all that the handlers use is ready.
            unsafe { NVIC::unmask(Interrupt(interrupt)) };
        }
    }
    executor::run(spawn)
}

fn spawn(spawner: Spawner) {
    // SAFETY: the program begins once, so that this is the only call; the machine's author
    // vouches that its regions do not overlap.
    let memory = unsafe { MACHINE.arena.take() };
    match application(memory) {
        Ok(task) => spawner.spawn(task),
        Err(_) => defmt::panic!("the one task does not fit its pool"),
    }
}

#[embassy_executor::task]
async fn application(memory: &'static mut [u8]) {
    // SAFETY: the emulator fills these two before the program begins, and nothing writes there
    // after that.
    let (plan, replay) = unsafe { (MACHINE.plan.bytes(), MACHINE.replay.bytes()) };
    let led = |number| Led::new(MACHINE.peripherals.leds, number);
    let (mut exposure, mut answer) = (led(0), led(1));
    let board = Board {
        name: MACHINE.name,
        // Emulated machines have no number of their own.
        unit: "",
        firmware: MACHINE.firmware,
        clock: Clock {
            now: time::ticks,
            ticks_hz: MACHINE.peripherals.ticks_hz,
        },
        plan,
        replay,
        memory,
        sensor: ReplaySensor::new(replay),
        rx: Rx,
        tx: Tx,
        pins: Pins {
            exposure: &mut exposure,
            answer: &mut answer,
        },
    };
    // SAFETY: there is one such task, and the machine's author vouches for its regions.
    #[cfg(feature = "updates")]
    microtome_app::run_with_updates(board, unsafe { crate::flash::open() }).await;
    #[cfg(not(feature = "updates"))]
    microtome_app::run(board).await
}

/// The number of an interrupt that the machine has.
#[derive(Clone, Copy)]
struct Interrupt(u16);

// SAFETY: the numbers are those of the machine, and never change.
unsafe impl cortex_m::interrupt::InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self.0
    }
}

/// Every interrupt comes here: no crate knows these chips' vectors by name.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    // Negative numbers are exceptions, which none of the machine's interrupts is then.
    let number = number.cast_unsigned();
    if MACHINE.peripherals.timebase_interrupts.contains(&number) {
        time::on_interrupt();
    } else if MACHINE.peripherals.uart_interrupts.contains(&number) {
        uart::on_interrupt();
    } else {
        defmt::panic!("interrupt {} is not used", number);
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
