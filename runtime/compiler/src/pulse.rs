//! From a model of a whole sequence to one of a stream, a few frames at a time.
//!
//! The graph has been made for as many frames as a run takes. Frames lie one after another in
//! memory, from the outermost axis on. An operator that looks at the frames before its own gets
//! them from a [`Delay`], which remembers them; a recurrent cell goes on where it ended. What a
//! stream holds before its start is what the model pads with, so that every result is that of the
//! whole sequence, at the same frame: nothing is delayed. Operators that look ahead, or at the whole
//! sequence, are refused by name.
//!
//! This does on our graph what tract-pulse does on tract's, which has lost the quantization.

use crate::error::{CompileError, Refusal};
use crate::graph::{Edge, EdgeId, Graph, Kind, Node};
use crate::ops::delay::Delay;
use crate::ops::{Edges, Op, Pulsed};
use crate::report::{Fate, NodeReport};
use microtome_kernels::num::{Shape, Window};
use microtome_kernels::view::{AXES, Strides};

/// The frames that an operator reads.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Frames of a run.
    pub frames: usize,
    /// Frames of the past before them, in the first operand that has frames.
    pub past: usize,
    /// Which operands have frames.
    pub operands: u8,
}

impl Stream {
    /// An operator on each of `rows` rows, of which a frame is one or several.
    pub const fn rows(&self, rows: usize) -> Pulsed {
        if rows.is_multiple_of(self.frames + self.past) {
            Pulsed::Local
        } else {
            Pulsed::Refused("its rows are no frames")
        }
    }

    /// An operator whose window slides over frames as over the rows of an image; `op` makes it for
    /// another input and window.
    pub fn window(
        &self,
        input: Shape,
        output: Shape,
        window: Window,
        fill: f64,
        op: impl Fn(Shape, Window) -> Op,
    ) -> Pulsed {
        let reach = (window.kernel[0] - 1) * window.dilation[0];
        let there = self.frames + self.past;
        if reach == 0 && window.stride[0] == 1 && window.pad[0] == 0 {
            return self.rows(input.height);
        }
        if window.stride[0] != 1 {
            return Pulsed::Refused("a stride over frames changes their rate");
        }
        if input.height != there || output.height != self.frames {
            return Pulsed::Refused("it reads frames that are not padded before the first one");
        }
        match (window.pad[0], self.past) {
            (0, past) if past == reach => Pulsed::Reads(op(input, window)),
            (pad, 0) if pad == reach => {
                let input = Shape {
                    height: input.height + reach,
                    ..input
                };
                let [_, columns] = window.pad;
                let window = Window {
                    pad: [0, columns],
                    ..window
                };
                Pulsed::Past {
                    past: reach,
                    fill,
                    op: Some(op(input, window)),
                }
            }
            _ => Pulsed::Refused("it looks ahead: pad frames before the first one alone"),
        }
    }

    /// An element-wise operator: an operand without frames must be the same for all of them.
    pub fn elementwise(
        &self,
        edges: &Edges<'_>,
        dims: &[usize; AXES],
        strides: &[Strides],
    ) -> Pulsed {
        let len: usize = dims.iter().product();
        let frame = len / (self.frames + self.past);
        for (operand, view) in strides.iter().enumerate() {
            let has_frames = self.operands & 1 << operand != 0;
            let mut inner = 1;
            for axis in (0..AXES).rev() {
                let crosses = inner * dims[axis] > frame;
                if dims[axis] > 1 && crosses && !has_frames && view.strides[axis] != 0 {
                    return Pulsed::Refused("an operand is another one for each frame");
                }
                inner *= dims[axis];
            }
        }
        let whole = edges.node.inputs.iter().enumerate();
        let mut with_frames = whole.filter(|(operand, _)| self.operands & 1 << operand != 0);
        if with_frames.all(|(_, &edge)| edges.graph.edge(edge).len == len) {
            Pulsed::Local
        } else {
            Pulsed::Refused("frames of unequal size meet")
        }
    }
}

/// Makes a stream of `graph`, which was made for `frames` frames; `axes` are those of the inputs
/// along which their frames lie. `reports` name steps of `graph` and are made to name those of the
/// result.
///
/// # Errors
/// [`CompileError`] when no input has frames, or names the first node that does not stream.
pub fn pulse(
    graph: Graph,
    frames: usize,
    axes: &[Option<usize>],
    reports: &mut [NodeReport],
) -> Result<Graph, CompileError> {
    let streamed = streamed(&graph, axes)?;
    let mut pulsing = Pulsing {
        past: vec![None; graph.edges.len()],
        frames,
        graph: Graph {
            nodes: Vec::new(),
            ..graph
        },
    };
    for input in streamed {
        pulsing.past[input.0] = Some(0);
    }
    let mut steps = Vec::new();
    for node in graph.nodes {
        let (name, op) = (node.name.clone(), node.source_op.clone());
        let added = pulsing
            .add(node)
            .map_err(|refusal| refusal.at(&name, &op))?;
        steps.push(added);
    }
    for report in reports {
        match &mut report.fate {
            Fate::Step(step) | Fate::FusedInto(step) => *step = steps[*step],
            Fate::Folded | Fate::Aliased | Fate::Unused => {}
        }
    }
    Ok(pulsing.graph)
}

/// The inputs with frames, which must lie one after another in memory.
fn streamed(graph: &Graph, axes: &[Option<usize>]) -> Result<Vec<EdgeId>, CompileError> {
    let mut streamed = Vec::new();
    for (port, axis) in graph.inputs.iter().zip(axes) {
        let Some(axis) = *axis else { continue };
        let layout = &port.layout;
        let mut outside = layout.order.iter().take_while(|&&it| it != axis);
        if !outside.all(|&it| layout.dims[it] == 1) {
            return Err(CompileError::Port {
                port: port.name.clone(),
                refusal: Refusal::NotStreaming {
                    reason: "its open axis is not the first in memory (batch and channels apart)",
                },
            });
        }
        streamed.push(port.edge);
    }
    if streamed.is_empty() {
        return Err(CompileError::NoFrames);
    }
    Ok(streamed)
}

struct Pulsing {
    graph: Graph,
    frames: usize,
    /// For each edge with frames, how many of the past lie before them.
    past: Vec<Option<usize>>,
}

impl Pulsing {
    /// Adds `node` as it runs on a stream, and gives its place.
    fn add(&mut self, mut node: Node) -> Result<usize, Refusal> {
        let pasts: Vec<_> = node.inputs.iter().map(|it| self.past[it.0]).collect();
        let Some(past) = pasts.iter().copied().flatten().next() else {
            return Ok(self.graph.add_node(node).0);
        };
        let refused = |reason| Refusal::NotStreaming { reason };
        if pasts.iter().flatten().any(|&other| other != past) {
            return Err(refused("frames of unequal pasts meet"));
        }
        let has = pasts.iter().enumerate().filter(|(_, past)| past.is_some());
        let stream = Stream {
            frames: self.frames,
            past,
            operands: has.fold(0, |bits, (operand, _)| bits | 1 << operand),
        };
        let edges = Edges {
            graph: &self.graph,
            node: &node,
        };
        let (after, count) = match node.op.get().pulse(&edges, &stream) {
            Pulsed::Refused(reason) => return Err(refused(reason)),
            Pulsed::Local => (past, node.outputs.len()),
            Pulsed::Reads(op) => {
                node.op = op;
                (0, node.outputs.len())
            }
            Pulsed::Stateful { op, frames } if past == 0 => {
                node.op = op;
                (0, frames)
            }
            Pulsed::Stateful { .. } => return Err(refused("a cell reads each frame once")),
            Pulsed::Past {
                past: more,
                fill,
                op,
            } if past == 0 => match op {
                Some(op) => {
                    node.inputs[0] = self.delay(&node, fill, more, None);
                    node.op = op;
                    (0, node.outputs.len())
                }
                None => {
                    let output = node.outputs[0];
                    self.delay(&node, fill, more, Some(output));
                    self.past[output.0] = Some(more);
                    return Ok(self.graph.nodes.len() - 1);
                }
            },
            Pulsed::Past { .. } => return Err(refused("frames are padded twice")),
        };
        for output in node.outputs.iter().take(count) {
            self.past[output.0] = Some(after);
        }
        Ok(self.graph.add_node(node).0)
    }

    /// Puts the past before the first operand of `node`: as `output`, or as a new edge.
    fn delay(&mut self, node: &Node, fill: f64, overlap: usize, output: Option<EdgeId>) -> EdgeId {
        let input = node.inputs[0];
        let frame_len = self.graph.edge(input).len / self.frames;
        let output = output.unwrap_or_else(|| {
            let edge = Edge {
                len: (self.frames + overlap) * frame_len,
                producer: None,
                ..self.graph.edge(input).clone()
            };
            self.graph.edges.push(edge);
            self.past.push(Some(overlap));
            EdgeId(self.graph.edges.len() - 1)
        });
        let delay = Delay {
            frames: self.frames,
            frame_len,
            overlap,
            fill,
        };
        debug_assert_eq!(self.graph.edge(input).kind, Kind::Real);
        self.graph.add_node(Node {
            name: node.name.clone(),
            source_op: node.source_op.clone(),
            op: delay.into(),
            inputs: vec![input],
            outputs: vec![output],
        });
        output
    }
}
