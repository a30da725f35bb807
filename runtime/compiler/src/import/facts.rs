//! From what tract infers of a value, and from a node's attributes, to what the source model has.

use super::source::{Attribute, Attributes, Element, Elements};
use tract_onnx::pb;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact};
use tract_onnx::tract_hir::internal::DimLike;

/// Most elements of a tensor.
const ELEMENTS_MAX: usize = 1 << 28;

/// The axes, if they are known and of a size at which no later product overflows.
pub(super) fn dims(fact: &InferenceFact) -> Option<Vec<usize>> {
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

pub(super) fn element(fact: &InferenceFact) -> Element {
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

pub(super) fn constant(fact: &InferenceFact) -> Option<Elements> {
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

/// What `ConstantOfShape` makes of `len` elements, the shape being known: tract's analysis does
/// not say.
pub(super) fn filled(node: &pb::NodeProto, len: usize) -> Option<(Element, Elements)> {
    use pb::tensor_proto::DataType;
    let value = node.attribute.iter().find(|it| it.name == "value");
    let Some(value) = value.and_then(|it| it.t.as_ref()) else {
        return Some((Element::F32, Elements::F32(vec![0.0; len])));
    };
    let raw = &value.raw_data;
    Some(match DataType::try_from(value.data_type).ok()? {
        DataType::Float => {
            let raw = raw.first_chunk().map(|&it| f32::from_le_bytes(it));
            let value = raw.or(value.float_data.first().copied())?;
            (Element::F32, Elements::F32(vec![value; len]))
        }
        DataType::Int64 => {
            let raw = raw.first_chunk().map(|&it| i64::from_le_bytes(it));
            let value = raw.or(value.int64_data.first().copied())?;
            (Element::I64, Elements::I64(vec![value; len]))
        }
        DataType::Int32 => {
            let raw = raw.first_chunk().map(|&it| i32::from_le_bytes(it));
            let value = raw.or(value.int32_data.first().copied())?;
            (Element::I32, Elements::I32(vec![value; len]))
        }
        DataType::Bool => {
            let raw = raw.first().map(|&it| it.into());
            let value = raw.or(value.int32_data.first().copied())? != 0;
            (Element::Bool, Elements::Bool(vec![value; len]))
        }
        _ => return None,
    })
}

pub(super) fn attributes(node: &pb::NodeProto) -> Attributes {
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
