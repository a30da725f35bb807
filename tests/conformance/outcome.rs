//! What became of a case, and how outputs are compared: as onnx's own runner does, but that
//! integers have to be equal.

use half::f16;
use microtome_compiler::{Tensor, Values};
use serde::{Deserialize, Serialize};

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Every output is right.
    Passed,
    /// The executor does not take the case, and says why.
    Refused(String),
    /// An output is wrong.
    Wrong(String),
    /// It panicked, ended the process, or did not end.
    Crashed(String),
}

/// Compares all outputs of a case with the wanted ones.
pub fn compare(found: &[Tensor], wanted: &[Tensor], rtol: f64, atol: f64) -> Outcome {
    if found.len() != wanted.len() {
        let (found, wanted) = (found.len(), wanted.len());
        return Outcome::Wrong(format!("{found} outputs, not {wanted}"));
    }
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        if let Some(difference) = difference(found, wanted, rtol, atol) {
            return Outcome::Wrong(format!("output {index}: {difference}"));
        }
    }
    Outcome::Passed
}

/// The first thing in which `found` differs from `wanted`.
fn difference(found: &Tensor, wanted: &Tensor, rtol: f64, atol: f64) -> Option<String> {
    let types = (found.values().type_name(), wanted.values().type_name());
    if types.0 != types.1 {
        return Some(format!("type {}, not {}", types.0, types.1));
    }
    if found.dims() != wanted.dims() {
        let dims = (found.dims(), wanted.dims());
        return Some(format!("shape {:?}, not {:?}", dims.0, dims.1));
    }
    let near = |a: f64, b: f64| {
        let is_close = b.is_finite() && (a - b).abs() <= atol + rtol * b.abs();
        is_close || a == b || (a.is_nan() && b.is_nan())
    };
    use Values::*;
    match (found.values(), wanted.values()) {
        (F16(a), F16(b)) => first(a, b, |a: f16, b: f16| near(a.into(), b.into())),
        (F32(a), F32(b)) => first(a, b, |a: f32, b: f32| near(a.into(), b.into())),
        (F64(a), F64(b)) => first(a, b, near),
        (Bool(a), Bool(b)) => first(a, b, |a, b| a == b),
        (I8(a), I8(b)) => first(a, b, |a, b| a == b),
        (I16(a), I16(b)) => first(a, b, |a, b| a == b),
        (I32(a), I32(b)) => first(a, b, |a, b| a == b),
        (I64(a), I64(b)) => first(a, b, |a, b| a == b),
        (U8(a), U8(b)) => first(a, b, |a, b| a == b),
        (U16(a), U16(b)) => first(a, b, |a, b| a == b),
        (U32(a), U32(b)) => first(a, b, |a, b| a == b),
        (U64(a), U64(b)) => first(a, b, |a, b| a == b),
        _ => Some("the types differ".into()),
    }
}

fn first<T: Copy + std::fmt::Debug>(
    found: &[T],
    wanted: &[T],
    is_near: impl Fn(T, T) -> bool,
) -> Option<String> {
    let mut pairs = found.iter().zip(wanted).enumerate();
    let (index, (a, b)) = pairs.find(|(_, (a, b))| !is_near(**a, **b))?;
    Some(format!("[{index}] is {a:?}, not {b:?}"))
}

/// What a mistake in the comparison would hide.
#[test]
fn a_difference_is_seen() {
    let float =
        |values: &[f32]| Tensor::new(vec![values.len()], Values::F32(values.into())).unwrap();
    let wanted = [float(&[1.0, f32::NAN, f32::INFINITY, 0.0])];
    let same = |found: Tensor| compare(&[found], &wanted, 1e-3, 1e-7) == Outcome::Passed;
    assert!(same(float(&[1.000_9, f32::NAN, f32::INFINITY, 1e-8])));
    assert!(!same(float(&[1.001_1, f32::NAN, f32::INFINITY, 0.0])));
    assert!(!same(float(&[1.0, 0.0, f32::INFINITY, 0.0])));
    assert!(!same(float(&[1.0, f32::NAN, f32::MAX, 0.0])));
    assert!(!same(float(&[1.0, f32::NAN, f32::INFINITY])));
    assert!(compare(&[], &wanted, 1e-3, 1e-7) != Outcome::Passed);
    let int = |value| [Tensor::new(vec![], Values::I64(vec![value])).unwrap()];
    assert!(compare(&int(10_000), &int(10_001), 1e-3, 1e-7) != Outcome::Passed);
}
