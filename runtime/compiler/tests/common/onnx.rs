//! Tiny ONNX models, written as their protobuf messages.

use prost::Message;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};

/// A model under construction. Values are known by their names.
pub struct Model {
    graph: pb::GraphProto,
    opset: i64,
}

/// An attribute's value.
pub enum Value<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
    Text(&'a str),
    /// A tensor without axes.
    Scalar(f32),
}

impl Model {
    pub fn new() -> Self {
        let graph = pb::GraphProto {
            name: "test".into(),
            ..Default::default()
        };
        Self { graph, opset: 13 }
    }

    pub fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    /// Adds an input; a dimension of 0 is symbolic.
    pub fn input(mut self, name: &str, data_type: DataType, dims: &[i64]) -> Self {
        let info = value_info(name, data_type, Some(dims));
        self.graph.input.push(info);
        self
    }

    pub fn output(mut self, name: &str, data_type: DataType) -> Self {
        let info = value_info(name, data_type, None);
        self.graph.output.push(info);
        self
    }

    pub fn node(
        mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Value<'_>)],
    ) -> Self {
        self.graph.node.push(pb::NodeProto {
            op_type: op.into(),
            name: format!("{op}_{output}"),
            input: inputs.iter().map(|&name| name.into()).collect(),
            output: vec![output.into()],
            attribute: attributes.iter().map(attribute).collect(),
            ..Default::default()
        });
        self
    }

    /// Adds `QuantizeLinear` and `DequantizeLinear`, int8, from `input` to `output`.
    pub fn quantized(self, input: &str, output: &str, scale: f32, zero: i8) -> Self {
        let [s, z, q] = ["scale", "zero", "q"].map(|kind| format!("{output}_{kind}"));
        self.f32s(&s, &[], &[scale])
            .i8s(&z, &[], &[zero])
            .node("QuantizeLinear", &[input, &s, &z], &q, &[])
            .node("DequantizeLinear", &[&q, &s, &z], output, &[])
    }

    /// Adds int8 weights behind a `DequantizeLinear` with one scale an index of `axis`.
    pub fn weights(
        self,
        name: &str,
        dims: &[i64],
        values: &[i8],
        scales: &[f32],
        axis: i64,
    ) -> Self {
        let [s, q] = ["scale", "q"].map(|kind| format!("{name}_{kind}"));
        let scale_dims: &[i64] = match scales.len() {
            1 => &[],
            len => &[len as i64],
        };
        self.f32s(&s, scale_dims, scales)
            .i8s(&q, dims, values)
            .node(
                "DequantizeLinear",
                &[&q, &s],
                name,
                &[("axis", Value::Int(axis))],
            )
    }

    pub fn f32s(self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        let raw = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.initializer(name, DataType::Float, dims, raw)
    }

    pub fn i64s(self, name: &str, values: &[i64]) -> Self {
        let raw = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.initializer(name, DataType::Int64, &[values.len() as i64], raw)
    }

    pub fn i32s(self, name: &str, dims: &[i64], values: &[i32]) -> Self {
        let raw = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.initializer(name, DataType::Int32, dims, raw)
    }

    pub fn i8s(self, name: &str, dims: &[i64], values: &[i8]) -> Self {
        let raw = values.iter().map(|&value| value as u8).collect();
        self.initializer(name, DataType::Int8, dims, raw)
    }

    pub fn u8s(self, name: &str, dims: &[i64], values: &[u8]) -> Self {
        self.initializer(name, DataType::Uint8, dims, values.into())
    }

    fn initializer(mut self, name: &str, ty: DataType, dims: &[i64], raw: Vec<u8>) -> Self {
        self.graph.initializer.push(pb::TensorProto {
            name: name.into(),
            data_type: ty as i32,
            dims: dims.into(),
            raw_data: raw,
            ..Default::default()
        });
        self
    }

    /// The model as its file has it.
    pub fn bytes(self) -> Vec<u8> {
        let proto = pb::ModelProto {
            ir_version: 8,
            opset_import: vec![pb::OperatorSetIdProto {
                domain: String::new(),
                version: self.opset,
            }],
            graph: Some(self.graph),
            ..Default::default()
        };
        proto.encode_to_vec()
    }
}

fn attribute((name, value): &(&str, Value<'_>)) -> pb::AttributeProto {
    let mut proto = pb::AttributeProto {
        name: (*name).into(),
        ..Default::default()
    };
    let ty = match *value {
        Value::Int(value) => {
            proto.i = value;
            AttributeType::Int
        }
        Value::Ints(values) => {
            proto.ints = values.into();
            AttributeType::Ints
        }
        Value::Float(value) => {
            proto.f = value;
            AttributeType::Float
        }
        Value::Scalar(value) => {
            proto.t = Some(pb::TensorProto {
                data_type: DataType::Float as i32,
                raw_data: value.to_le_bytes().into(),
                ..Default::default()
            });
            AttributeType::Tensor
        }
        Value::Text(value) => {
            proto.s = value.into();
            AttributeType::String
        }
    };
    proto.r#type = ty as i32;
    proto
}

fn value_info(name: &str, data_type: DataType, dims: Option<&[i64]>) -> pb::ValueInfoProto {
    let dim = |&size: &i64| Dimension {
        value: Some(match size {
            0 => dimension::Value::DimParam("N".into()),
            size => dimension::Value::DimValue(size),
        }),
        ..Default::default()
    };
    let shape = dims.map(|dims| pb::TensorShapeProto {
        dim: dims.iter().map(dim).collect(),
    });
    let tensor = pb::type_proto::Tensor {
        elem_type: data_type as i32,
        shape,
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
