//! Reading ONNX: bytes, to tract's parsed model, to the source model.

use super::by_value;
use super::facts::{attributes, constant, dims, element, filled};
use super::rewrite::{Rewritten, node_name, rewrite};
use super::source::{Became, SourceModel, SourceNode, SourceValue, ValueId, origin_of};
use super::{analysis, formats, weights};
use crate::error::{CompileError, Format, Refusal};
use crate::tensor::Tensor;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tract_onnx::model::ParseResult;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::{self, ModelProto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{Factoid, ShapeFactoid};

/// Reads the ONNX model in `bytes` and infers every shape, for a batch of 1.
///
/// # Errors
/// [`CompileError`] when the bytes are no valid model, when an input's size is not fixed, and when
/// there is an operator that `knows` denies.
pub fn read(
    bytes: &[u8],
    knows: fn(&str) -> bool,
    frames: Option<usize>,
    known: &[(&str, Tensor)],
) -> Result<SourceModel, CompileError> {
    guarded(|| {
        let sizes = frames.map_or(Sizes::Sample, Sizes::Frames);
        let mut file = parse(bytes, sizes, known)?;
        if let Some(graph) = &mut file.proto.graph {
            formats::require_taken(graph)?;
            file.rewritten.notes.extend(weights::make_symmetric(graph));
        }
        file.require(
            |node| is_standard(node) && knows(&node.op_type),
            Refusal::Operator,
        )?;
        let parsed = analyse(&file)?;
        Reader::new(&parsed).read(file)
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

/// What a model has to say of its inputs' sizes. A free batch is always 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    /// Fixed sizes, none of them 0.
    Sample,
    /// The same, but for one open axis, which gets this size.
    Frames(usize),
    /// Nothing.
    Any,
}

/// A file whose nodes are rewritten and whose free batch is 1.
#[derive(Debug)]
pub(super) struct File {
    pub proto: ModelProto,
    pub rewritten: Rewritten,
    /// Names that inputs give their first axis.
    batch_names: HashSet<String>,
    /// The axis that was open of inputs with frames, by their names.
    open_axes: HashMap<String, usize>,
}

/// Decodes the file, fixes a free batch of every input at 1, and rewrites its nodes.
/// Inputs that are `known` become constants.
pub(super) fn parse(
    bytes: &[u8],
    sizes: Sizes,
    known: &[(&str, Tensor)],
) -> Result<File, CompileError> {
    let mut proto = tract_onnx::onnx()
        .proto_model_for_read(&mut &*bytes)
        .map_err(|error| unreadable(format!("{error:#}")))?;
    require_versions(&proto)?;
    // Without one, there is none of ONNX's own operators.
    let version = opset(&proto).unwrap_or_default();
    let graph = proto
        .graph
        .as_mut()
        .ok_or_else(|| unreadable("it has no graph"))?;
    require_outputs(graph)?;
    let known = known
        .iter()
        .map(|(name, tensor)| by_value::constant(name, tensor));
    graph.initializer.extend(known);
    let constants: HashSet<_> = graph.initializer.iter().map(|it| it.name.clone()).collect();
    let mut batch_names = HashSet::new();
    let mut open_axes = HashMap::new();
    for input in &mut graph.input {
        if !constants.contains(&input.name) {
            batch_names.extend(shape(input).and_then(batch_name));
            if let Some(axis) = fix_sizes(input, sizes)? {
                open_axes.insert(input.name.clone(), axis);
            }
        }
    }
    let rewritten = rewrite(graph, version);
    Ok(File {
        proto,
        rewritten,
        batch_names,
        open_axes,
    })
}

impl File {
    /// The same file with another model in it, one that is not rewritten.
    pub fn with(&self, proto: ModelProto) -> Self {
        Self {
            proto,
            rewritten: Rewritten::default(),
            batch_names: self.batch_names.clone(),
            open_axes: HashMap::new(),
        }
    }

    /// Refuses the first node that `knows` denies: for the reason for which it was not rewritten,
    /// or with `refusal`.
    pub fn require(
        &self,
        knows: impl Fn(&pb::NodeProto) -> bool,
        refusal: Refusal,
    ) -> Result<(), CompileError> {
        let nodes = self.proto.graph.iter().flat_map(|graph| &graph.node);
        let Some((index, node)) = nodes.enumerate().find(|(_, node)| !knows(node)) else {
            return Ok(());
        };
        let (name, op) = match origin_of(&self.rewritten.origins, index) {
            Some(origin) => (&*origin.name, &*origin.op),
            None => (node_name(node), &*node.op_type),
        };
        let is_its = |error: &&CompileError| match error {
            CompileError::Node {
                node: at, op: of, ..
            } => at == name && of == op,
            _ => false,
        };
        let own = self.rewritten.refusals.iter().find(is_its);
        Err(own.cloned().unwrap_or_else(|| refusal.at(name, op)))
    }
}

fn is_standard(node: &pb::NodeProto) -> bool {
    matches!(&*node.domain, "" | "ai.onnx" | "ai.onnx.ml")
}

fn shape(info: &pb::ValueInfoProto) -> Option<&pb::TensorShapeProto> {
    match info.r#type.as_ref()?.value.as_ref()? {
        pb::type_proto::Value::TensorType(tensor) => tensor.shape.as_ref(),
    }
}

/// Whether the file states float32.
fn is_float(info: &pb::ValueInfoProto) -> bool {
    use pb::type_proto::Value::TensorType;
    let stated = info.r#type.as_ref().and_then(|it| it.value.as_ref());
    let float = pb::tensor_proto::DataType::Float as i32;
    matches!(stated, Some(TensorType(tensor)) if tensor.elem_type == float)
}

fn batch_name(shape: &pb::TensorShapeProto) -> Option<String> {
    match shape.dim.first()?.value.as_ref()? {
        Dimension::DimParam(name) => Some(name.clone()),
        Dimension::DimValue(_) => None,
    }
}

/// Fixes the sizes of an input, and gives the axis that was open and has frames.
fn fix_sizes(input: &mut pb::ValueInfoProto, sizes: Sizes) -> Result<Option<usize>, CompileError> {
    let name = input.name.clone();
    let mut open = None;
    let shape = match input.r#type.as_mut().and_then(|ty| ty.value.as_mut()) {
        Some(pb::type_proto::Value::TensorType(tensor)) => tensor.shape.as_mut(),
        None => return Err(unreadable(format!("input '{name}' is no tensor"))),
    };
    let shape = shape.ok_or_else(|| unreadable(format!("input '{name}' has no shape")))?;
    for (axis, dim) in shape.dim.iter_mut().enumerate() {
        let size = match dim.value {
            Some(Dimension::DimValue(size)) if size >= 0 => Some(size),
            _ => None,
        };
        match (axis, size, sizes) {
            (0, None, _) => dim.value = Some(Dimension::DimValue(1)),
            (_, None, Sizes::Frames(frames)) if open.is_none() => {
                dim.value = Some(Dimension::DimValue(frames as i64));
                open = Some(axis);
            }
            (_, None | Some(0), Sizes::Sample | Sizes::Frames(_)) => {
                return Err(CompileError::DynamicInput { input: name, axis });
            }
            _ => {}
        }
    }
    Ok(open)
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

/// Refuses a model that does not name the version of a set of operators that it uses.
fn require_versions(proto: &ModelProto) -> Result<(), CompileError> {
    let name = |domain: &str| match domain {
        "ai.onnx" => String::new(),
        other => other.to_owned(),
    };
    let imports = proto.opset_import.iter();
    let named: HashSet<_> = imports.map(|import| name(&import.domain)).collect();
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    let mut used = nodes.map(|node| name(&node.domain));
    match used.find(|domain| !named.contains(domain)) {
        Some(domain) if domain.is_empty() => {
            Err(unreadable("it names no version of ONNX's operators"))
        }
        Some(domain) => Err(unreadable(format!(
            "it names no version of the operators of '{domain}'"
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

pub(super) fn analyse(file: &File) -> Result<ParseResult, CompileError> {
    // What a file says of the values between its nodes may name a symbolic batch.
    let mut parsed = tract_onnx::onnx()
        .with_ignore_value_info(true)
        .with_ignore_output_types(true)
        .parse(&file.proto, None)
        .map_err(|error| unreadable(format!("{error:#}")))?;
    if let Some(name) = parsed.unresolved_inputs.first() {
        return Err(unreadable(format!("nothing makes the value '{name}'")));
    }
    infer(&mut parsed)?;
    if state_shapes(&mut parsed, file)? {
        infer(&mut parsed)?;
    }
    Ok(parsed)
}

fn infer(parsed: &mut ParseResult) -> Result<(), CompileError> {
    let analysed = analysis::analyse(&mut parsed.model);
    analysed.map_err(|error| unreadable(format!("{error:#}")))
}

/// Gives the values whose shapes tract did not find those that the file states, with their type;
/// whether there were any.
fn state_shapes(parsed: &mut ParseResult, file: &File) -> Result<bool, CompileError> {
    let graph = file.proto.graph.iter();
    let infos = graph.flat_map(|graph| graph.value_info.iter().chain(&graph.output));
    let mut any = false;
    for info in infos {
        let Some(&outlet) = parsed.outlets_by_name.get(&info.name) else {
            continue;
        };
        let fact = parsed.model.outlet_fact(outlet);
        let mut fact = fact
            .map_err(|error| unreadable(format!("{error:#}")))?
            .clone();
        if fact.shape.concretize().is_none()
            && let Some(dims) = shape(info).and_then(|shape| fixed(shape, &file.batch_names))
        {
            fact.shape = ShapeFactoid::from(dims);
            if fact.datum_type.concretize().is_none() && is_float(info) {
                fact.datum_type = f32::datum_type().into();
            }
            let set = parsed.model.set_outlet_fact(outlet, fact);
            set.map_err(|error| unreadable(format!("{error:#}")))?;
            any = true;
        }
    }
    Ok(any)
}

/// The axes of a shape that is fixed once the axes named in `batch_names` are 1.
fn fixed(shape: &pb::TensorShapeProto, batch_names: &HashSet<String>) -> Option<TVec<usize>> {
    let size = |dim: &pb::tensor_shape_proto::Dimension| match dim.value.as_ref()? {
        Dimension::DimValue(size) => usize::try_from(*size).ok(),
        Dimension::DimParam(name) => batch_names.contains(name).then_some(1),
    };
    shape.dim.iter().map(size).collect()
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

    fn read(mut self, file: File) -> Result<SourceModel, CompileError> {
        let proto = &file.proto;
        let graph = proto.graph.as_ref().ok_or_else(|| unreadable("no graph"))?;
        let constants: HashSet<_> = graph.initializer.iter().map(|it| &it.name).collect();
        let (mut inputs, mut frame_axes) = (Vec::new(), Vec::new());
        for input in &graph.input {
            if !constants.contains(&input.name) {
                inputs.push(self.value(&input.name)?);
                frame_axes.push(file.open_axes.get(&input.name).copied());
            }
        }
        let mut nodes = Vec::new();
        for node in &graph.node {
            nodes.push(self.node(node)?);
        }
        // What a node became has its name.
        let origins = file.rewritten.origins;
        for origin in &origins {
            if let Became::Nodes(range) = &origin.became {
                let parts = nodes.get_mut(range.clone()).unwrap_or_default();
                parts
                    .iter_mut()
                    .for_each(|part| part.name.clone_from(&origin.name));
            }
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
            origins,
            notes: file.rewritten.notes,
            frame_axes,
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
        if let ("ConstantOfShape", [Some(output)]) = (&*node.op_type, &*outputs) {
            let value = &mut self.values[output.0];
            if value.constant.is_none() {
                let len = value.dims.iter().product();
                if let Some((element, filled)) = filled(node, len) {
                    (value.element, value.constant) = (element, Some(filled));
                }
            }
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

fn unreadable(reason: impl Into<String>) -> CompileError {
    CompileError::Unreadable {
        format: Format::Onnx,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    fn info(name: &str, data_type: i32, dims: &[Dimension]) -> pb::ValueInfoProto {
        let dim = |dim: &Dimension| pb::tensor_shape_proto::Dimension {
            value: Some(dim.clone()),
            ..Default::default()
        };
        let shape = pb::TensorShapeProto {
            dim: dims.iter().map(dim).collect(),
        };
        let tensor = pb::type_proto::Tensor {
            elem_type: data_type,
            shape: Some(shape),
        };
        pb::ValueInfoProto {
            name: name.into(),
            r#type: Some(pb::TypeProto {
                value: Some(pb::type_proto::Value::TensorType(tensor)),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    /// A reshape whose sizes are an input, then a `Relu`; the file states the shape `stated`.
    fn reshaped(stated: &[Dimension]) -> Result<SourceModel, CompileError> {
        let (float, int64) = (1, 7);
        let node = |op: &str, inputs: &[&str], output: &str| pb::NodeProto {
            op_type: op.into(),
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![output.into()],
            ..Default::default()
        };
        let batch = Dimension::DimParam("batch".into());
        let graph = pb::GraphProto {
            node: vec![
                node("Reshape", &["sizes", "list"], "shape"),
                node("Reshape", &["x", "shape"], "y"),
                node("Relu", &["y"], "z"),
            ],
            input: vec![
                info("x", float, &[batch, Dimension::DimValue(6)]),
                info("sizes", int64, &[1, 3].map(Dimension::DimValue)),
            ],
            initializer: vec![super::super::tensor::of_i64s("list", &[-1])],
            value_info: vec![info("y", float, stated)],
            output: vec![pb::ValueInfoProto {
                name: "z".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let proto = ModelProto {
            opset_import: vec![pb::OperatorSetIdProto {
                domain: String::new(),
                version: 13,
            }],
            graph: Some(graph),
            ..Default::default()
        };
        read(&proto.encode_to_vec(), |_| true, None, &[])
    }

    #[test]
    fn shapes_that_inference_does_not_find_are_those_that_the_file_states() {
        let batch = Dimension::DimParam("batch".into());
        let stated = [batch, Dimension::DimValue(2), Dimension::DimValue(3)];
        let source = reshaped(&stated).unwrap();
        let dims = |name: &str| {
            let mut values = source.values.iter();
            values.find(|it| it.name == name).unwrap().dims.clone()
        };
        assert_eq!(dims("y"), [1, 2, 3]);
        assert_eq!(dims("z"), [1, 2, 3]);
    }

    #[test]
    fn shapes_that_nobody_knows_are_named() {
        let other = Dimension::DimParam("rows".into());
        let error = reshaped(&[other, Dimension::DimValue(2), Dimension::DimValue(3)]);
        let message = error.unwrap_err().to_string();
        assert!(
            message.contains("the shape of 'y' is not known"),
            "{message}"
        );
    }
}
