//! Runs the plan in its slot once, between `infer` and `inferred`, for `benches/cycles`: whoever
//! follows what the emulated processor executes finds one inference between the two.
#![no_std]
#![no_main]

#[path = "semihosting.rs"]
mod semihosting;

use cortex_m_rt::entry;
use microtome_exec::Executor;
use microtome_plan::Plan;

/// Where `board.toml` has the plan's slot, and how long it is.
const PLAN: (usize, usize) = (0x10_0000, 0x18_0000);

/// The arena's bytes: enough for the models that are measured.
const ARENA_BYTES: usize = 0x4_0000;

#[repr(align(16))]
struct Arena([u8; ARENA_BYTES]);

#[entry]
fn main() -> ! {
    static mut ARENA: Arena = Arena([0; ARENA_BYTES]);

    // SAFETY: the emulator fills the slot before the program begins, and nothing writes there.
    let bytes = unsafe { core::slice::from_raw_parts(PLAN.0 as *const u8, PLAN.1) };
    let plan = Plan::parse(bytes).expect("the slot has a plan");
    let mut executor = Executor::new(&plan, &mut ARENA.0).expect("the arena is large enough");
    infer(&mut executor);
    inferred();
    semihosting::succeed()
}

#[unsafe(no_mangle)]
#[inline(never)]
fn infer(executor: &mut Executor<'_, '_>) {
    executor.run(&mut ());
}

#[unsafe(no_mangle)]
#[inline(never)]
fn inferred() {
    // What keeps the call in the program.
    core::hint::black_box(());
}
