//! How near an output has to be: as the case says, which is onnx's own limit, but for cases whose
//! wanted outputs are themselves rounded more coarsely than that.

use super::archive::Case;

/// Cases with the relative and the absolute tolerance that they need, at least.
#[rustfmt::skip]
const ROUNDED: &[(&str, f64, f64)] = &[
    // float16, summed in another order: two units in the last place.
    ("test_attention_4d_causal_fp16_expanded", 2e-3, 0.0),
    ("test_attention_4d_gqa_with_past_and_present_fp16_expanded", 2e-3, 0.0),
    ("test_causal_conv_with_state_silu_fp16_expanded", 2e-3, 0.0),
    // Sums of numbers up to 945 that cancel to nothing.
    ("test_dft", 0.0, 1e-5),
    ("test_dft_axis", 0.0, 1e-5),
    ("test_dft_axis_opset19", 0.0, 1e-5),
    ("test_dft_opset19", 0.0, 1e-5),
    ("test_dft_rfft", 0.0, 1e-5),
    ("test_dft_rfft_opset19", 0.0, 1e-5),
    // States of up to 0.39, next to others that cancel to nothing.
    ("test_gru_bidirectional", 0.0, 1e-6),
    ("test_gru_seq_length", 0.0, 1e-6),
];

/// The relative and the absolute tolerance of the case.
pub fn of(case: &Case) -> (f64, f64) {
    let rounded = ROUNDED.iter().find(|(name, ..)| *name == case.name);
    let (rtol, atol) = rounded.map_or((0.0, 0.0), |&(_, rtol, atol)| (rtol, atol));
    (rtol.max(case.rtol), atol.max(case.atol))
}
