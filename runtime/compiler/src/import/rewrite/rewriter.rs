//! The graph while it is rewritten: what a rule may ask of it, and what it may add.

use super::super::tensor;
use crate::error::Refusal;
use std::collections::{HashMap, HashSet};
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};

/// Scale and zero point of a tensor of integers, by their values' names.
#[derive(Clone, Debug)]
pub struct Quantizer {
    pub scale: String,
    pub zero: Option<String>,
}

/// A graph under rewriting: nodes of the source are read, nodes of the result are added.
pub struct Rewriter<'a> {
    source: &'a [NodeProto],
    /// Initializers; rules add theirs.
    initializers: &'a mut Vec<TensorProto>,
    /// Version of ONNX's operators.
    pub opset: i64,
    /// Nodes of the result, in order.
    pub nodes: Vec<NodeProto>,
    /// Quantizers of the integers that are made so far.
    pub quantizers: HashMap<String, Quantizer>,
    /// Names of the graph's outputs.
    pub outputs: HashSet<String>,
    initializer_places: HashMap<String, usize>,
    constant_nodes: HashMap<&'a str, &'a TensorProto>,
    ranks: HashMap<String, usize>,
    names: HashSet<String>,
    names_made: usize,
    /// The node that is being rewritten.
    current: String,
}

impl<'a> Rewriter<'a> {
    /// For a graph whose nodes, `source`, were taken out of it.
    pub fn new(graph: &'a mut GraphProto, source: &'a [NodeProto], opset: i64) -> Self {
        let infos = || {
            graph
                .input
                .iter()
                .chain(&graph.output)
                .chain(&graph.value_info)
        };
        let mut ranks: HashMap<_, _> = infos()
            .filter_map(|info| Some((info.name.clone(), rank(info)?)))
            .collect();
        let mut names: HashSet<_> = infos().map(|info| info.name.clone()).collect();
        let mut initializer_places = HashMap::new();
        for (place, tensor) in graph.initializer.iter().enumerate() {
            ranks.insert(tensor.name.clone(), tensor.dims.len());
            names.insert(tensor.name.clone());
            initializer_places.insert(tensor.name.clone(), place);
        }
        let mut constant_nodes = HashMap::new();
        for node in source {
            names.extend(node.output.iter().cloned());
            names.insert(node.name.clone());
            let tensor = node.attribute.iter().find_map(|it| it.t.as_ref());
            if let ("Constant", [output], Some(tensor)) = (&*node.op_type, &*node.output, tensor) {
                constant_nodes.insert(&**output, tensor);
            }
        }
        let outputs = graph.output.iter().map(|output| output.name.clone());
        Self {
            source,
            outputs: outputs.collect(),
            initializers: &mut graph.initializer,
            opset,
            nodes: Vec::new(),
            quantizers: HashMap::new(),
            initializer_places,
            constant_nodes,
            ranks,
            names,
            names_made: 1,
            current: String::new(),
        }
    }

    /// The nodes of the source.
    pub const fn source(&self) -> &'a [NodeProto] {
        self.source
    }

    /// Makes `node` the one that is rewritten: what is added is named after it.
    pub fn begin(&mut self, node: &NodeProto) {
        self.current = super::node_name(node).into();
    }

    /// The constant of that name.
    pub fn constant(&self, name: &str) -> Option<&TensorProto> {
        match self.initializer_places.get(name) {
            Some(&place) => self.initializers.get(place),
            None => self.constant_nodes.get(name).copied(),
        }
    }

    /// Number of axes of a value, where the file states it.
    pub fn rank(&self, name: &str) -> Option<usize> {
        let constant = || self.constant(name).map(|tensor| tensor.dims.len());
        self.ranks.get(name).copied().or_else(constant)
    }

    /// The constant float32 elements of that name.
    pub fn f32s(&self, name: &str) -> Result<Vec<f32>, Refusal> {
        self.constant(name)
            .and_then(tensor::f32s)
            .ok_or_else(|| not_constant(name))
    }

    /// A name that no value and no node has.
    pub fn fresh(&mut self, hint: &str) -> String {
        let stem = format!("{}/{hint}", self.current);
        let mut name = stem.clone();
        while !self.names.insert(name.clone()) {
            self.names_made += 1;
            name = format!("{stem}_{}", self.names_made);
        }
        name
    }

    /// Adds an initializer, under a new name.
    pub fn add_constant(&mut self, tensor: TensorProto) -> String {
        let name = self.fresh("constant");
        self.initializer_places
            .insert(name.clone(), self.initializers.len());
        self.initializers.push(TensorProto {
            name: name.clone(),
            ..tensor
        });
        name
    }

    /// Adds a float32 number.
    pub fn add_real(&mut self, value: f32) -> String {
        self.add_constant(tensor::of_f32s("", &[], &[value]))
    }

    /// Adds a node that makes the value `output`.
    pub fn emit(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: Vec<AttributeProto>,
    ) {
        let name = self.fresh(op);
        self.nodes.push(NodeProto {
            op_type: op.into(),
            name,
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![output.into()],
            attribute: attributes,
            ..Default::default()
        });
    }

    /// Adds a node, and returns the name of its result.
    pub fn value(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let output = self.fresh("value");
        self.emit(op, inputs, &output, attributes);
        output
    }

    /// Keeps `node` as it is.
    pub fn keep(&mut self, node: &NodeProto) {
        self.nodes.push(node.clone());
    }

    /// The real numbers of the integers `value`; scales of more than one element lie along `axis`.
    ///
    /// # Errors
    /// [`Refusal::NotConstant`] when the scale is not a constant.
    pub fn dequantize(
        &mut self,
        value: &str,
        scale: &str,
        zero: Option<&str>,
        axis: i64,
    ) -> Result<String, Refusal> {
        let quantizer = self.quantizer(scale, zero)?;
        let mut inputs = vec![value, &quantizer.scale];
        inputs.extend(quantizer.zero.as_deref());
        let is_scalar = self.rank(&quantizer.scale) == Some(0);
        let axis = (!is_scalar).then(|| int("axis", axis));
        Ok(self.value("DequantizeLinear", &inputs, axis.into_iter().collect()))
    }

    /// Quantizes `value` as `output`. Without a zero point the integers have the type of `like`'s.
    ///
    /// # Errors
    /// As [`Self::dequantize`]; [`Refusal::OperandMissing`] when there is no zero point at all.
    pub fn quantize(
        &mut self,
        value: &str,
        scale: &str,
        zero: Option<&str>,
        like: Option<&str>,
        output: &str,
    ) -> Result<(), Refusal> {
        let zero = match (zero, like.and_then(|like| self.constant(like))) {
            (Some(zero), _) => zero.into(),
            (None, Some(like)) => {
                let ty = tensor::data_type(like);
                self.add_constant(tensor::of_integers("", ty, &[], &[0]))
            }
            (None, None) => return Err(Refusal::OperandMissing { operand: 2 }),
        };
        let quantizer = self.quantizer(scale, Some(&zero))?;
        let inputs = [
            value,
            &quantizer.scale,
            quantizer.zero.as_deref().unwrap_or(""),
        ];
        self.emit("QuantizeLinear", &inputs, output, Vec::new());
        self.quantizers.insert(output.into(), quantizer);
        Ok(())
    }

    /// A scale and a zero point that have as many elements: none has axes where there is one.
    fn quantizer(&mut self, scale: &str, zero: Option<&str>) -> Result<Quantizer, Refusal> {
        let count = self.f32s(scale)?.len();
        let Some(zero) = zero else {
            let scale = self.scalar(scale);
            return Ok(Quantizer { scale, zero: None });
        };
        let tensor = self.constant(zero).ok_or_else(|| not_constant(zero))?;
        let ty = tensor::data_type(tensor);
        let values = tensor::integers(tensor).ok_or_else(|| Refusal::Type {
            value: zero.into(),
            found: tensor::type_name(tensor),
        })?;
        let zero = match *values {
            [value] if count > 1 => {
                let values = vec![value; count];
                self.add_constant(tensor::of_integers("", ty, &[count as i64], &values))
            }
            _ => self.scalar(zero),
        };
        Ok(Quantizer {
            scale: self.scalar(scale),
            zero: Some(zero),
        })
    }

    /// A constant of one element without its axes; any other value as it is.
    fn scalar(&mut self, name: &str) -> String {
        let single = self.constant(name).filter(|it| !it.dims.is_empty());
        match single.filter(|it| it.dims.iter().all(|&dim| dim == 1)) {
            Some(tensor) => {
                let dims = Vec::new();
                let tensor = TensorProto {
                    dims,
                    ..tensor.clone()
                };
                self.add_constant(tensor)
            }
            None => name.into(),
        }
    }
}

fn rank(info: &ValueInfoProto) -> Option<usize> {
    use tract_onnx::pb::type_proto::Value;
    match info.r#type.as_ref()?.value.as_ref()? {
        Value::TensorType(tensor) => Some(tensor.shape.as_ref()?.dim.len()),
    }
}

pub fn not_constant(name: &str) -> Refusal {
    Refusal::NotConstant { value: name.into() }
}

/// Operand `operand` of `node`, if it is there.
pub fn optional(node: &NodeProto, operand: usize) -> Option<&str> {
    let name = node.input.get(operand)?;
    (!name.is_empty()).then_some(name)
}

/// Operand `operand` of `node`.
pub fn operand(node: &NodeProto, operand: usize) -> Result<&str, Refusal> {
    optional(node, operand).ok_or(Refusal::OperandMissing { operand })
}

/// The only result of `node`.
pub fn result(node: &NodeProto) -> Result<&str, Refusal> {
    let more = node.output.iter().skip(1).any(|name| !name.is_empty());
    match node.output.first() {
        Some(name) if !name.is_empty() && !more => Ok(name),
        _ => Err(Refusal::TooMany {
            what: "results",
            found: node.output.len(),
            most: 1,
        }),
    }
}

/// An attribute of `node`.
pub fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|it| it.name == name)
}

/// An integer attribute of `node`.
pub fn int_of(node: &NodeProto, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |it| it.i)
}

/// A float attribute of `node`.
pub fn float_of(node: &NodeProto, name: &str, default: f32) -> f32 {
    attribute(node, name).map_or(default, |it| it.f)
}

/// The attributes of `node` but for those named.
pub fn attributes_but(node: &NodeProto, names: &[&str]) -> Vec<AttributeProto> {
    let kept = |it: &&AttributeProto| !names.contains(&&*it.name);
    node.attribute.iter().filter(kept).cloned().collect()
}

/// An integer attribute.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        i: value,
        ..typed(name, AttributeType::Int)
    }
}

/// A list of integers as an attribute.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        ints: values.into(),
        ..typed(name, AttributeType::Ints)
    }
}

/// A float attribute.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto {
        f: value,
        ..typed(name, AttributeType::Float)
    }
}

/// A text attribute.
pub fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        s: value.into(),
        ..typed(name, AttributeType::String)
    }
}

fn typed(name: &str, ty: AttributeType) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: ty as i32,
        ..Default::default()
    }
}
