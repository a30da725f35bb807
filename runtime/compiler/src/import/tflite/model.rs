//! The model as the file states it: tensors and operators, each read once and checked.

use super::flatbuffer::{Fault, Table};
use super::schema;
use crate::error::{CompileError, Format, Refusal};
use crate::import::source::{Element, Elements};

/// Most elements of a tensor.
const ELEMENTS_MAX: usize = 1 << 28;

/// Most operators of a model.
const OPERATORS_MAX: usize = 1 << 13;

/// The main subgraph of a file.
#[derive(Debug)]
pub struct Model<'a> {
    /// Tensors: inputs, constants and results.
    pub tensors: Vec<Tensor<'a>>,
    /// Operators, each after those that make its operands.
    pub operators: Vec<Operator<'a>>,
    /// Tensors that the user gives.
    pub inputs: Vec<usize>,
    /// Tensors that the user gets.
    pub outputs: Vec<usize>,
}

/// One tensor.
#[derive(Debug)]
pub struct Tensor<'a> {
    /// Its name; of a name that the converter has joined from several, the first.
    pub name: String,
    /// Its axes.
    pub dims: Vec<usize>,
    /// The axes that the file does not fix.
    pub open_axes: Vec<usize>,
    /// Type of its elements.
    pub kind: Kind,
    /// Its elements, if it is a constant; else empty.
    pub data: &'a [u8],
    /// What its integers stand for.
    pub quantization: Option<Quantization>,
}

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are TFLite's")]
pub enum Kind {
    F32,
    F16,
    I8,
    U8,
    I32,
    I64,
    Bool,
    Other,
}

/// Scales and zero points: one, or one for each index of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// Scales; at least one.
    pub scales: Vec<f32>,
    /// Zero points, as many.
    pub zeros: Vec<i64>,
    /// The axis.
    pub axis: usize,
}

/// One operator.
#[derive(Debug)]
pub struct Operator<'a> {
    /// TFLite's code of it.
    pub code: i32,
    /// TFLite's name of it, or that of a custom one.
    pub op: String,
    /// Operands; `None` where an optional one is left out.
    pub inputs: Vec<Option<usize>>,
    /// Results.
    pub outputs: Vec<usize>,
    /// The index in `BuiltinOptions`, and the options.
    pub options: Option<(u8, Table<'a>)>,
}

impl Kind {
    fn new(code: u8) -> Self {
        match code {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::I32,
            3 => Self::U8,
            4 => Self::I64,
            6 => Self::Bool,
            9 => Self::I8,
            _ => Self::Other,
        }
    }

    /// The type in the source model. Constants in half precision become float.
    pub const fn element(self) -> Element {
        match self {
            Self::F32 => Element::F32,
            Self::I8 => Element::I8,
            Self::U8 => Element::U8,
            Self::I32 => Element::I32,
            Self::I64 => Element::I64,
            Self::Bool => Element::Bool,
            Self::F16 | Self::Other => Element::Other,
        }
    }

    const fn width(self) -> Option<usize> {
        match self {
            Self::I8 | Self::U8 | Self::Bool => Some(1),
            Self::F16 => Some(2),
            Self::F32 | Self::I32 => Some(4),
            Self::I64 => Some(8),
            Self::Other => None,
        }
    }
}

impl<'a> Model<'a> {
    /// Reads the main subgraph of the file with this root.
    pub fn read(root: Table<'a>) -> Result<Self, CompileError> {
        let version = root.int(schema::model::VERSION, 0)?;
        if version != schema::VERSION {
            return Err(unreadable(format!(
                "it has version {version} of the schema"
            )));
        }
        let codes = root.tables(schema::model::OPERATOR_CODES)?;
        let codes = codes.into_iter().map(code).collect::<Result<Vec<_>, _>>()?;
        let buffers = root.tables(schema::model::BUFFERS)?;
        let subgraphs = root.tables(schema::model::SUBGRAPHS)?;
        let main = subgraphs
            .first()
            .ok_or_else(|| unreadable("it has no graph"))?;
        let tensors = main.tables(schema::subgraph::TENSORS)?.into_iter();
        let tensors = tensors.map(|table| Tensor::read(table, &buffers));
        let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
        let operators = main.tables(schema::subgraph::OPERATORS)?;
        if operators.len() > OPERATORS_MAX {
            return Err(unreadable(format!("it has {} operators", operators.len())));
        }
        let operators = operators.into_iter();
        let operators = operators.map(|table| Operator::read(table, &codes, tensors.len()));
        Ok(Self {
            operators: operators.collect::<Result<_, _>>()?,
            inputs: indices(main.ints(schema::subgraph::INPUTS)?, tensors.len())?,
            outputs: indices(main.ints(schema::subgraph::OUTPUTS)?, tensors.len())?,
            tensors,
        })
    }

    /// Which operators an output depends on. An operand that only states a shape does not count:
    /// the shapes of all tensors are in the file.
    pub fn live(&self) -> Vec<bool> {
        let mut live_tensors = vec![false; self.tensors.len()];
        for &output in &self.outputs {
            live_tensors[output] = true;
        }
        let mut live = vec![false; self.operators.len()];
        for (index, operator) in self.operators.iter().enumerate().rev() {
            live[index] = operator.outputs.iter().any(|&it| live_tensors[it]);
            if live[index] {
                for operand in operator.data().iter().copied().flatten() {
                    live_tensors[operand] = true;
                }
            }
        }
        live
    }
}

impl<'a> Tensor<'a> {
    fn read(table: Table<'a>, buffers: &[Table<'a>]) -> Result<Self, CompileError> {
        use schema::tensor;
        let name = table.text(tensor::NAME)?;
        let name = name.split(';').next().unwrap_or_default().to_owned();
        let shape = table.ints(tensor::SHAPE)?;
        let dims = dims(&shape).ok_or_else(|| {
            unreadable(format!("the shape {shape:?} of '{name}' is not possible"))
        })?;
        if table.table(tensor::SPARSITY)?.is_some() {
            return Err(unreadable(format!("'{name}' is sparse")));
        }
        let signature = table.ints(tensor::SHAPE_SIGNATURE)?;
        let open = signature.iter().enumerate().filter(|(_, size)| **size < 0);
        Ok(Self {
            open_axes: open.map(|(axis, _)| axis).collect(),
            kind: Kind::new(table.byte(tensor::TYPE, 0)?),
            data: data(table, buffers, &name)?,
            quantization: Quantization::read(table, &name)?,
            name,
            dims,
        })
    }

    /// Whether its integers stand for real numbers.
    pub const fn is_quantized(&self) -> bool {
        let is_activation = matches!(self.kind, Kind::I8 | Kind::U8 | Kind::Other);
        is_activation && self.quantization.is_some()
    }

    /// The elements of a constant.
    pub fn elements(&self) -> Result<Elements, Refusal> {
        let count: usize = self.dims.iter().product();
        let fits = self.kind.width().is_some_and(|width| {
            count
                .checked_mul(width)
                .is_some_and(|len| len == self.data.len())
        });
        if !fits {
            return Err(Refusal::Type {
                value: self.name.clone(),
                found: self.kind.element().name(),
            });
        }
        Ok(match self.kind {
            Kind::F32 => Elements::F32(decoded(self.data, f32::from_le_bytes)),
            Kind::F16 => Elements::F32(decoded(self.data, |it| half(u16::from_le_bytes(it)))),
            Kind::I32 => Elements::I32(decoded(self.data, i32::from_le_bytes)),
            Kind::I64 => Elements::I64(decoded(self.data, i64::from_le_bytes)),
            Kind::U8 => Elements::U8(self.data.to_vec()),
            Kind::Bool => Elements::Bool(self.data.iter().map(|&it| it != 0).collect()),
            Kind::I8 | Kind::Other => Elements::I8(decoded(self.data, i8::from_le_bytes)),
        })
    }
}

impl Quantization {
    fn read(tensor: Table<'_>, name: &str) -> Result<Option<Self>, CompileError> {
        use schema::quantization;
        let Some(table) = tensor.table(schema::tensor::QUANTIZATION)? else {
            return Ok(None);
        };
        if table.byte(quantization::DETAILS_TYPE, 0)? != 0 {
            return Err(unreadable(format!(
                "'{name}' has a quantization of its own"
            )));
        }
        let scales = table.floats(quantization::SCALE)?;
        let mut zeros = table.longs(quantization::ZERO_POINT)?;
        if let [] | [_] = *zeros {
            let zero = zeros.first().copied().unwrap_or(0);
            zeros = vec![zero; scales.len()];
        }
        if zeros.len() != scales.len() {
            let (scales, zeros) = (scales.len(), zeros.len());
            return Err(unreadable(format!(
                "'{name}' has {scales} scales and {zeros} zero points"
            )));
        }
        let axis = usize::try_from(table.int(quantization::DIMENSION, 0)?);
        Ok((!scales.is_empty()).then_some(Self {
            scales,
            zeros,
            axis: axis.unwrap_or(usize::MAX),
        }))
    }
}

impl<'a> Operator<'a> {
    fn read(
        table: Table<'a>,
        codes: &[(i32, String)],
        tensors: usize,
    ) -> Result<Self, CompileError> {
        use schema::operator;
        let code = usize::try_from(table.int(operator::CODE, 0)?);
        let code = code.ok().and_then(|index| codes.get(index));
        let (code, op) = code
            .cloned()
            .ok_or_else(|| unreadable("an operator has no code"))?;
        let optional = |index: i32| match index {
            -1 => Ok(None),
            index => indices(vec![index], tensors).map(|it| Some(it[0])),
        };
        let inputs = table.ints(operator::INPUTS)?.into_iter().map(optional);
        let options = table.table(operator::OPTIONS)?;
        let kind = table.byte(operator::OPTIONS_TYPE, 0)?;
        Ok(Self {
            code,
            op,
            inputs: inputs.collect::<Result<_, _>>()?,
            outputs: indices(table.ints(operator::OUTPUTS)?, tensors)?,
            options: options.map(|options| (kind, options)),
        })
    }

    /// The operands whose elements the result depends on.
    fn data(&self) -> &[Option<usize>] {
        let range = match &*self.op {
            "RESHAPE" | "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" | "EXPAND_DIMS" => 0..1,
            "TRANSPOSE_CONV" => 1..self.inputs.len(),
            _ => 0..self.inputs.len(),
        };
        self.inputs.get(range).unwrap_or(&self.inputs)
    }
}

/// The code and the name of an operator.
fn code(table: Table<'_>) -> Result<(i32, String), CompileError> {
    use schema::operator_code;
    let byte = table.byte(operator_code::DEPRECATED_BUILTIN, 0)?;
    let code = table.int(operator_code::BUILTIN, 0)?.max(byte.into());
    let name = match usize::try_from(code).map(|code| schema::OPERATORS.get(code)) {
        Ok(Some(_)) if code == schema::CUSTOM => table.text(operator_code::CUSTOM)?,
        Ok(Some(name)) => (*name).to_owned(),
        _ => format!("operator {code}"),
    };
    Ok((code, name))
}

/// A constant's bytes; a buffer of its own without bytes is that of a result.
fn data<'a>(
    tensor: Table<'a>,
    buffers: &[Table<'a>],
    name: &str,
) -> Result<&'a [u8], CompileError> {
    let index = tensor.int(schema::tensor::BUFFER, 0)?;
    if index == 0 {
        return Ok(&[]);
    }
    let buffer = usize::try_from(index)
        .ok()
        .and_then(|index| buffers.get(index));
    let buffer = buffer.ok_or_else(|| unreadable(format!("'{name}' has no buffer {index}")))?;
    if buffer.long(schema::buffer::OFFSET, 0)? > 1 {
        return Err(unreadable(format!("'{name}' lies behind the FlatBuffer")));
    }
    Ok(buffer.bytes(schema::buffer::DATA)?)
}

/// The axes, if they are of a size at which no later product overflows.
fn dims(shape: &[i32]) -> Option<Vec<usize>> {
    let dims = shape.iter().map(|&size| usize::try_from(size).ok());
    let dims: Vec<usize> = dims.collect::<Option<_>>()?;
    let mut sizes = dims.iter();
    let elements = sizes.try_fold(1_usize, |len, &dim| len.checked_mul(dim.max(1)))?;
    (elements <= ELEMENTS_MAX).then_some(dims)
}

fn indices(found: Vec<i32>, tensors: usize) -> Result<Vec<usize>, CompileError> {
    let index = |index: i32| match usize::try_from(index) {
        Ok(valid) if valid < tensors => Ok(valid),
        _ => Err(unreadable(format!(
            "there is no tensor {index} of {tensors}"
        ))),
    };
    found.into_iter().map(index).collect()
}

fn decoded<T, const N: usize>(data: &[u8], element: fn([u8; N]) -> T) -> Vec<T> {
    let (elements, _) = data.as_chunks::<N>();
    elements.iter().map(|&it| element(it)).collect()
}

/// Half precision as float, exactly.
fn half(bits: u16) -> f32 {
    let magnitude = match (bits >> 10 & 0x1f, f32::from(bits & 0x3ff)) {
        (0, fraction) => fraction * 2_f32.powi(-24),
        (0x1f, 0.0) => f32::INFINITY,
        (0x1f, _) => f32::NAN,
        (exponent, fraction) => (fraction + 1024.0) * 2_f32.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// The error for a file that breaks the format's rules.
pub fn unreadable(reason: impl Into<String>) -> CompileError {
    CompileError::Unreadable {
        format: Format::Tflite,
        reason: reason.into(),
    }
}

impl From<Fault> for CompileError {
    fn from(fault: Fault) -> Self {
        unreadable(fault.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_read_exactly() {
        let cases = [
            (0x0000, 0.0),
            (0x8001, -5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0x3c00, 1.0),
            (0xc100, -2.5),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits), value, "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
    }
}
