//! No parameters and no constants make an operator panic: those that `check` and `check_constants`
//! refuse are never run, and all others stay within the extents that the operator states.
//!
//! Parameters are damaged as a hostile plan is: bytes of their encoding are changed.

use microtome_kernels::cases::{Buffers, Case, Outcome, Rng, operate};
use microtome_kernels::{dispatch, for_each_case, generic};
use serde::{Serialize, de::DeserializeOwned};

/// Changes one to three bytes of `encoded`, most often to something that a number may well have.
fn damage(rng: &mut Rng, encoded: &mut [u8]) {
    for _ in 0..rng.size(1..=3) {
        let at = rng.size(0..=encoded.len() - 1);
        encoded[at] = match rng.size(0..=3) {
            0 => rng.size(0..=4) as u8,
            1 => encoded[at]
                .wrapping_add(rng.size(0..=2) as u8)
                .wrapping_sub(1),
            _ => rng.size(0..=255) as u8,
        };
    }
}

fn survives<C: Case + Serialize + DeserializeOwned>(cases: usize) {
    let (mut buffers, mut rng) = (Buffers::new(), Rng::new(0x626164));
    let mut ran = 0;
    for case in 0..cases {
        let mut bytes = [0; 512];
        let encoded = postcard::to_slice(&C::random(&mut rng), &mut bytes).expect("it fits");
        damage(&mut rng, encoded);
        let Ok(damaged) = postcard::from_bytes::<C>(encoded) else {
            continue;
        };
        let set = [&generic::SET, dispatch::best()][case % 2];
        let outcome = operate(set, &damaged, &mut rng, &mut buffers);
        ran += usize::from(outcome == Outcome::Same);
    }
    assert!(cases < 100 || ran > 0, "no damaged parameters are valid");
}

macro_rules! hostile {
    ([] $($op:ident: $operator:ty;)*) => {
        $(
            #[test]
            fn $op() {
                survives::<$operator>(if cfg!(miri) { 3 } else { 8000 });
            }
        )*
    };
}

for_each_case!(hostile);
