//! Frames for the boards to replay: mosaics, each another, that models find things in.

use anyhow::{Result, ensure};
use microtome_board::replay;
use microtome_plan::{Element, PlanBuf};
use oorandom::Rand64;

/// Frames of a replay store.
pub const COUNT: usize = 16;

/// A replay store for `plan`.
///
/// # Errors
/// When its inputs are not int8.
pub fn store(plan: &PlanBuf, seed: u64) -> Result<Vec<u8>> {
    let plan = plan.plan();
    let inputs = &plan.manifest().inputs;
    ensure!(
        inputs.iter().all(|port| port.element == Element::I8),
        "only models with int8 inputs can be soaked"
    );
    let len: usize = inputs.iter().map(|port| port.len_bytes()).sum();
    let mut random = Rand64::new(seed.into());
    let frames: Vec<Vec<u8>> = (0..COUNT).map(|_| mosaic(len, &mut random)).collect();
    Ok(replay::encode(&frames)?)
}

/// Runs of bytes about one value each.
fn mosaic(len: usize, random: &mut Rand64) -> Vec<u8> {
    let (mut bytes, mut value, mut left) = (Vec::with_capacity(len), 0, 0);
    let tile = random.rand_range(8..200);
    while bytes.len() < len {
        if left == 0 {
            (value, left) = (random.rand_range(0..224) as u8, random.rand_range(1..tile));
        }
        bytes.push(value + random.rand_range(0..32) as u8);
        left -= 1;
    }
    bytes
}
