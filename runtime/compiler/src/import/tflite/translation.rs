//! The source model under construction: what each tensor has become, and what translations of
//! operators are written in.
//!
//! Quantized tensors are the integers between a `QuantizeLinear` and a `DequantizeLinear`;
//! operators read and make real numbers.

use super::flatbuffer::{Fault, Table};
use super::model::{Kind, Model, Operator, Tensor, unreadable};
use crate::error::{CompileError, Refusal};
use crate::import::source::{
    Attribute, Attributes, Became, Element, Elements, Origin, SourceModel, SourceNode, SourceValue,
    ValueId,
};
use std::collections::HashSet;

/// The version of ONNX's operators that the translations speak.
const OPSET: i64 = 20;

/// Bytes into which the constants of a file of `len` bytes may be copied. Operators may share
/// constants, as those of an unrolled loop do, but a small file must not fill the memory.
fn copies_max(len: usize) -> usize {
    const SHARERS: usize = 256;
    const LARGE: usize = 1 << 30;
    len.saturating_mul(SHARERS)
        .min(len.saturating_mul(4).max(LARGE))
}

/// Why a translation stopped.
#[derive(Debug)]
pub enum Stop {
    /// The operator is not one that can be translated.
    Refused(Refusal),
    /// The file breaks the format's rules.
    Invalid(CompileError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<CompileError> for Stop {
    fn from(error: CompileError) -> Self {
        Self::Invalid(error)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Invalid(fault.into())
    }
}

/// Shorthand for the attributes of a node.
pub type Attribution<'a> = &'a [(&'a str, Attribute)];

/// A model that is being translated, and the operator that is.
pub struct Translation<'m> {
    model: &'m Model<'m>,
    operator: &'m Operator<'m>,
    /// The name of the operator's nodes.
    name: String,
    source: SourceModel,
    /// Each tensor as it is.
    values: Vec<Option<ValueId>>,
    /// Each quantized tensor as real numbers.
    reals: Vec<Option<ValueId>>,
    names: HashSet<String>,
    /// Bytes of constants that may still be copied.
    copies: usize,
}

/// Names, operands, constants and nodes.
impl<'m> Translation<'m> {
    /// Before the first operator, of a file of `len` bytes.
    pub fn new(model: &'m Model<'m>, len: usize) -> Option<Self> {
        Some(Self {
            model,
            operator: model.operators.first()?,
            name: String::new(),
            source: SourceModel {
                opset: OPSET,
                nodes: Vec::new(),
                values: Vec::new(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                origins: Vec::new(),
                notes: Vec::new(),
                frame_axes: Vec::new(),
            },
            values: vec![None; model.tensors.len()],
            reals: vec![None; model.tensors.len()],
            names: HashSet::new(),
            copies: copies_max(len),
        })
    }

    /// Adds an input.
    pub fn input(&mut self, tensor: usize) -> Result<(), CompileError> {
        let Tensor { name, .. } = &self.model.tensors[tensor];
        if self.values[tensor].is_some() {
            return Err(unreadable(format!("'{name}' is an input twice")));
        }
        let value = self.add_value(name, self.model.tensors[tensor].kind.element(), tensor);
        self.values[tensor] = Some(value);
        self.source.inputs.push(value);
        Ok(())
    }

    /// Turns to the next operator, and returns the name of its nodes: that of its first result.
    pub fn enter(&mut self, operator: &'m Operator<'m>) -> String {
        self.operator = operator;
        let result = operator.outputs.first();
        let name = result.map(|&tensor| &self.model.tensors[tensor].name);
        self.name = name.cloned().unwrap_or_default();
        self.name.clone()
    }

    /// Notes what the operator became: the nodes since there were `first`.
    pub fn leave(&mut self, first: usize) {
        self.source.origins.push(Origin {
            name: self.name.clone(),
            op: self.operator.op.clone(),
            became: Became::Nodes(first..self.source.nodes.len()),
        });
    }

    /// Nodes so far.
    pub fn node_count(&self) -> usize {
        self.source.nodes.len()
    }

    /// Adds the operator as it is, for reports: nothing depends on it, or it is not known.
    pub fn keep(&mut self, is_live: bool) -> Result<(), Stop> {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        if is_live {
            for &tensor in self.operator.inputs.iter().flatten() {
                inputs.extend(self.values[tensor]);
            }
            for index in 0..self.operator.outputs.len() {
                let tensor = self.operator.outputs[index];
                let name = &self.model.tensors[tensor].name;
                let value = self.add_value(name, Element::Other, tensor);
                self.bind(tensor, value)?;
                outputs.push(Some(value));
            }
        }
        self.source.nodes.push(SourceNode {
            name: self.name.clone(),
            op: self.operator.op.clone(),
            inputs: inputs.into_iter().map(Some).collect(),
            outputs,
            attributes: Attributes::default(),
        });
        Ok(())
    }

    /// The whole model, when every operator has been translated.
    pub fn finish(mut self) -> Result<SourceModel, CompileError> {
        for &tensor in &self.model.outputs {
            let made = self.values[tensor].ok_or_else(|| self.nothing_makes(tensor))?;
            self.source.outputs.push(made);
        }
        Ok(self.source)
    }

    fn nothing_makes(&self, tensor: usize) -> CompileError {
        unreadable(format!(
            "nothing makes '{}'",
            self.model.tensors[tensor].name
        ))
    }

    fn bind(&mut self, tensor: usize, value: ValueId) -> Result<(), CompileError> {
        let bound = &mut self.values[tensor];
        if bound.is_some() {
            let name = &self.model.tensors[tensor].name;
            return Err(unreadable(format!("'{name}' is made twice")));
        }
        *bound = Some(value);
        Ok(())
    }

    /// A name that no other value has.
    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        if self.names.contains(name) {
            unique = format!("{name}#{}", self.source.values.len());
        }
        while !self.names.insert(unique.clone()) {
            unique.push('\'');
        }
        unique
    }

    fn add_value(&mut self, name: &str, element: Element, tensor: usize) -> ValueId {
        let dims = self.model.tensors[tensor].dims.clone();
        self.push_value(name, dims, element, None)
    }

    fn push_value(
        &mut self,
        name: &str,
        dims: Vec<usize>,
        element: Element,
        constant: Option<Elements>,
    ) -> ValueId {
        let name = self.unique(name);
        self.source.values.push(SourceValue {
            name,
            dims,
            element,
            constant,
        });
        ValueId(self.source.values.len() - 1)
    }

    /// Accounts for `bytes` of constants.
    pub fn charge(&mut self, bytes: usize) -> Result<(), Stop> {
        let left = self.copies.checked_sub(bytes);
        self.copies = left.ok_or_else(|| unreadable("its operators share too many constants"))?;
        Ok(())
    }

    /// The axes of a value.
    pub fn dims(&self, value: ValueId) -> &[usize] {
        &self.source_value(value).dims
    }

    /// A value.
    pub fn source_value(&self, value: ValueId) -> &SourceValue {
        self.source.value(value)
    }

    /// A constant of these elements.
    pub fn constant(&mut self, name: &str, dims: &[usize], elements: Elements) -> ValueId {
        let element = match elements {
            Elements::F32(_) => Element::F32,
            Elements::I8(_) => Element::I8,
            Elements::U8(_) => Element::U8,
            Elements::I32(_) => Element::I32,
            Elements::I64(_) => Element::I64,
            Elements::Bool(_) => Element::Bool,
        };
        let name = format!("{}/{name}", self.name);
        self.push_value(&name, dims.into(), element, Some(elements))
    }

    /// A constant list of integers, such as axes.
    pub fn list(&mut self, name: &str, values: &[i64]) -> ValueId {
        self.constant(name, &[values.len()], Elements::I64(values.into()))
    }

    /// One constant real number.
    pub fn scalar(&mut self, name: &str, value: f32) -> ValueId {
        self.constant(name, &[], Elements::F32(vec![value]))
    }

    /// Adds a node, and returns its result of these axes: real numbers, until it is said otherwise.
    pub fn node(
        &mut self,
        op: &str,
        inputs: &[ValueId],
        attributes: Attribution<'_>,
        dims: &[usize],
    ) -> ValueId {
        let inputs: Vec<_> = inputs.iter().copied().map(Some).collect();
        self.node_of(op, inputs, attributes, &[dims.into()])[0]
    }

    /// Adds a node with operands left out, or several results.
    pub fn node_of(
        &mut self,
        op: &str,
        inputs: Vec<Option<ValueId>>,
        attributes: Attribution<'_>,
        results: &[Vec<usize>],
    ) -> Vec<ValueId> {
        let result = |dims: &Vec<usize>| {
            let name = format!("{}/{op}", self.name);
            self.push_value(&name, dims.clone(), Element::F32, None)
        };
        let outputs: Vec<_> = results.iter().map(result).collect();
        let pairs = attributes.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.source.nodes.push(SourceNode {
            name: self.name.clone(),
            op: op.into(),
            inputs,
            outputs: outputs.iter().copied().map(Some).collect(),
            attributes: Attributes(pairs.collect()),
        });
        outputs
    }
}

/// The operator's options, operands and results.
impl<'m> Translation<'m> {
    /// The operator's options, if it has those of `kind`; all of them have defaults.
    pub fn options(&self, kind: u8) -> Result<Option<Table<'m>>, Stop> {
        match self.operator.options {
            Some((found, table)) if found == kind => Ok(Some(table)),
            None | Some((0, _)) => Ok(None),
            Some(_) => Err(unreadable(format!(
                "'{}' has the options of another operator",
                self.name
            ))
            .into()),
        }
    }

    /// How many operands there are.
    pub const fn operands(&self) -> usize {
        self.operator.inputs.len()
    }

    /// How many results there are.
    pub const fn results(&self) -> usize {
        self.operator.outputs.len()
    }

    /// The tensor that operand `operand` is, if it is not left out.
    pub fn optional(&self, operand: usize) -> Option<usize> {
        self.operator.inputs.get(operand).copied().flatten()
    }

    /// The tensor that operand `operand` is.
    pub fn operand(&self, operand: usize) -> Result<usize, Stop> {
        let tensor = self.optional(operand);
        Ok(tensor.ok_or(Refusal::OperandMissing { operand })?)
    }

    /// The tensor of that index.
    pub fn tensor(&self, tensor: usize) -> &'m Tensor<'m> {
        &self.model.tensors[tensor]
    }

    /// Operand `operand`'s tensor.
    pub fn operand_tensor(&self, operand: usize) -> Result<&'m Tensor<'m>, Stop> {
        Ok(self.tensor(self.operand(operand)?))
    }

    /// The tensor of result `result`.
    pub fn result(&self, result: usize) -> Result<&'m Tensor<'m>, Stop> {
        let tensor = self.operator.outputs.get(result).copied();
        let tensor = tensor.ok_or(Refusal::OperandMissing { operand: result })?;
        Ok(self.tensor(tensor))
    }

    /// Operand `operand` as it is, integers not dequantized.
    pub fn value(&mut self, operand: usize) -> Result<ValueId, Stop> {
        let tensor = self.operand(operand)?;
        self.tensor_value(tensor)
    }

    /// Operand `operand` as real numbers; integers that stand for none stay what they are.
    pub fn real(&mut self, operand: usize) -> Result<ValueId, Stop> {
        let tensor = self.operand(operand)?;
        if !self.tensor(tensor).is_quantized() {
            return self.tensor_value(tensor);
        }
        if let Some(real) = self.reals[tensor] {
            return Ok(real);
        }
        let real = self.dequantized(tensor)?;
        self.reals[tensor] = Some(real);
        Ok(real)
    }

    /// Operand `operand`, a constant list of integers.
    pub fn integers(&self, operand: usize) -> Result<Vec<i64>, Stop> {
        let tensor = self.operand_tensor(operand)?;
        if tensor.data.is_empty() {
            return Err(Refusal::NotConstant {
                value: tensor.name.clone(),
            }
            .into());
        }
        match tensor.elements()? {
            Elements::I32(values) => Ok(values.into_iter().map(i64::from).collect()),
            Elements::I64(values) => Ok(values),
            _ => Err(Refusal::Type {
                value: tensor.name.clone(),
                found: tensor.kind.element().name(),
            }
            .into()),
        }
    }

    /// Lets result `result` be `real`, quantized if the result is.
    pub fn finish_result(&mut self, result: usize, real: ValueId) -> Result<(), Stop> {
        let made = self.result(result)?;
        let tensor = self.operator.outputs[result];
        if self.dims(real) != made.dims {
            let found = vec![self.dims(real).into(), made.dims.clone()];
            return Err(Refusal::Shape { found }.into());
        }
        if !made.is_quantized() {
            let name = self.unique(&made.name);
            let value = &mut self.source.values[real.0];
            (value.name, value.element) = (name, made.kind.element());
            return Ok(self.bind(tensor, real)?);
        }
        let (scale, zero) = self.quantizer(tensor, None)?;
        let quantized = self.node("QuantizeLinear", &[real, scale, zero], &[], &made.dims);
        let name = self.unique(&made.name);
        let value = &mut self.source.values[quantized.0];
        (value.name, value.element) = (name, made.kind.element());
        Ok(self.bind(tensor, quantized)?)
    }

    /// Lets the result be what another tensor is.
    pub fn alias(&mut self, value: ValueId) -> Result<(), Stop> {
        self.result(0)?;
        Ok(self.bind(self.operator.outputs[0], value)?)
    }
}

/// Quantized tensors.
impl Translation<'_> {
    /// A tensor as it is: made, given, or a constant.
    pub fn tensor_value(&mut self, index: usize) -> Result<ValueId, Stop> {
        if let Some(value) = self.values[index] {
            return Ok(value);
        }
        let tensor = self.tensor(index);
        if tensor.data.is_empty() {
            return Err(self.nothing_makes(index).into());
        }
        let elements = self.copied(tensor)?;
        let element = match tensor.kind {
            Kind::F16 => Element::F32,
            kind => kind.element(),
        };
        let value = self.push_value(&tensor.name, tensor.dims.clone(), element, Some(elements));
        self.values[index] = Some(value);
        Ok(value)
    }

    /// The elements of a constant, which are accounted for.
    pub fn copied(&mut self, tensor: &Tensor<'_>) -> Result<Elements, Stop> {
        self.charge(tensor.data.len())?;
        Ok(tensor.elements()?)
    }
}
