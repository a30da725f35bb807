//! Inputs for golden vectors where nobody has given any.
//!
//! They show that a board computes as the host does, not that a model is good. Inputs that the model
//! was made for reach more of it.

use microtome_plan::{Element, ModelType, Plan, Port};

/// Pseudo-random inputs of so many samples, always the same for the same plan: for each sample the
/// bytes of each input in the arena's order.
pub fn pseudo_random(plan: &Plan<'_>, samples: usize) -> Vec<Vec<Vec<u8>>> {
    let mut random = SplitMix64(
        plan.digest()
            .first_chunk()
            .copied()
            .map_or(0, u64::from_le_bytes),
    );
    let inputs = &plan.manifest().inputs;
    let sample = |_| {
        inputs
            .iter()
            .map(|port| values(port, &mut random))
            .collect()
    };
    (0..samples).map(sample).collect()
}

/// Values that the port can have.
fn values(port: &Port<'_>, random: &mut SplitMix64) -> Vec<u8> {
    let element = |_| match (port.element, port.model_type) {
        (Element::I8, ModelType::Bool) => vec![random.next() as u8 & 1],
        (Element::I8, _) => vec![random.next() as u8],
        (Element::I16, _) => (random.next() as i16).to_le_bytes().to_vec(),
        // Whole numbers are mostly indices, of which 0 and 1 are the likeliest to exist.
        (Element::I32, _) => i32::from(random.next() as u8 & 1).to_le_bytes().to_vec(),
        (Element::F32, _) => unit(random.next()).to_le_bytes().to_vec(),
    };
    (0..port.len()).flat_map(element).collect()
}

/// A number from −1 to 1.
fn unit(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// Steele, Lea and Flood's generator: every seed gives a good sequence.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
