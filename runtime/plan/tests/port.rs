//! How real numbers become the int8 of a plan, and back.

use microtome_plan::{ArenaAt, Element, ModelType, Port};

fn port(scale: f32, zero: i8) -> Port<'static> {
    Port {
        name: "x",
        at: ArenaAt(0),
        dims: heapless::Vec::from_iter([1]),
        order: heapless::Vec::from_iter([0]),
        model_type: ModelType::F32,
        element: Element::I8,
        scale,
        zero,
    }
}

#[test]
fn halves_round_to_even() {
    let port = port(0.5, 3);
    let quantized = [-0.75, -0.25, 0.25, 0.75, 1.25].map(|real| port.quantize(real));
    assert_eq!(quantized, [1, 3, 3, 5, 5]);
}

#[test]
fn what_does_not_fit_is_clamped_and_nan_is_zero() {
    let port = port(0.5, 3);
    let reals = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e30,
        -1e30,
        62.0,
        -65.5,
    ];
    let quantized = reals.map(|real| port.quantize(real));
    assert_eq!(quantized, [3, 127, -128, 127, -128, 127, -128]);
}

#[test]
fn every_value_survives_the_way_there_and_back() {
    for (scale, zero) in [
        (0.003_921_569, -128),
        (0.584_702_9, 83),
        (1e-30, 0),
        (1e30, 127),
    ] {
        let port = port(scale, zero);
        for value in i8::MIN..=i8::MAX {
            assert_eq!(port.quantize(port.dequantize(value)), value);
        }
    }
}
