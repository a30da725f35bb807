//! Request bodies that become a plan's input: raw bytes, or a NumPy file.
//!
//! The head of a `.npy` file is a Python literal. Only the one form is read that NumPy writes, by
//! a parser without recursion that allocates nothing by what the file says of itself.

use microtome_plan::{Element, ModelType, Port};

/// Longest head of a NumPy file.
const HEAD_LEN_MAX: usize = 1 << 10;
/// Most axes of an array.
const AXES_MAX: usize = 16;
const MAGIC: &[u8] = b"\x93NUMPY";

/// How a body is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/octet-stream`: the port's bytes, as the arena has them.
    Raw,
    /// `application/x-npy`: an array in the model's layout.
    Npy,
}

impl Form {
    /// The form of a media type.
    pub fn of(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/octet-stream") {
            Some(Self::Raw)
        } else if essence.eq_ignore_ascii_case("application/x-npy") {
            Some(Self::Npy)
        } else {
            None
        }
    }
}

/// Why a body is not a plan's input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Raw bytes are of another length.
    #[error("the body has {found} bytes, the input {expected}")]
    Len {
        /// Bytes of the port.
        expected: usize,
        /// Bytes of the body.
        found: usize,
    },
    /// It is no NumPy file.
    #[error("the body is no NumPy file: {0}")]
    NotNpy(&'static str),
    /// The array is of another type.
    #[error("the array is of type {found}, the input takes {expected}")]
    Type {
        /// NumPy's names of what the port takes.
        expected: &'static str,
        /// NumPy's name of the array's type.
        found: String,
    },
    /// The array has other axes.
    #[error("the array has the axes {found:?}, the input {expected:?}")]
    Shape {
        /// Axes of the port.
        expected: Vec<usize>,
        /// Axes of the array.
        found: Vec<usize>,
    },
    /// A value has no place in the input.
    #[error("the array has {0} in it, which the input can not have")]
    Value(String),
}

/// The bytes of `port` in the arena, from `body`.
///
/// # Errors
/// When the body is not what the port takes.
pub fn values(body: &[u8], form: Form, port: &Port<'_>) -> Result<Vec<u8>, InputError> {
    match form {
        Form::Raw if body.len() == port.len_bytes() => Ok(body.to_vec()),
        Form::Raw => Err(InputError::Len {
            expected: port.len_bytes(),
            found: body.len(),
        }),
        Form::Npy => Npy::parse(body)?.to_arena(port),
    }
}

/// A NumPy file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Npy<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    elements: &'a [u8],
}

/// The types that a port may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dtype {
    I8,
    U8,
    Bool,
    F32,
    I32,
    I64,
}

impl Dtype {
    fn of(descr: &str) -> Option<Self> {
        Some(match descr {
            "|i1" => Self::I8,
            "|u1" => Self::U8,
            "|b1" => Self::Bool,
            "<f4" => Self::F32,
            "<i4" => Self::I32,
            "<i8" => Self::I64,
            _ => return None,
        })
    }

    fn len(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }
}

impl<'a> Npy<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, InputError> {
        let wrong = InputError::NotNpy;
        let rest = bytes.strip_prefix(MAGIC);
        let rest = rest.ok_or(wrong("it does not begin like one"))?;
        let (len, rest) = match rest {
            [1, _, a, b, rest @ ..] => (u32::from_le_bytes([*a, *b, 0, 0]), rest),
            [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
            _ => return Err(wrong("its version is not 1, 2 or 3")),
        };
        let len = len as usize;
        if len > HEAD_LEN_MAX {
            return Err(wrong("its head is too long"));
        }
        let (head, elements) = rest.split_at_checked(len).ok_or(wrong("its head is cut"))?;
        let head = std::str::from_utf8(head).map_err(|_| wrong("its head is not text"))?;
        let Head { descr, shape } = Head::parse(head)?;
        let dtype = Dtype::of(descr).ok_or_else(|| InputError::Type {
            expected: "int8, uint8, bool, float32, int32 or int64, little-endian",
            found: descr.to_owned(),
        })?;
        let expected = shape
            .iter()
            .try_fold(dtype.len(), |len, &axis| len.checked_mul(axis));
        if expected != Some(elements.len()) {
            return Err(wrong("it has not as many elements as its head says"));
        }
        Ok(Self {
            dtype,
            shape,
            elements,
        })
    }

    /// The elements as `port` has them, its axes in the arena's order.
    fn to_arena(&self, port: &Port<'_>) -> Result<Vec<u8>, InputError> {
        let (batch, dims) = match port.dims.split_first() {
            Some((1, dims)) => (&port.dims[..], dims),
            _ => (&port.dims[..], &port.dims[..]),
        };
        if self.shape != batch && self.shape != dims {
            return Err(InputError::Shape {
                expected: port.dims.to_vec(),
                found: self.shape.clone(),
            });
        }
        let mut values = Vec::with_capacity(port.len_bytes());
        for at in arena_order(port) {
            let len = self.dtype.len();
            let element = self.elements.get(at * len..(at + 1) * len);
            let element = element.ok_or(InputError::NotNpy("an element is missing"))?;
            push(&mut values, self.dtype, element, port)?;
        }
        Ok(values)
    }
}

/// For each element in the arena's order, its place in the model's order.
fn arena_order(port: &Port<'_>) -> impl Iterator<Item = usize> {
    let dims = &port.dims;
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    let axes = port.order.iter().map(|&axis| usize::from(axis));
    let axes: Vec<(usize, usize)> = axes.map(|axis| (dims[axis], strides[axis])).collect();
    (0..port.len()).map(move |place| {
        let mut rest = place;
        let places = axes.iter().rev().map(|&(dim, stride)| {
            let at = rest % dim;
            rest /= dim;
            at * stride
        });
        places.sum()
    })
}

/// Adds one element as `port` has it.
fn push(
    values: &mut Vec<u8>,
    dtype: Dtype,
    element: &[u8],
    port: &Port<'_>,
) -> Result<(), InputError> {
    let expected = match (port.element, port.model_type) {
        (Element::I8, ModelType::F32) => "float32, or int8 that is quantized already",
        (Element::I8, ModelType::U8) => "uint8",
        (Element::I8, ModelType::Bool) => "bool",
        (Element::I8, _) => "int8",
        (Element::F32, _) => "float32",
        (Element::I32, _) => "int32 or int64",
        (Element::I16, _) => "int16, which the API does not",
    };
    match (port.element, port.model_type, dtype, element) {
        (Element::I8, ModelType::F32, Dtype::F32, &[a, b, c, d]) => {
            let value = f32::from_le_bytes([a, b, c, d]);
            if value.is_nan() {
                return Err(InputError::Value("NaN".to_owned()));
            }
            values.push(port.quantize(value).cast_unsigned());
        }
        (Element::I8, ModelType::F32 | ModelType::I8, Dtype::I8, &[value]) => values.push(value),
        // Held with 128 subtracted, which is the same bits with the first one flipped.
        (Element::I8, ModelType::U8, Dtype::U8, &[value]) => values.push(value ^ 0x80),
        (Element::I8, ModelType::Bool, Dtype::Bool, &[value]) => values.push(value.min(1)),
        (Element::F32, _, Dtype::F32, _) | (Element::I32, _, Dtype::I32, _) => {
            values.extend_from_slice(element);
        }
        (Element::I32, _, Dtype::I64, &[a, b, c, d, e, f, g, h]) => {
            let value = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
            let held = i32::try_from(value);
            let held = held.map_err(|_| InputError::Value(value.to_string()))?;
            values.extend_from_slice(&held.to_le_bytes());
        }
        _ => {
            return Err(InputError::Type {
                expected,
                found: format!("{dtype:?}").to_lowercase(),
            });
        }
    }
    Ok(())
}

/// What the head of a NumPy file says.
struct Head<'a> {
    descr: &'a str,
    shape: Vec<usize>,
}

impl<'a> Head<'a> {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }`.
    fn parse(text: &'a str) -> Result<Self, InputError> {
        let wrong = || InputError::NotNpy("its head is not as NumPy writes it");
        let text = text.trim_end_matches(['\n', ' ']);
        let text = text.strip_prefix('{').ok_or_else(wrong)?;
        let mut rest = text.strip_suffix('}').ok_or_else(wrong)?.trim();
        let (mut descr, mut shape, mut is_c_order) = (None, None, false);
        while !rest.is_empty() {
            let (key, value) = rest.split_once(':').ok_or_else(wrong)?;
            let value = value.trim_start();
            let is_tuple = value.starts_with('(');
            let end = if is_tuple {
                value.find(')').ok_or_else(wrong)? + 1
            } else {
                value.find(',').unwrap_or(value.len())
            };
            let (value, after) = value.split_at(end);
            match key.trim() {
                "'descr'" => descr = Some(quoted(value.trim()).ok_or_else(wrong)?),
                "'fortran_order'" if value.trim() == "False" => is_c_order = true,
                "'fortran_order'" => {
                    let cause = "its order is Fortran's; save np.ascontiguousarray of it";
                    return Err(InputError::NotNpy(cause));
                }
                "'shape'" => shape = Some(tuple(value).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
            if rest.len() == after.len() && !rest.is_empty() {
                return Err(wrong());
            }
        }
        match (descr, shape, is_c_order) {
            (Some(descr), Some(shape), true) => Ok(Self { descr, shape }),
            _ => Err(wrong()),
        }
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

/// The numbers of `(1, 2)`, `(1,)` or `()`.
fn tuple(text: &str) -> Option<Vec<usize>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?.trim();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let mut numbers = Vec::new();
    for number in inner.split(',') {
        let number = number.trim();
        let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain || numbers.len() == AXES_MAX {
            return None;
        }
        numbers.push(number.parse().ok()?);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::{Form, InputError, Npy, values};
    use microtome_plan::{ArenaAt, Element, ModelType, Port};
    use proptest::prelude::*;

    fn npy(head: &str, elements: &[u8]) -> Vec<u8> {
        let head = format!("{head}\n");
        let len = (head.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &len[..], head.as_bytes(), elements].concat()
    }

    fn array(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
        let head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}  ");
        npy(&head, elements)
    }

    /// An image of two channels, one row and three columns.
    fn port(model_type: ModelType, element: Element) -> Port<'static> {
        Port {
            name: "x",
            at: ArenaAt(0),
            dims: [1, 2, 1, 3].into_iter().collect(),
            order: [0, 2, 3, 1].into_iter().collect(),
            model_type,
            element,
            scale: 0.5,
            zero: 1,
        }
    }

    #[test]
    fn channels_go_last_and_numbers_are_quantized() {
        let port = port(ModelType::F32, Element::I8);
        let reals = [0.0, 0.5, 1.0, 10.0, 10.5, 1e9_f32];
        let bytes: Vec<u8> = reals.iter().flat_map(|real| real.to_le_bytes()).collect();
        for shape in ["(1, 2, 1, 3)", "(2, 1, 3)"] {
            let body = array("<f4", shape, &bytes);
            assert_eq!(
                values(&body, Form::Npy, &port).unwrap(),
                [1, 21, 2, 22, 3, 127]
            );
        }
        let body = array("|i1", "(2, 1, 3)", &[0, 1, 2, 3, 4, 255]);
        assert_eq!(
            values(&body, Form::Npy, &port).unwrap(),
            [0, 3, 1, 4, 2, 255]
        );
        assert_eq!(values(&[9; 6], Form::Raw, &port).unwrap(), [9; 6]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let port = port(ModelType::U8, Element::I8);
        let error = |body: &[u8]| values(body, Form::Npy, &port).unwrap_err();
        let found = array("|u1", "(3, 1, 2)", &[0; 6]);
        assert!(matches!(error(&found), InputError::Shape { .. }));
        let found = array("|i1", "(2, 1, 3)", &[0; 6]);
        assert!(error(&found).to_string().contains("takes uint8"));
        let found = array(">f8", "(2, 1, 3)", &[0; 48]);
        assert!(error(&found).to_string().contains(">f8"));
        let found = array("|u1", "(2, 1, 3)", &[0; 5]);
        assert!(error(&found).to_string().contains("as many elements"));
        let found = npy(
            "{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }",
            &[0],
        );
        assert!(error(&found).to_string().contains("ascontiguousarray"));
        let error = values(&[0; 5], Form::Raw, &port).unwrap_err();
        assert_eq!(error.to_string(), "the body has 5 bytes, the input 6");
    }

    #[test]
    fn numbers_that_the_input_can_not_have_are_named() {
        let real = port(ModelType::F32, Element::I8);
        let nan: Vec<u8> = [f32::NAN; 6]
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect();
        let body = array("<f4", "(2, 1, 3)", &nan);
        let error = values(&body, Form::Npy, &real).unwrap_err();
        assert_eq!(error, InputError::Value("NaN".to_owned()));
        let whole = port(ModelType::I64, Element::I32);
        let large: Vec<u8> = [1_i64 << 40; 6]
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect();
        let body = array("<i8", "(2, 1, 3)", &large);
        let error = values(&body, Form::Npy, &whole).unwrap_err();
        assert_eq!(error, InputError::Value((1_i64 << 40).to_string()));
    }

    #[test]
    fn heads_that_lie_cost_nothing() {
        for (shape, len) in [
            ("(99999999999999999999,)", 0),
            ("(4294967296, 4294967296)", 8),
        ] {
            assert!(Npy::parse(&array("<f4", shape, &vec![0; len])).is_err());
        }
        assert!(Npy::parse(&npy(&"(".repeat(900), &[])).is_err());
        assert!(Npy::parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").is_err());
    }

    proptest! {
        #[test]
        fn any_head_ends_in_an_array_or_an_error(head in "[{}'a-z_:,<|()0-9 FT\n]{0,80}") {
            let _ = Npy::parse(&npy(&head, &[0; 6]));
        }

        #[test]
        fn an_edited_array_ends_in_values_or_an_error(
            at in 0_usize..90, byte: u8, cut in 0_usize..90,
        ) {
            let mut body = array("<f4", "(2, 1, 3)", &[0; 24]);
            if let Some(found) = body.get_mut(at) {
                *found = byte;
            }
            body.truncate(body.len().saturating_sub(cut));
            let port = port(ModelType::F32, Element::I8);
            if let Ok(values) = values(&body, Form::Npy, &port) {
                prop_assert_eq!(values.len(), port.len_bytes());
            }
        }
    }
}
