//! Between a model's own layout and types and the arena's: channels last, perhaps quantized.

use crate::array::Array;
use anyhow::{Result, bail, ensure};
use microtome_plan::{Element, ModelType, Port};
use ndarray::{ArrayD, IxDyn};

/// The bytes of one sample, in the arena's order.
pub fn to_arena(sample: &Array, port: &Port<'_>) -> Result<Vec<u8>> {
    Ok(match (port.element, sample) {
        (Element::I8, Array::F32(array)) if port.model_type != ModelType::Bool => {
            let array = in_order(array, port)?;
            ensure!(
                array.iter().all(|value| !value.is_nan()),
                "the input has NaN in it"
            );
            let quantize = |&value: &f32| port.quantize(value).cast_unsigned();
            array.iter().map(quantize).collect()
        }
        (Element::I8, Array::I8(array)) => {
            let values = in_order(array, port)?;
            values.iter().map(|&value| value.cast_unsigned()).collect()
        }
        (Element::F32, _) => bytes_of::<f32>(sample, port)?,
        (Element::I32, _) => bytes_of::<i32>(sample, port)?,
        (Element::I8, other) => match port.model_type {
            // Held with 128 subtracted, which is the same bits with the first one flipped.
            ModelType::U8 => bytes_of::<u8>(other, port)?
                .iter()
                .map(|it| it ^ 0x80)
                .collect(),
            _ => bytes_of::<u8>(other, port)?,
        },
        (Element::I16, _) => bail!("an input of int16 is not supported"),
    })
}

/// The bytes of `sample`, whose values must be ones that `T` has.
fn bytes_of<T: Value>(sample: &Array, port: &Port<'_>) -> Result<Vec<u8>> {
    let values = in_order(&sample.to_f64(), port)?;
    let mut bytes = Vec::with_capacity(port.len_bytes());
    for &value in &values {
        let Some(held) = T::of(value) else {
            bail!(
                "the input has {value} in it, which a {} has not",
                sample.dtype()
            );
        };
        bytes.extend_from_slice(bytemuck::bytes_of(&held));
    }
    Ok(bytes)
}

/// A type of the arena.
trait Value: bytemuck::NoUninit {
    /// `value` as it is held, if it can be.
    fn of(value: f64) -> Option<Self>;
}

impl Value for f32 {
    fn of(value: f64) -> Option<Self> {
        Some(value as Self)
    }
}

impl Value for i32 {
    fn of(value: f64) -> Option<Self> {
        let held = value as Self;
        (f64::from(held) == value).then_some(held)
    }
}

impl Value for u8 {
    fn of(value: f64) -> Option<Self> {
        let held = value as Self;
        (f64::from(held) == value).then_some(held)
    }
}

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

    #[test]
    fn not_a_number_is_refused() {
        let sample = Array::F32(ArrayD::from_elem(IxDyn(&[2, 1, 3]), f32::NAN));
        assert!(to_arena(&sample, &picture_port()).is_err());
    }
}
