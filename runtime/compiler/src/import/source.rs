//! The model as its file states it: operators, attributes, shapes and constants.
//!
//! Nothing is interpreted yet; an operator is its ONNX name and its attributes.

use crate::error::Refusal;
use crate::report::Note;
use std::collections::HashMap;
use std::ops::Range;

/// Index into [`SourceModel::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueId(pub(crate) usize);

/// A model whose shapes are all known.
#[derive(Clone, Debug)]
pub struct SourceModel {
    /// The version of ONNX's operator set.
    pub opset: i64,
    /// The operators in the file's order: every operand is made before it is used.
    pub nodes: Vec<SourceNode>,
    /// The tensors between the operators.
    pub values: Vec<SourceValue>,
    /// The inputs that are not constants.
    pub inputs: Vec<ValueId>,
    /// The outputs.
    pub outputs: Vec<ValueId>,
    /// The operators of the file, in its order, and which of `nodes` each became.
    pub origins: Vec<Origin>,
    /// What import did that the user should know.
    pub notes: Vec<Note>,
    /// For each of `inputs`, the axis along which its frames lie, if it is a stream.
    pub frame_axes: Vec<Option<usize>>,
}

/// An operator as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The node's name; of a nameless node, that of its first output.
    pub name: String,
    /// The file's name of the operator.
    pub op: String,
    /// What import made of it.
    pub became: Became,
}

/// The operator of the file that became node `index` of the source model.
pub fn origin_of(origins: &[Origin], index: usize) -> Option<&Origin> {
    let has = |origin: &&Origin| match &origin.became {
        Became::Nodes(range) => range.contains(&index),
        Became::PartOf(_) => false,
    };
    origins.iter().find(has)
}

/// What import made of an operator of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// These of [`SourceModel::nodes`].
    Nodes(Range<usize>),
    /// It is part of what the operator of that index became.
    PartOf(usize),
}

impl SourceModel {
    /// The value of that id.
    pub fn value(&self, id: ValueId) -> &SourceValue {
        &self.values[id.0]
    }
}

/// One operator.
#[derive(Clone, Debug)]
pub struct SourceNode {
    /// The node's name; of a nameless node, that of its first output.
    pub name: String,
    /// ONNX's name of the operator.
    pub op: String,
    /// Operands; `None` where an optional one is left out.
    pub inputs: Vec<Option<ValueId>>,
    /// Results; `None` where an optional one is left out.
    pub outputs: Vec<Option<ValueId>>,
    /// Attributes.
    pub attributes: Attributes,
}

/// A tensor: an input, a constant or a result.
#[derive(Clone, Debug)]
pub struct SourceValue {
    /// Its name in the file.
    pub name: String,
    /// Its axes, batch included.
    pub dims: Vec<usize>,
    /// The type of its elements.
    pub element: Element,
    /// Its elements, if they are known without running the model.
    pub constant: Option<Elements>,
}

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// Signed byte.
    I8,
    /// Unsigned byte.
    U8,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// Truth value.
    Bool,
    /// Any other type.
    Other,
}

impl Element {
    /// Name for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::Bool => "bool",
            Self::Other => "none of float32, int8, uint8, int32, int64 and bool",
        }
    }
}

/// A constant's elements, row major.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are those of `Element`")]
pub enum Elements {
    F32(Vec<f32>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    Bool(Vec<bool>),
}

/// One attribute's value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are those of ONNX")]
pub enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(String),
    Floats(Vec<f32>),
    Texts(Vec<String>),
    Other,
}

/// The attributes of a node, by name.
#[derive(Clone, Debug, Default)]
pub struct Attributes(pub(crate) HashMap<String, Attribute>);

impl Attributes {
    /// An integer, or `default` when it is not there.
    ///
    /// # Errors
    /// [`Refusal::Attribute`] when it has another type; so do the other getters.
    pub fn int(&self, name: &'static str, default: i64) -> Result<i64, Refusal> {
        match self.0.get(name) {
            None => Ok(default),
            Some(&Attribute::Int(value)) => Ok(value),
            Some(other) => Err(refused(name, other)),
        }
    }

    /// A list of integers, if it is there.
    ///
    /// # Errors
    /// As [`Self::int`].
    pub fn ints(&self, name: &'static str) -> Result<Option<&[i64]>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values)),
            Some(other) => Err(refused(name, other)),
        }
    }

    /// A float, or `default` when it is not there.
    ///
    /// # Errors
    /// As [`Self::int`].
    pub fn float(&self, name: &'static str, default: f32) -> Result<f32, Refusal> {
        match self.0.get(name) {
            None => Ok(default),
            Some(&Attribute::Float(value)) => Ok(value),
            Some(other) => Err(refused(name, other)),
        }
    }

    /// A text, or `default` when it is not there.
    ///
    /// # Errors
    /// As [`Self::int`].
    pub fn text<'a>(
        &'a self,
        name: &'static str,
        default: &'static str,
    ) -> Result<&'a str, Refusal> {
        match self.0.get(name) {
            None => Ok(default),
            Some(Attribute::Text(value)) => Ok(value),
            Some(other) => Err(refused(name, other)),
        }
    }

    /// A list of floats; empty when it is not there.
    ///
    /// # Errors
    /// As [`Self::int`].
    pub fn floats(&self, name: &'static str) -> Result<&[f32], Refusal> {
        match self.0.get(name) {
            None => Ok(&[]),
            Some(Attribute::Floats(values)) => Ok(values),
            Some(other) => Err(refused(name, other)),
        }
    }

    /// A list of texts; empty when it is not there.
    ///
    /// # Errors
    /// As [`Self::int`].
    pub fn texts(&self, name: &'static str) -> Result<&[String], Refusal> {
        match self.0.get(name) {
            None => Ok(&[]),
            Some(Attribute::Texts(values)) => Ok(values),
            Some(other) => Err(refused(name, other)),
        }
    }

    /// Refuses any value of `name` but `wanted`, which is also its default.
    ///
    /// # Errors
    /// As [`Self::int`].
    pub fn require_int(&self, name: &'static str, wanted: i64) -> Result<(), Refusal> {
        let found = self.int(name, wanted)?;
        if found == wanted {
            Ok(())
        } else {
            Err(refused(name, &Attribute::Int(found)))
        }
    }
}

fn refused(attribute: &'static str, value: &Attribute) -> Refusal {
    Refusal::Attribute {
        attribute,
        value: match value {
            Attribute::Int(value) => value.to_string(),
            Attribute::Ints(values) => format!("{values:?}"),
            Attribute::Float(value) => value.to_string(),
            Attribute::Text(value) => value.clone(),
            Attribute::Floats(value) => format!("{value:?}"),
            Attribute::Texts(value) => format!("{value:?}"),
            Attribute::Other => "(a tensor or a graph)".into(),
        },
    }
}
