//! A tensor of any type that models take and give.

use crate::error::TensorError;
use half::f16;

/// A tensor: the sizes of its axes, and its elements, row major. A scalar has no axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    dims: Vec<usize>,
    values: Values,
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are ONNX's types")]
pub enum Values {
    Bool(Vec<bool>),
    F16(Vec<f16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
}

/// Does the same with the elements of every type.
macro_rules! each {
    ($values:expr, $elements:ident => $result:expr) => {
        match $values {
            Values::Bool($elements) => $result,
            Values::F16($elements) => $result,
            Values::F32($elements) => $result,
            Values::F64($elements) => $result,
            Values::I8($elements) => $result,
            Values::I16($elements) => $result,
            Values::I32($elements) => $result,
            Values::I64($elements) => $result,
            Values::U8($elements) => $result,
            Values::U16($elements) => $result,
            Values::U32($elements) => $result,
            Values::U64($elements) => $result,
        }
    };
}
pub(crate) use each;

impl Tensor {
    /// A tensor of these axes and elements.
    ///
    /// # Errors
    /// [`TensorError`] when there are not as many elements as the axes say.
    pub fn new(dims: Vec<usize>, values: Values) -> Result<Self, TensorError> {
        let wanted = dims
            .iter()
            .try_fold(1_usize, |len, &dim| len.checked_mul(dim));
        if wanted == Some(values.len()) {
            Ok(Self { dims, values })
        } else {
            let found = values.len();
            Err(TensorError { dims, found })
        }
    }

    /// The sizes of the axes.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The elements.
    pub fn values(&self) -> &Values {
        &self.values
    }
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        each!(self, elements => elements.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// NumPy's name of their type.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::F16(_) => "float16",
            Self::F32(_) => "float32",
            Self::F64(_) => "float64",
            Self::I8(_) => "int8",
            Self::I16(_) => "int16",
            Self::I32(_) => "int32",
            Self::I64(_) => "int64",
            Self::U8(_) => "uint8",
            Self::U16(_) => "uint16",
            Self::U32(_) => "uint32",
            Self::U64(_) => "uint64",
        }
    }

    /// Their little-endian bytes.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        macro_rules! write {
            ($($variant:ident),*) => {
                match self {
                    Self::Bool(elements) => elements.iter().map(|&it| u8::from(it)).collect(),
                    $(Self::$variant(elements) => {
                        elements.iter().flat_map(|it| it.to_le_bytes()).collect()
                    })*
                }
            };
        }
        write!(F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64)
    }

    /// Values from little-endian bytes, of the type with that name: `None` when there is no such
    /// type here, or the last element is not whole.
    pub fn from_le_bytes(type_name: &str, bytes: &[u8]) -> Option<Self> {
        macro_rules! read {
            ($variant:ident, $type:ty) => {{
                let (whole, rest) = bytes.as_chunks();
                let elements = whole.iter().map(|&chunk| <$type>::from_le_bytes(chunk));
                rest.is_empty().then(|| Self::$variant(elements.collect()))
            }};
        }
        match type_name {
            "bool" => Some(Self::Bool(bytes.iter().map(|&byte| byte != 0).collect())),
            "float16" => read!(F16, f16),
            "float32" => read!(F32, f32),
            "float64" => read!(F64, f64),
            "int8" => read!(I8, i8),
            "int16" => read!(I16, i16),
            "int32" => read!(I32, i32),
            "int64" => read!(I64, i64),
            "uint8" => read!(U8, u8),
            "uint16" => read!(U16, u16),
            "uint32" => read!(U32, u32),
            "uint64" => read!(U64, u64),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_has_one_element_and_an_empty_axis_none() {
        assert!(Tensor::new(vec![], Values::I64(vec![3])).is_ok());
        assert!(Tensor::new(vec![2, 0], Values::F32(vec![])).is_ok());
    }

    #[test]
    fn elements_that_do_not_fill_the_axes_are_refused() {
        let error = Tensor::new(vec![2, 3], Values::Bool(vec![true])).unwrap_err();
        assert_eq!(error.found, 1);
        assert!(Tensor::new(vec![usize::MAX, 2], Values::U8(vec![])).is_err());
    }

    #[test]
    fn bytes_are_little_endian_and_whole() {
        let read = |name, bytes| Values::from_le_bytes(name, bytes);
        assert_eq!(read("int16", &[1, 2]), Some(Values::I16(vec![0x201])));
        assert_eq!(Values::I16(vec![0x201]).to_le_bytes(), [1, 2]);
        assert_eq!(Values::Bool(vec![true, false]).to_le_bytes(), [1, 0]);
        let half = f16::from_f32(1.0).to_le_bytes();
        assert_eq!(
            read("float16", &half),
            Some(Values::F16(vec![f16::from_f32(1.0)]))
        );
        assert_eq!(read("int16", &[1, 2, 3]), None);
        assert_eq!(read("bfloat16", &[1, 2]), None);
    }
}
