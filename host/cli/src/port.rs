//! Between a model's own layout and types and the arena's: int8, channels last.

use crate::array::Array;
use anyhow::{Result, ensure};
use microtome_plan::{ModelType, Port};
use ndarray::{ArrayD, IxDyn};

/// The int8 values of one sample, in the arena's order.
pub fn to_arena(sample: &Array, port: &Port<'_>) -> Result<Vec<i8>> {
    Ok(match sample {
        Array::I8(array) => in_order(array, port)?.iter().copied().collect(),
        Array::F32(array) => {
            let array = in_order(array, port)?;
            ensure!(
                array.iter().all(|value| !value.is_nan()),
                "the input has NaN in it"
            );
            array.iter().map(|&value| port.quantize(value)).collect()
        }
    })
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

/// The model's output for a batch: `values` has the int8 values of each sample in the arena's
/// order. The result has the samples along its first axis and the model's own type.
pub fn from_arena(values: &[&[i8]], port: &Port<'_>) -> Result<Array> {
    let is_batched = port.dims.first() == Some(&1) && port.dims.len() > 1;
    let sample = if is_batched {
        &port.dims[1..]
    } else {
        &port.dims[..]
    };
    let shape: Vec<usize> = std::iter::once(values.len())
        .chain(sample.iter().copied())
        .collect();
    let mut batch = Vec::with_capacity(shape.iter().product());
    for values in values {
        batch.extend(model_order(values, port)?);
    }
    let batch = ArrayD::from_shape_vec(IxDyn(&shape), batch)?;
    Ok(match port.model_type {
        ModelType::I8 => Array::I8(batch),
        ModelType::F32 => Array::F32(batch.mapv(|value| port.dequantize(value))),
    })
}

fn model_order(values: &[i8], port: &Port<'_>) -> Result<Vec<i8>> {
    let arena_dims: Vec<usize> = port
        .order
        .iter()
        .map(|&axis| port.dims[usize::from(axis)])
        .collect();
    let mut inverse = vec![0; port.order.len()];
    for (at, &axis) in port.order.iter().enumerate() {
        inverse[usize::from(axis)] = at;
    }
    let array = ArrayD::from_shape_vec(IxDyn(&arena_dims), values.to_vec())?;
    Ok(array.permuted_axes(inverse).iter().copied().collect())
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
