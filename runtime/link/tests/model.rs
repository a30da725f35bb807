//! Both ends against a model, by random scripts: the fuzz target `link` without a fuzzer.

#[path = "../../../tests/fuzz/link_model.rs"]
mod link_model;

use proptest::prelude::*;

/// What mostly happens: frames come and go, messages are sent and heard.
fn step() -> impl Strategy<Value = u8> {
    let often = prop::sample::select(vec![0_u8, 0, 0, 1, 1, 1, 4, 5, 6]);
    let seldom = 0..8_u8;
    let what = prop_oneof![9 => often, 1 => seldom];
    (what, 0..2_u8, 0..16_u8).prop_map(|(what, side, how)| how << 4 | what << 1 | side)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 4000 }))]

    #[test]
    fn each_message_is_handed_out_once_and_in_order(
        script in prop::collection::vec(step(), 0..300),
    ) {
        link_model::script(&script);
    }

    #[test]
    fn any_script_keeps_the_promise(script in prop::collection::vec(any::<u8>(), 0..300)) {
        link_model::script(&script);
    }
}
