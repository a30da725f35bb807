//! Models that tract takes only when it knows the values of some inputs: the axes of a reduction,
//! the shape of a reshape. Such inputs become constants of the model, anew for each run.

use super::reference::TractInput;
use crate::tensor::{Tensor, Values};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, TensorProto};

/// An input with more elements is never a parameter of an operator.
const ELEMENTS_MAX: usize = 4096;

/// Which inputs become constants, from the fewest to the most. The first input is the data that an
/// operator works on, unless it is an integer or a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Integers and truth values.
    Integers,
    /// And vectors and scalars of any type.
    Vectors,
    /// All.
    All,
}

impl Choice {
    pub(super) const EACH: [Self; 3] = [Self::Integers, Self::Vectors, Self::All];

    /// Whether `input`, the one with that index, becomes a constant.
    pub(super) fn takes(self, index: usize, input: &Tensor) -> bool {
        let is_integer = !matches!(
            input.values(),
            Values::F16(_) | Values::F32(_) | Values::F64(_)
        );
        let rank = input.dims().len();
        let is_chosen = match self {
            Self::Integers => is_integer,
            Self::Vectors => is_integer || rank == 0 || (rank == 1 && index > 0),
            Self::All => is_integer || rank == 0 || index > 0,
        };
        is_chosen && input.values().len() <= ELEMENTS_MAX
    }
}

/// Whether an input may be of use as a constant.
pub(super) fn may_help(inputs: &[TractInput]) -> bool {
    let is_data = |input: &TractInput| input.is_float && !input.dims.is_empty();
    inputs.len() > 1 || inputs.iter().any(|input| !is_data(input))
}

/// The model with constants in the place of the chosen inputs; `inputs` are all of them by name.
pub(super) fn fixed<'a>(
    proto: &ModelProto,
    inputs: impl Iterator<Item = (&'a str, &'a Tensor)>,
    choice: Choice,
) -> ModelProto {
    let mut proto = proto.clone();
    let chosen = inputs.enumerate();
    let chosen = chosen.filter(|&(index, (_, tensor))| choice.takes(index, tensor));
    let constants = chosen.map(|(_, (name, tensor))| constant(name, tensor));
    if let Some(graph) = &mut proto.graph {
        graph.initializer.extend(constants);
    }
    proto
}

pub(super) fn constant(name: &str, tensor: &Tensor) -> TensorProto {
    let data_type = match tensor.values() {
        Values::Bool(_) => DataType::Bool,
        Values::F16(_) => DataType::Float16,
        Values::F32(_) => DataType::Float,
        Values::F64(_) => DataType::Double,
        Values::I8(_) => DataType::Int8,
        Values::I16(_) => DataType::Int16,
        Values::I32(_) => DataType::Int32,
        Values::I64(_) => DataType::Int64,
        Values::U8(_) => DataType::Uint8,
        Values::U16(_) => DataType::Uint16,
        Values::U32(_) => DataType::Uint32,
        Values::U64(_) => DataType::Uint64,
    };
    TensorProto {
        name: name.into(),
        dims: tensor.dims().iter().map(|&dim| dim as i64).collect(),
        data_type: data_type.into(),
        raw_data: tensor.values().to_le_bytes(),
        ..Default::default()
    }
}
