//! `LSTM`, `GRU` and `RNN`: whole sequences, in one direction or both.
//!
//! A cell is an integer one where its input is quantized and nobody but quantizers reads what it
//! makes.

use super::Lowering;
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::{Kind, Layout};
use crate::import::source::{Elements, SourceNode};
use crate::ops::recurrent::{Cell, Direction, Recurrent};
use crate::report::Fate;
use microtome_kernels::float::unary::{Function, UnaryKind};

pub(super) fn lower_lstm(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let functions = functions(node, ["Sigmoid", "Tanh", "Tanh"])?;
    let cell = Cell::Lstm {
        functions,
        coupled: node.attributes.int("input_forget", 0)? != 0,
        peepholes: constant(cx, node, 7)?.filter(|it| it.iter().any(|&it| it != 0.0)),
    };
    lower(cx, node, cell)
}

pub(super) fn lower_gru(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let cell = Cell::Gru {
        functions: functions(node, ["Sigmoid", "Tanh"])?,
        reset_after: node.attributes.int("linear_before_reset", 0)? != 0,
    };
    lower(cx, node, cell)
}

pub(super) fn lower_rnn(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let [[forward], [reverse]] = functions(node, ["Tanh"])?;
    let cell = Cell::Plain {
        functions: [forward, reverse],
    };
    lower(cx, node, cell)
}

/// Axes of the sequence, the results and the states, as the attribute `layout` orders them.
struct Axes {
    /// Whether the batch is outermost.
    batch_first: bool,
}

impl Axes {
    fn layout(&self, dims: &[usize], batch_first: &[usize]) -> Layout {
        let mut layout = Layout::row_major(dims);
        if self.batch_first && dims.len() == batch_first.len() {
            layout.order = batch_first.into();
        }
        layout
    }

    /// `[time][batch][features]` in memory.
    fn sequence(&self, dims: &[usize]) -> Layout {
        self.layout(dims, &[1, 0, 2])
    }

    /// `[time][direction][batch][hidden]` in memory.
    fn hidden(&self, dims: &[usize]) -> Layout {
        self.layout(dims, &[1, 2, 0, 3])
    }

    /// `[direction][batch][hidden]` in memory.
    fn state(&self, dims: &[usize]) -> Layout {
        self.layout(dims, &[1, 0, 2])
    }
}

fn lower(cx: &mut Lowering<'_>, node: &SourceNode, cell: Cell) -> Result<Fate, Refusal> {
    let axes = Axes {
        batch_first: node.attributes.int("layout", 0)? != 0,
    };
    let (op, state) = parameters(cx, node, cell, &axes)?;
    let input = cx.operand(node, 0)?;
    let wanted = axes.sequence(cx.input_dims(node, 0)?);
    let mut inputs = vec![cx.laid_out(node, input, &wanted)?];
    if op.initial {
        let count = if matches!(op.cell, Cell::Lstm { .. }) {
            2
        } else {
            1
        };
        for operand in 5..5 + count {
            inputs.push(initial(cx, node, operand, &axes, &state)?);
        }
    }
    let mut values = Vec::new();
    let mut outputs = Vec::new();
    if op.sequence {
        values.push(node.outputs[0]);
        outputs.push((Kind::Real, axes.hidden(cx.output_dims(node)?)));
    }
    values.push(node.outputs.get(1).copied().flatten());
    outputs.push((Kind::Real, axes.state(&state)));
    if op.last_cell {
        values.push(node.outputs.get(2).copied().flatten());
        outputs.push((Kind::Real, axes.state(&state)));
    }
    if matches!(op.cell, Cell::Lstm { .. }) {
        outputs.push((Kind::Fixed, axes.state(&state)));
    }
    let used = (0..node.outputs.len()).filter(|&it| cx.is_used(node, it));
    let used: Vec<_> = used.filter_map(|it| node.outputs[it]).collect();
    let is_integer = used.iter().all(|value| cx.only_quantized[value.0]);
    let renamed = SourceNode {
        outputs: values,
        ..node.clone()
    };
    let inputs: Vec<_> = inputs.iter().collect();
    let first = cx.graph.edges.len();
    let fate = cx.add_node_with(&renamed, op, &inputs, &outputs)?;
    if !is_integer {
        for edge in &mut cx.graph.edges[first..] {
            edge.quantization = None;
        }
    }
    Ok(fate)
}

/// The operator, and the axes of a state.
fn parameters(
    cx: &Lowering<'_>,
    node: &SourceNode,
    cell: Cell,
    axes: &Axes,
) -> Result<(Recurrent, Vec<usize>), Refusal> {
    let dims = cx.input_dims(node, 0)?;
    let misfit = |found: &[usize]| Refusal::Shape {
        found: vec![dims.into(), found.into()],
    };
    let (time, batch, features) = match dims.len() {
        3 if axes.batch_first => (dims[1], dims[0], dims[2]),
        3 => (dims[0], dims[1], dims[2]),
        _ => return Err(misfit(&[])),
    };
    full_length(cx, node, time)?;
    let direction = match node.attributes.text("direction", "forward")? {
        "forward" => Direction::Forward,
        "reverse" => Direction::Reverse,
        "bidirectional" => Direction::Both,
        other => {
            return Err(Refusal::Attribute {
                attribute: "direction",
                value: other.into(),
            });
        }
    };
    let hidden = match *cx.input_dims(node, 2)? {
        [_, _, hidden] if hidden > 0 => hidden,
        ref found => return Err(misfit(found)),
    };
    let clip = node.attributes.float("clip", f32::INFINITY)?;
    let is_lstm = matches!(cell, Cell::Lstm { .. });
    let op = Recurrent {
        time,
        batch,
        features,
        hidden,
        direction,
        weights: needed(cx, node, 1)?,
        hidden_weights: needed(cx, node, 2)?,
        bias: constant(cx, node, 3)?.unwrap_or_default(),
        initial: !is_zero(cx, node, 5) || is_lstm && !is_zero(cx, node, 6),
        keeps_state: false,
        clip: clip.is_finite().then_some(clip),
        sequence: cx.is_used(node, 0),
        last_cell: is_lstm && cx.is_used(node, 2),
        cell,
    };
    let rows = op.directions() * op.cell.gates() * hidden;
    let peepholes = match &op.cell {
        Cell::Lstm {
            peepholes: Some(values),
            ..
        } => values.len() == op.directions() * 3 * hidden,
        _ => true,
    };
    let fits = op.weights.len() == rows * features
        && op.hidden_weights.len() == rows * hidden
        && (op.bias.is_empty() || op.bias.len() == 2 * rows)
        && peepholes
        && rows > 0;
    if !fits {
        return Err(misfit(cx.input_dims(node, 1)?));
    }
    let directions = op.directions();
    let state = if axes.batch_first {
        vec![batch, directions, hidden]
    } else {
        vec![directions, batch, hidden]
    };
    Ok((op, state))
}

/// Refuses sequences that end before their last time step.
fn full_length(cx: &Lowering<'_>, node: &SourceNode, time: usize) -> Result<(), Refusal> {
    let Some(id) = node.inputs.get(4).copied().flatten() else {
        return Ok(());
    };
    let value = cx.source.value(id);
    match &value.constant {
        Some(Elements::I32(lens)) if lens.iter().all(|&len| usize::try_from(len) == Ok(time)) => {
            Ok(())
        }
        Some(lens) => Err(Refusal::Attribute {
            attribute: "sequence_lens",
            value: format!("{lens:?}"),
        }),
        None => Err(Refusal::NotConstant {
            value: value.name.clone(),
        }),
    }
}

/// Operand `operand` as constant numbers, if it is there.
fn constant(
    cx: &Lowering<'_>,
    node: &SourceNode,
    operand: usize,
) -> Result<Option<Vec<f32>>, Refusal> {
    if !Lowering::has(node, operand) {
        return Ok(None);
    }
    let values = cx.reals(node, operand);
    match values {
        Some(values) => Ok(Some(values)),
        None => Err(Refusal::NotConstant {
            value: cx.name(node, operand)?,
        }),
    }
}

fn needed(cx: &Lowering<'_>, node: &SourceNode, operand: usize) -> Result<Vec<f32>, Refusal> {
    constant(cx, node, operand)?.ok_or(Refusal::OperandMissing { operand })
}

/// Whether operand `operand` is left out, or constant zeros.
fn is_zero(cx: &Lowering<'_>, node: &SourceNode, operand: usize) -> bool {
    let zeros = |values: Vec<f32>| values.iter().all(|&it| it == 0.0);
    !Lowering::has(node, operand) || cx.reals(node, operand).is_some_and(zeros)
}

/// Operand `operand` as an initial state; zeros where it is left out.
fn initial(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
    operand: usize,
    axes: &Axes,
    dims: &[usize],
) -> Result<Activation, Refusal> {
    let layout = axes.state(dims);
    if Lowering::has(node, operand) {
        let activation = cx.operand(node, operand)?;
        if cx.input_dims(node, operand)? != dims {
            return Err(Refusal::Shape {
                found: vec![cx.input_dims(node, operand)?.into(), dims.into()],
            });
        }
        return cx.laid_out(node, activation, &layout);
    }
    let zeros = crate::graph::Constant::Real(vec![0.0; layout.len()]);
    let edge = cx.graph.add_edge(&node.name, Kind::Real, layout.len());
    cx.graph.edge_mut(edge).constant = Some(zeros);
    Ok(Activation::real(edge, layout))
}

/// The functions of both directions, as attributes state them.
fn functions<const N: usize>(
    node: &SourceNode,
    default: [&str; N],
) -> Result<[[Function; N]; 2], Refusal> {
    let stated = node.attributes.texts("activations")?;
    let mut alphas = node.attributes.floats("activation_alpha")?.iter().copied();
    let mut betas = node.attributes.floats("activation_beta")?.iter().copied();
    let mut both = [[Function::plain(UnaryKind::Tanh); N]; 2];
    for (at, function) in both.iter_mut().flatten().enumerate() {
        let name = match stated {
            [] => default[at % N],
            stated => stated.get(at).map_or("", |it| it),
        };
        // One direction has the functions of one.
        if name.is_empty() && at >= N {
            break;
        }
        let (kind, alpha, beta) = named(name).ok_or_else(|| Refusal::Attribute {
            attribute: "activations",
            value: name.into(),
        })?;
        *function = Function {
            kind,
            alpha: alpha.map_or(0.0, |default| alphas.next().unwrap_or(default)),
            beta: beta.map_or(0.0, |default| betas.next().unwrap_or(default)),
        };
    }
    if stated.len() == N {
        both[1] = both[0];
    }
    Ok(both)
}

/// The function of that name, and what its parameters are if nothing is stated.
fn named(name: &str) -> Option<(UnaryKind, Option<f32>, Option<f32>)> {
    Some(match &*name.to_ascii_lowercase() {
        "relu" => (UnaryKind::Relu, None, None),
        "tanh" => (UnaryKind::Tanh, None, None),
        "sigmoid" => (UnaryKind::Sigmoid, None, None),
        "softsign" => (UnaryKind::Softsign, None, None),
        "softplus" => (UnaryKind::Softplus, None, None),
        "affine" => (UnaryKind::Affine, Some(1.0), Some(0.0)),
        "leakyrelu" => (UnaryKind::LeakyRelu, Some(0.01), None),
        "thresholdedrelu" => (UnaryKind::ThresholdedRelu, Some(1.0), None),
        "scaledtanh" => (UnaryKind::ScaledTanh, Some(1.0), Some(1.0)),
        "hardsigmoid" => (UnaryKind::HardSigmoid, Some(0.2), Some(0.5)),
        "elu" => (UnaryKind::Elu, Some(1.0), None),
        _ => return None,
    })
}
