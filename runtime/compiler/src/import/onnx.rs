//! Reading ONNX: bytes, to tract's parsed model, to the source model.

use super::source::{
    Attribute, Attributes, Element, Elements, SourceModel, SourceNode, SourceValue, ValueId,
};
use crate::error::{CompileError, Refusal};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tract_onnx::model::ParseResult;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::{self, ModelProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact};
use tract_onnx::tract_hir::internal::DimLike;

/// Most elements of a tensor.
const ELEMENTS_MAX: usize = 1 << 28;

/// Reads the ONNX model in `bytes` and infers every shape, for a batch of 1.
///
/// # Errors
/// [`CompileError`] when the bytes are no valid model, when an input's size is not fixed, and when
/// there is an operator that `knows` denies.
pub fn read(bytes: &[u8], knows: fn(&str) -> bool) -> Result<SourceModel, CompileError> {
    guarded(|| {
        let proto = parse(bytes)?;
        require_known(&proto, knows)?;
        let parsed = analyse(&proto)?;
        Reader::new(&parsed).read(&proto)
    })
}

/// Runs `import`, and makes an error of a panic: tract has `unimplemented!()` and unchecked
/// indices on paths that hostile bytes reach. What it worked on is dropped.
pub(super) fn guarded<T>(
    import: impl FnOnce() -> Result<T, CompileError>,
) -> Result<T, CompileError> {
    catch_unwind(AssertUnwindSafe(import)).unwrap_or_else(|_| {
        Err(unreadable(
            "the ONNX reader gave up; check it with onnx.checker",
        ))
    })
}

/// Decodes the file, and fixes the batch of every input at 1.
pub(super) fn parse(bytes: &[u8]) -> Result<ModelProto, CompileError> {
    let mut proto = tract_onnx::onnx()
        .proto_model_for_read(&mut &*bytes)
        .map_err(|error| unreadable(format!("{error:#}")))?;
    opset(&proto)?;
    let graph = proto
        .graph
        .as_mut()
        .ok_or_else(|| unreadable("it has no graph"))?;
    require_outputs(graph)?;
    let constants: Vec<_> = graph.initializer.iter().map(|it| it.name.clone()).collect();
    for input in &mut graph.input {
        if !constants.contains(&input.name) {
            fix_batch(input)?;
        }
    }
    Ok(proto)
}

fn fix_batch(input: &mut pb::ValueInfoProto) -> Result<(), CompileError> {
    let name = input.name.clone();
    let shape = match input.r#type.as_mut().and_then(|ty| ty.value.as_mut()) {
        Some(pb::type_proto::Value::TensorType(tensor)) => tensor.shape.as_mut(),
        None => None,
    };
    let shape = shape.ok_or_else(|| unreadable(format!("input '{name}' has no shape")))?;
    for (axis, dim) in shape.dim.iter_mut().enumerate() {
        let size = match dim.value {
            Some(Dimension::DimValue(size)) if size > 0 => Some(size),
            _ => None,
        };
        match (axis, size) {
            (0, None | Some(1)) => dim.value = Some(Dimension::DimValue(1)),
            (0, Some(batch)) => return Err(CompileError::Batch { input: name, batch }),
            (_, None) => return Err(CompileError::DynamicInput { input: name, axis }),
            (_, Some(_)) => {}
        }
    }
    Ok(())
}

/// Refuses the first operator that has no lowering: tract is not asked for its shape.
fn require_known(proto: &ModelProto, knows: fn(&str) -> bool) -> Result<(), CompileError> {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    for node in nodes {
        let standard = matches!(&*node.domain, "" | "ai.onnx");
        if !standard || !knows(&node.op_type) {
            return Err(Refusal::Operator.at(node_name(node), &node.op_type));
        }
    }
    Ok(())
}

/// Refuses an output that nothing makes: tract would panic.
fn require_outputs(graph: &pb::GraphProto) -> Result<(), CompileError> {
    let made = graph.node.iter().flat_map(|node| &node.output);
    let made = made.chain(graph.input.iter().map(|it| &it.name));
    let made = made.chain(graph.initializer.iter().map(|it| &it.name));
    let made: HashSet<_> = made.collect();
    match graph
        .output
        .iter()
        .find(|output| !made.contains(&output.name))
    {
        Some(output) => Err(unreadable(format!(
            "nothing makes the output '{}'",
            output.name
        ))),
        None => Ok(()),
    }
}

fn opset(proto: &ModelProto) -> Result<i64, CompileError> {
    let mut imports = proto.opset_import.iter();
    let standard = imports.find(|import| matches!(&*import.domain, "" | "ai.onnx"));
    let standard = standard.ok_or_else(|| unreadable("it names no version of ONNX's operators"))?;
    Ok(standard.version)
}

fn analyse(proto: &ModelProto) -> Result<ParseResult, CompileError> {
    // What a file says of the values between its nodes may name a symbolic batch.
    let mut parsed = tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_types(true)
        .parse(proto, None)
        .map_err(|error| unreadable(format!("{error:#}")))?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(unreadable(format!("nothing makes the value '{name}'")));
    }
    parsed
        .model
        .analyse(false)
        .map_err(|error| unreadable(format!("{error:#}")))?;
    Ok(parsed)
}

/// Takes tract's parsed model apart.
struct Reader<'a> {
    parsed: &'a ParseResult,
    ids: HashMap<String, ValueId>,
    values: Vec<SourceValue>,
}

impl<'a> Reader<'a> {
    fn new(parsed: &'a ParseResult) -> Self {
        Self {
            parsed,
            ids: HashMap::new(),
            values: Vec::new(),
        }
    }

    fn read(mut self, proto: &ModelProto) -> Result<SourceModel, CompileError> {
        let graph = proto.graph.as_ref().ok_or_else(|| unreadable("no graph"))?;
        let constants: Vec<_> = graph.initializer.iter().map(|it| &it.name).collect();
        let mut inputs = Vec::new();
        for input in &graph.input {
            if !constants.contains(&&input.name) {
                inputs.push(self.value(&input.name)?);
            }
        }
        let mut nodes = Vec::new();
        for node in &graph.node {
            nodes.push(self.node(node)?);
        }
        let mut outputs = Vec::new();
        for output in &graph.output {
            outputs.push(self.value(&output.name)?);
        }
        Ok(SourceModel {
            opset: opset(proto)?,
            nodes,
            values: self.values,
            inputs,
            outputs,
        })
    }

    fn node(&mut self, node: &pb::NodeProto) -> Result<SourceNode, CompileError> {
        let mut inputs = Vec::new();
        for name in &node.input {
            inputs.push(match &**name {
                "" => None,
                name => Some(self.value(name)?),
            });
        }
        let mut outputs = Vec::new();
        for name in &node.output {
            outputs.push(match &**name {
                "" => None,
                name => Some(self.value(name)?),
            });
        }
        Ok(SourceNode {
            name: node_name(node).into(),
            op: node.op_type.clone(),
            inputs,
            outputs,
            attributes: attributes(node),
        })
    }

    fn value(&mut self, name: &str) -> Result<ValueId, CompileError> {
        if let Some(&id) = self.ids.get(name) {
            return Ok(id);
        }
        let outlet = self.parsed.outlets_by_name.get(name);
        let fact = outlet.and_then(|&outlet| self.parsed.model.outlet_fact(outlet).ok());
        let fact = fact.ok_or_else(|| unreadable(format!("nothing makes '{name}'")))?;
        let dims = dims(fact).ok_or_else(|| {
            unreadable(format!("the shape of '{name}' is not known or too large"))
        })?;
        let id = ValueId(self.values.len());
        self.values.push(SourceValue {
            name: name.into(),
            dims,
            element: element(fact),
            constant: constant(fact),
        });
        self.ids.insert(name.into(), id);
        Ok(id)
    }
}

fn node_name(node: &pb::NodeProto) -> &str {
    if node.name.is_empty() {
        node.output.first().map_or("", |output| output)
    } else {
        &node.name
    }
}

/// The axes, if they are known and of a size at which no later product overflows.
fn dims(fact: &InferenceFact) -> Option<Vec<usize>> {
    let dims = fact.shape.concretize()?;
    let dims: Vec<usize> = dims
        .iter()
        .map(|dim| dim.to_usize().ok())
        .collect::<Option<_>>()?;
    let elements = dims
        .iter()
        .try_fold(1_usize, |len, &dim| len.checked_mul(dim.max(1)))?;
    (elements <= ELEMENTS_MAX).then_some(dims)
}

fn element(fact: &InferenceFact) -> Element {
    match fact.datum_type.concretize() {
        Some(DatumType::F32) => Element::F32,
        Some(DatumType::I8) => Element::I8,
        Some(DatumType::U8) => Element::U8,
        Some(DatumType::I32) => Element::I32,
        // tract's own type of dimensions stands for what ONNX has as int64.
        Some(DatumType::I64 | DatumType::TDim) => Element::I64,
        Some(DatumType::Bool) => Element::Bool,
        _ => Element::Other,
    }
}

fn constant(fact: &InferenceFact) -> Option<Elements> {
    let tensor = fact.value.concretize()?;
    let view = tensor.as_plain_ram()?;
    Some(match tensor.datum_type() {
        DatumType::F32 => Elements::F32(view.as_slice().ok()?.to_vec()),
        DatumType::I8 => Elements::I8(view.as_slice().ok()?.to_vec()),
        DatumType::U8 => Elements::U8(view.as_slice().ok()?.to_vec()),
        DatumType::I32 => Elements::I32(view.as_slice().ok()?.to_vec()),
        DatumType::I64 => Elements::I64(view.as_slice().ok()?.to_vec()),
        DatumType::Bool => Elements::Bool(view.as_slice().ok()?.to_vec()),
        DatumType::TDim => {
            let cast = tensor.cast_to::<i64>().ok()?;
            Elements::I64(cast.as_plain_ram()?.as_slice().ok()?.to_vec())
        }
        _ => return None,
    })
}

fn attributes(node: &pb::NodeProto) -> Attributes {
    use pb::attribute_proto::AttributeType;
    let value = |it: &pb::AttributeProto| match AttributeType::try_from(it.r#type) {
        Ok(AttributeType::Int) => Attribute::Int(it.i),
        Ok(AttributeType::Ints) => Attribute::Ints(it.ints.clone()),
        Ok(AttributeType::Float) => Attribute::Float(it.f),
        Ok(AttributeType::String) => Attribute::Text(String::from_utf8_lossy(&it.s).into_owned()),
        Ok(AttributeType::Floats) => Attribute::Floats(it.floats.clone()),
        Ok(AttributeType::Strings) => {
            let texts = it.strings.iter().map(|it| String::from_utf8_lossy(it));
            Attribute::Texts(texts.map(Into::into).collect())
        }
        _ => Attribute::Other,
    };
    let pairs = node.attribute.iter().map(|it| (it.name.clone(), value(it)));
    Attributes(pairs.collect())
}

fn unreadable(reason: impl Into<String>) -> CompileError {
    CompileError::Unreadable {
        reason: reason.into(),
    }
}
