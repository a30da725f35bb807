//! Tensors in another form: dequantized, axes exchanged or regrouped, biases in the scale of their
//! sums.

use super::model::Kind;
use super::translation::{Stop, Translation};
use crate::error::Refusal;
use crate::import::source::{Attribute, Elements, ValueId};

impl Translation<'_> {
    /// The real numbers of a quantized tensor, by a dequantizer of their own.
    pub fn dequantized(&mut self, index: usize) -> Result<ValueId, Stop> {
        let integers = self.tensor_value(index)?;
        self.dequantized_as(index, integers, None)
    }

    /// The real numbers of `integers`, which are the tensor's own in another order: the axis of
    /// its scales is now `axis`.
    pub fn dequantized_as(
        &mut self,
        index: usize,
        integers: ValueId,
        axis: Option<usize>,
    ) -> Result<ValueId, Stop> {
        let (scale, zero) = self.quantizer(index, axis)?;
        let own = self.tensor(index).quantization.as_ref();
        let axis = axis.or(own.map(|it| it.axis)).unwrap_or(0) as i64;
        let dims = self.dims(integers).to_vec();
        let axis = [("axis", Attribute::Int(axis))];
        Ok(self.node("DequantizeLinear", &[integers, scale, zero], &axis, &dims))
    }

    /// Scale and zero point of a quantized tensor.
    pub fn quantizer(
        &mut self,
        index: usize,
        axis: Option<usize>,
    ) -> Result<(ValueId, ValueId), Stop> {
        let tensor = self.tensor(index);
        let own = tensor.quantization.as_ref();
        let quantization = own.ok_or_else(|| Refusal::NotQuantized {
            value: tensor.name.clone(),
        })?;
        let axis = axis.unwrap_or(quantization.axis);
        if axis >= tensor.dims.len().max(1) && quantization.scales.len() > 1 {
            return Err(Refusal::Shape {
                found: vec![tensor.dims.clone(), vec![quantization.scales.len()]],
            }
            .into());
        }
        self.charge(quantization.scales.len() * size_of::<f32>())?;
        let scale = quantization.scales[0];
        let unusable = || Refusal::Scale { scale };
        let zeros = &quantization.zeros;
        let zeros = match tensor.kind {
            Kind::I8 => narrowed(zeros).map(Elements::I8),
            Kind::U8 => narrowed(zeros).map(Elements::U8),
            Kind::I32 => narrowed(zeros).map(Elements::I32),
            _ => {
                return Err(Refusal::Type {
                    value: tensor.name.clone(),
                    found: tensor.kind.element().name(),
                }
                .into());
            }
        };
        let zeros = zeros.ok_or_else(unusable)?;
        let count = [quantization.scales.len()];
        let dims = if count == [1] { &[][..] } else { &count };
        let scales = Elements::F32(quantization.scales.clone());
        Ok((
            self.constant("scale", dims, scales),
            self.constant("zero", dims, zeros),
        ))
    }

    /// `real` with axis `i` that was axis `perm[i]`.
    pub fn transposed(&mut self, real: ValueId, perm: &[usize]) -> Result<ValueId, Stop> {
        let dims = permuted_dims(self.dims(real), perm)?;
        let axes = perm.iter().map(|&axis| axis as i64).collect();
        let perm = [("perm", Attribute::Ints(axes))];
        Ok(self.node("Transpose", &[real], &perm, &dims))
    }

    /// `real` with these axes.
    pub fn reshape(&mut self, real: ValueId, dims: &[usize]) -> ValueId {
        let sizes: Vec<_> = dims.iter().map(|&dim| dim as i64).collect();
        let sizes = self.list("shape", &sizes);
        self.node("Reshape", &[real, sizes], &[], dims)
    }

    /// `real` with these axes, which may be its own.
    pub fn reshaped(&mut self, real: ValueId, dims: &[usize]) -> ValueId {
        if self.dims(real) == dims {
            return real;
        }
        self.reshape(real, dims)
    }

    /// Operand `operand` as real numbers, transposed; the elements of a constant are moved.
    pub fn permuted(&mut self, operand: usize, perm: &[usize]) -> Result<ValueId, Stop> {
        let index = self.operand(operand)?;
        let tensor = self.tensor(index);
        let is_in_order = perm.iter().enumerate().all(|(to, &from)| to == from);
        if is_in_order || tensor.data.is_empty() {
            let real = self.real(operand)?;
            return match is_in_order {
                true => Ok(real),
                false => self.transposed(real, perm),
            };
        }
        let dims = permuted_dims(&tensor.dims, perm)?;
        let order = source_indices(&tensor.dims, perm);
        let elements = match self.copied(tensor)? {
            Elements::F32(values) => Elements::F32(picked(&values, &order)),
            Elements::I8(values) => Elements::I8(picked(&values, &order)),
            Elements::U8(values) => Elements::U8(picked(&values, &order)),
            Elements::I32(values) => Elements::I32(picked(&values, &order)),
            Elements::I64(values) => Elements::I64(picked(&values, &order)),
            Elements::Bool(values) => Elements::Bool(picked(&values, &order)),
        };
        let moved = self.constant("weights", &dims, elements);
        let Some(quantization) = tensor.quantization.as_ref() else {
            return Ok(moved);
        };
        let axis = perm.iter().position(|&from| from == quantization.axis);
        self.dequantized_as(index, moved, axis)
    }

    /// A bias of sums of products: its integers have the scale of the products, whatever the file
    /// says of them.
    pub fn bias(&mut self, bias: usize, input: usize, weights: usize) -> Result<ValueId, Stop> {
        let tensor = self.tensor(bias);
        let products = (
            &self.tensor(input).quantization,
            &self.tensor(weights).quantization,
        );
        let (Kind::I32, (Some(input), Some(weights))) = (tensor.kind, products) else {
            return self.tensor_value(bias);
        };
        let integers = self.tensor_value(bias)?;
        let scale = input.scales[0];
        let scales: Vec<_> = weights.scales.iter().map(|it| it * scale).collect();
        if scales.len() > 1 && tensor.dims != [scales.len()] {
            return Err(Refusal::Shape {
                found: vec![tensor.dims.clone(), vec![scales.len()]],
            }
            .into());
        }
        self.charge(scales.len() * size_of::<f32>())?;
        Ok(self.dequantized_by(integers, scales, 0))
    }

    /// `integers`, symmetric int32 or int8 constants, with one scale or one for each index of
    /// `axis`.
    pub fn dequantized_by(&mut self, integers: ValueId, scales: Vec<f32>, axis: usize) -> ValueId {
        let count = [scales.len()];
        let dims = if count == [1] { &[][..] } else { &count };
        let zeros = match self.source_value(integers).constant {
            Some(Elements::I8(_)) => Elements::I8(vec![0; scales.len()]),
            _ => Elements::I32(vec![0; scales.len()]),
        };
        let scales = self.constant("scale", dims, Elements::F32(scales));
        let zeros = self.constant("zero", dims, zeros);
        let axis = [("axis", Attribute::Int(axis as i64))];
        let dims = self.dims(integers).to_vec();
        self.node("DequantizeLinear", &[integers, scales, zeros], &axis, &dims)
    }
}

fn narrowed<T: TryFrom<i64>>(values: &[i64]) -> Option<Vec<T>> {
    values.iter().map(|&it| T::try_from(it).ok()).collect()
}

fn permuted_dims(dims: &[usize], perm: &[usize]) -> Result<Vec<usize>, Stop> {
    let is_permutation =
        perm.len() == dims.len() && (0..dims.len()).all(|axis| perm.contains(&axis));
    if !is_permutation {
        return Err(Refusal::Shape {
            found: vec![dims.into(), perm.into()],
        }
        .into());
    }
    Ok(perm.iter().map(|&axis| dims[axis]).collect())
}

/// For each element of the transposed tensor, row major, its index in the tensor of axes `dims`.
fn source_indices(dims: &[usize], perm: &[usize]) -> Vec<usize> {
    let mut indices = vec![0];
    for &axis in perm {
        let stride: usize = dims[axis + 1..].iter().product();
        let along = |&base: &usize| (0..dims[axis]).map(move |at| base + at * stride);
        indices = indices.iter().flat_map(along).collect();
    }
    indices
}

fn picked<T: Copy>(values: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|&index| values[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_move_with_their_axes() {
        // [[0, 1, 2], [3, 4, 5]] transposed.
        assert_eq!(source_indices(&[2, 3], &[1, 0]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(permuted_dims(&[2, 3, 5], &[2, 0, 1]).unwrap(), [5, 2, 3]);
        assert!(permuted_dims(&[2, 3], &[0, 0]).is_err());
    }
}
