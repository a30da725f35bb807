//! Between a model's own layout and types and the arena's: channels last, perhaps quantized.

use crate::array::Array;
use anyhow::{Result, bail, ensure};
use microtome_plan::{Element, ModelType, Port};
use ndarray::{ArrayD, IxDyn};

/// The bytes of one sample, in the arena's order.
///
/// Numbers become the port's. An int8 port of real numbers takes int8 arrays as its quantized
/// values themselves, and quantizes the numbers of all others.
pub fn to_arena(sample: &Array, port: &Port<'_>) -> Result<Vec<u8>> {
    match (port.element, port.model_type, sample) {
        (Element::I8, ModelType::Bool, _) => bytes_of::<bool>(sample, port),
        (Element::I8, _, Array::I8(_)) => bytes_of::<i8>(sample, port),
        (Element::I8, ModelType::F32, _) | (Element::I8, _, Array::F32(_)) => {
            quantized(sample, port)
        }
        // Held with 128 subtracted, which is the same bits with the first one flipped.
        (Element::I8, ModelType::U8, _) => {
            let bytes = bytes_of::<u8>(sample, port)?;
            Ok(bytes.iter().map(|byte| byte ^ 0x80).collect())
        }
        (Element::I8, ..) => bytes_of::<i8>(sample, port),
        (Element::F32, ..) => bytes_of::<f32>(sample, port),
        (Element::I32, ..) => bytes_of::<i32>(sample, port),
        (Element::I16, ..) => bail!("an input of int16 is not supported"),
    }
}

/// The numbers of `sample` as the port quantizes them.
fn quantized(sample: &Array, port: &Port<'_>) -> Result<Vec<u8>> {
    let values = in_order(&sample.to_f64(), port)?;
    ensure!(
        values.iter().all(|value| !value.is_nan()),
        "the input has NaN in it"
    );
    let quantize = |&value: &f64| port.quantize(value as f32).cast_unsigned();
    Ok(values.iter().map(quantize).collect())
}

/// The bytes of `sample`, whose values must be ones that `T` has.
fn bytes_of<T: Value>(sample: &Array, port: &Port<'_>) -> Result<Vec<u8>> {
    let values = in_order(&sample.to_f64(), port)?;
    let mut bytes = Vec::with_capacity(port.len_bytes());
    for &value in &values {
        let Some(held) = T::of(value) else {
            bail!("the input has {value} in it, which is no {}", T::NAME);
        };
        bytes.extend_from_slice(bytemuck::bytes_of(&held));
    }
    Ok(bytes)
}

/// A type of the arena.
trait Value: bytemuck::NoUninit {
    /// NumPy's name of it.
    const NAME: &'static str;

    /// `value` as it is held, if it can be.
    fn of(value: f64) -> Option<Self>;
}

impl Value for f32 {
    const NAME: &'static str = "float32";

    fn of(value: f64) -> Option<Self> {
        Some(value as Self)
    }
}

impl Value for bool {
    const NAME: &'static str = "bool";

    fn of(value: f64) -> Option<Self> {
        (value == 0.0 || value == 1.0).then_some(value == 1.0)
    }
}

macro_rules! integers {
    ($($integer:ident $name:literal),*) => {
        $(impl Value for $integer {
            const NAME: &'static str = $name;

            fn of(value: f64) -> Option<Self> {
                let held = value as Self;
                (f64::from(held) == value).then_some(held)
            }
        })*
    };
}

integers!(i8 "int8", u8 "uint8", i32 "int32");

/// `sample` with its axes as the arena has them.
fn in_order<T: Clone>(sample: &ArrayD<T>, port: &Port<'_>) -> Result<ArrayD<T>> {
    let dims = IxDyn(&port.dims);
    let order: Vec<usize> = port.order.iter().map(|&axis| usize::from(axis)).collect();
    let shaped = sample
        .as_standard_layout()
        .into_owned()
        .into_shape_with_order(dims)?;
    Ok(shaped.permuted_axes(order))
}

/// The model's output for a batch: `values` has the bytes of each sample in the arena's order.
/// The result has the samples along its first axis and the model's own type.
pub fn from_arena(values: &[&[u8]], port: &Port<'_>) -> Result<Array> {
    let is_batched = port.dims.first() == Some(&1) && port.dims.len() > 1;
    let sample = if is_batched {
        &port.dims[1..]
    } else {
        &port.dims[..]
    };
    let shape: Vec<usize> = std::iter::once(values.len())
        .chain(sample.iter().copied())
        .collect();
    let shape = &shape[..];
    Ok(match (port.element, port.model_type) {
        (Element::I8, ModelType::F32) => Array::F32(batch(values, port, shape, |value: i8| {
            port.dequantize(value)
        })?),
        (Element::I8, ModelType::U8) => {
            Array::U8(batch(values, port, shape, |value: u8| value ^ 0x80)?)
        }
        (Element::I8, ModelType::Bool) => {
            Array::Bool(batch(values, port, shape, |value: i8| value != 0)?)
        }
        (Element::I8, _) => Array::I8(batch(values, port, shape, |value: i8| value)?),
        (Element::I32, ModelType::I64) => {
            Array::I64(batch(values, port, shape, |value: i32| value.into())?)
        }
        (Element::I32, _) => Array::I32(batch(values, port, shape, |value: i32| value)?),
        (Element::F32, _) => Array::F32(batch(values, port, shape, |value: f32| value)?),
        (Element::I16, _) => bail!("an output of int16 is not supported"),
    })
}

/// The samples' values, each converted, in the model's order.
fn batch<T: bytemuck::AnyBitPattern, M: Clone>(
    values: &[&[u8]],
    port: &Port<'_>,
    shape: &[usize],
    convert: impl Fn(T) -> M,
) -> Result<ArrayD<M>> {
    let mut batch = Vec::with_capacity(shape.iter().product());
    for bytes in values {
        let sample: Vec<M> = bytes
            .chunks_exact(size_of::<T>())
            .map(|bytes| convert(bytemuck::pod_read_unaligned(bytes)))
            .collect();
        batch.extend(model_order(sample, port)?);
    }
    Ok(ArrayD::from_shape_vec(IxDyn(shape), batch)?)
}

fn model_order<M: Clone>(values: Vec<M>, port: &Port<'_>) -> Result<Vec<M>> {
    let arena_dims: Vec<usize> = port
        .order
        .iter()
        .map(|&axis| port.dims[usize::from(axis)])
        .collect();
    let mut inverse = vec![0; port.order.len()];
    for (at, &axis) in port.order.iter().enumerate() {
        inverse[usize::from(axis)] = at;
    }
    let array = ArrayD::from_shape_vec(IxDyn(&arena_dims), values)?;
    Ok(array.permuted_axes(inverse).iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use microtome_plan::ArenaAt;

    fn picture_port() -> Port<'static> {
        Port {
            name: "x",
            at: ArenaAt(0),
            dims: [1, 2, 1, 3].into_iter().collect(),
            order: [0, 2, 3, 1].into_iter().collect(),
            model_type: ModelType::F32,
            element: Element::I8,
            scale: 0.5,
            zero: 1,
        }
    }

    #[test]
    fn channels_go_last_and_come_back_first() {
        let port = picture_port();
        let planes = vec![0.0, 0.5, 1.0, 10.0, 10.5, 11.0];
        let sample = Array::F32(ArrayD::from_shape_vec(IxDyn(&[2, 1, 3]), planes.clone()).unwrap());
        let arena = to_arena(&sample, &port).unwrap();
        assert_eq!(arena, [1, 21, 2, 22, 3, 23]);
        let back = from_arena(&[&arena, &arena], &port).unwrap();
        let twice = [planes.clone(), planes].concat();
        assert_eq!(
            back,
            Array::F32(ArrayD::from_shape_vec(IxDyn(&[2, 2, 1, 3]), twice).unwrap())
        );
    }

    /// An array of six elements in the picture's shape.
    fn picture<T>(values: Vec<T>) -> ArrayD<T> {
        ArrayD::from_shape_vec(IxDyn(&[2, 1, 3]), values).unwrap()
    }

    #[test]
    fn numbers_of_any_type_are_quantized_but_int8_is_taken_to_be() {
        let port = picture_port();
        let wanted = [1, 7, 3, 9, 5, 127];
        let numbers = [0, 1, 2, 3, 4, 1000];
        let arrays = [
            Array::F32(picture(numbers.map(|it: i32| it as f32).to_vec())),
            Array::I32(picture(numbers.to_vec())),
            Array::I64(picture(numbers.map(i64::from).to_vec())),
        ];
        for array in arrays {
            let arena = to_arena(&array, &port).unwrap();
            assert_eq!(arena, wanted, "{}", array.dtype());
        }
        let truths = Array::Bool(picture(vec![true, false, true, true, true, false]));
        assert_eq!(to_arena(&truths, &port).unwrap(), [3, 3, 1, 3, 3, 1]);
        let int8 = Array::I8(picture(vec![-1, 0, 1, 2, 3, 4]));
        assert_eq!(to_arena(&int8, &port).unwrap(), [255, 2, 0, 3, 1, 4]);
    }

    #[test]
    fn integers_that_a_port_has_not_are_refused() {
        let port = |model_type| Port {
            model_type,
            ..picture_port()
        };
        let of = |value: i64, model_type| {
            to_arena(&Array::I64(picture(vec![value; 6])), &port(model_type))
        };
        assert_eq!(of(-3, ModelType::I8).unwrap(), [253; 6]);
        assert_eq!(of(255, ModelType::U8).unwrap(), [127; 6]);
        assert_eq!(of(1, ModelType::Bool).unwrap(), [1; 6]);
        for (value, model_type) in [
            (128, ModelType::I8),
            (-1, ModelType::U8),
            (2, ModelType::Bool),
        ] {
            let error = of(value, model_type).unwrap_err().to_string();
            assert!(error.contains(&format!("has {value} in it")), "{error}");
        }
    }

    #[test]
    fn not_a_number_is_refused() {
        let sample = Array::F32(ArrayD::from_elem(IxDyn(&[2, 1, 3]), f32::NAN));
        assert!(to_arena(&sample, &picture_port()).is_err());
    }
}
