//! Reading and writing the tensors of a model file, before any of it is analysed.
//!
//! Only what a file holds itself is read: the data of a tensor that lies in another file, or whose
//! length does not fit its axes, is `None`.

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;

/// The type of a tensor's elements.
pub fn data_type(tensor: &TensorProto) -> DataType {
    DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined)
}

/// ONNX's name of a tensor's type.
pub const fn type_name(tensor: &TensorProto) -> &'static str {
    match tensor.data_type {
        1 => "float32",
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        6 => "int32",
        7 => "int64",
        8 => "string",
        9 => "bool",
        10 => "float16",
        11 => "float64",
        12 => "uint32",
        13 => "uint64",
        16 => "bfloat16",
        17..=20 => "float8",
        21 => "uint4",
        22 => "int4",
        23 => "float4",
        _ => "not known here",
    }
}

/// Axes of a tensor.
pub fn dims(tensor: &TensorProto) -> Option<Vec<usize>> {
    let dims = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok());
    dims.collect()
}

/// The elements of a float32 tensor.
pub fn f32s(tensor: &TensorProto) -> Option<Vec<f32>> {
    if data_type(tensor) != DataType::Float {
        return None;
    }
    let values = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        let (chunks, rest) = tensor.raw_data.as_chunks();
        if !rest.is_empty() {
            return None;
        }
        chunks
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect()
    };
    of_length(tensor, values)
}

/// The elements of an int8, uint8 or int32 tensor.
pub fn integers(tensor: &TensorProto) -> Option<Vec<i32>> {
    let raw = &tensor.raw_data;
    let values = match data_type(tensor) {
        DataType::Int8 | DataType::Uint8 | DataType::Int32 if raw.is_empty() => {
            tensor.int32_data.clone()
        }
        DataType::Int8 => raw.iter().map(|&byte| i32::from(byte as i8)).collect(),
        DataType::Uint8 => raw.iter().map(|&byte| i32::from(byte)).collect(),
        DataType::Int32 => {
            let (chunks, rest) = raw.as_chunks();
            if !rest.is_empty() {
                return None;
            }
            chunks
                .iter()
                .map(|&bytes| i32::from_le_bytes(bytes))
                .collect()
        }
        _ => return None,
    };
    of_length(tensor, values)
}

fn of_length<T>(tensor: &TensorProto, values: Vec<T>) -> Option<Vec<T>> {
    let dims = dims(tensor)?;
    let len = dims
        .iter()
        .try_fold(1_usize, |len, &dim| len.checked_mul(dim))?;
    (values.len() == len).then_some(values)
}

/// A float32 tensor.
pub fn of_f32s(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    of_bytes(name, DataType::Float, dims, bytes.collect())
}

/// An int8 tensor.
pub fn of_i8s(name: &str, dims: &[i64], values: &[i8]) -> TensorProto {
    let bytes = values.iter().map(|&value| value as u8);
    of_bytes(name, DataType::Int8, dims, bytes.collect())
}

/// An int64 tensor of one axis.
pub fn of_i64s(name: &str, values: &[i64]) -> TensorProto {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    of_bytes(
        name,
        DataType::Int64,
        &[values.len() as i64],
        bytes.collect(),
    )
}

/// Integers of a type that [`integers`] reads, which must hold them.
pub fn of_integers(name: &str, ty: DataType, dims: &[i64], values: &[i32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        data_type: ty as i32,
        dims: dims.into(),
        int32_data: values.into(),
        ..Default::default()
    }
}

fn of_bytes(name: &str, ty: DataType, dims: &[i64], raw_data: Vec<u8>) -> TensorProto {
    TensorProto {
        name: name.into(),
        data_type: ty as i32,
        dims: dims.into(),
        raw_data,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_tensors_data_are_read() {
        let raw = of_f32s("x", &[2], &[1.5, -2.0]);
        assert_eq!(f32s(&raw), Some(vec![1.5, -2.0]));
        let typed = TensorProto {
            raw_data: Vec::new(),
            float_data: vec![1.5, -2.0],
            ..raw
        };
        assert_eq!(f32s(&typed), Some(vec![1.5, -2.0]));
        assert_eq!(integers(&of_i8s("x", &[2], &[-1, 7])), Some(vec![-1, 7]));
        let bytes = of_integers("x", DataType::Uint8, &[1, 2], &[0, 255]);
        assert_eq!(integers(&bytes), Some(vec![0, 255]));
    }

    #[test]
    fn data_that_does_not_fit_its_axes_is_not_read() {
        let short = of_f32s("x", &[3], &[1.5, -2.0]);
        assert_eq!(f32s(&short), None);
        let huge = of_i8s("x", &[i64::MAX, i64::MAX, 4], &[0]);
        assert_eq!(integers(&huge), None);
        let negative = of_i8s("x", &[-1], &[0]);
        assert_eq!(integers(&negative), None);
        let ragged = TensorProto {
            raw_data: vec![0; 7],
            ..of_f32s("x", &[2], &[])
        };
        assert_eq!(f32s(&ragged), None);
        assert_eq!(f32s(&of_i8s("x", &[1], &[0])), None);
    }
}
