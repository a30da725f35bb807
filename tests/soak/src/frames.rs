//! Frames for the boards to replay: drawn smears, each with other cells, from clear to crowded, so
//! that the board is sure of some and asks about others.

use anyhow::{Result, ensure};
use microtome_board::replay;
use microtome_plan::{Element, PlanBuf};
use oorandom::Rand64;

/// Frames of a replay store.
pub const COUNT: usize = 16;

const WIDTH: usize = 160;
const HEIGHT: usize = 120;
/// Transmitted light without a cell, and the parts of it that pass cells of either kind.
const LIGHT: [f64; 3] = [194.0, 199.0, 189.0];
const RED: [f64; 3] = [0.94, 0.74, 0.71];
const WHITE: [f64; 3] = [0.55, 0.42, 0.93];

/// A replay store for the plan of `cells`.
///
/// # Errors
/// When the plan does not take such frames.
pub fn store(plan: &PlanBuf, seed: u64) -> Result<Vec<u8>> {
    let plan = plan.plan();
    let input = &plan.manifest().inputs[0];
    ensure!(
        input.element == Element::I8 && input.len_bytes() == WIDTH * HEIGHT * 3,
        "the plan does not take images of {WIDTH} x {HEIGHT}"
    );
    let mut random = Rand64::new(seed.into());
    let frames: Vec<Vec<u8>> = (0..COUNT).map(|frame| draw(frame, &mut random)).collect();
    Ok(replay::encode(&frames)?)
}

/// Frame after frame there are more cells and more noise.
fn draw(frame: usize, random: &mut Rand64) -> Vec<u8> {
    let mut pixels = [LIGHT].repeat(WIDTH * HEIGHT);
    let mut cell = |random: &mut Rand64, radius: f64, passes: [f64; 3]| {
        let x = random.rand_float() * WIDTH as f64;
        let y = random.rand_float() * HEIGHT as f64;
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let (dx, dy) = ((at % WIDTH) as f64 - x, (at / WIDTH) as f64 - y);
            if dx * dx + dy * dy < radius * radius {
                for (light, passes) in pixel.iter_mut().zip(passes) {
                    *light *= passes;
                }
            }
        }
    };
    for _ in 0..4 + 2 * frame {
        let radius = 6.0 + random.rand_float() * 2.0;
        cell(random, radius, RED);
    }
    for _ in 0..frame % 3 {
        cell(random, 11.0, WHITE);
    }
    let noise = (frame * 2 + 1) as f64;
    let mut grain = |light: &f64| {
        let value = light + (random.rand_float() - 0.5) * noise;
        // As the model has it: 128 is subtracted, which is the same bits with the first one flipped.
        (value.clamp(0.0, 255.0) as u8) ^ 0x80
    };
    pixels.iter().flatten().map(&mut grain).collect()
}
