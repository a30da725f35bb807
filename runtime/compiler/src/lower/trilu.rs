//! `Trilu`: a triangle of the last two axes.

use super::Lowering;
use super::axes::refused;
use crate::error::Refusal;
use crate::import::source::SourceNode;
use crate::ops::trilu::Trilu;
use crate::report::Fate;

pub(super) fn lower(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let input = cx.row_major(node, 0)?;
    let diagonal = match cx.whole_numbers(node, 1)?.as_deref() {
        None => 0,
        Some(&[diagonal]) => diagonal.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
        Some(values) => return Err(refused("k", &values)),
    };
    let [batch @ .., rows, columns] = &*input.layout.dims else {
        return Err(Refusal::Shape {
            found: vec![input.layout.dims],
        });
    };
    let triangle = Trilu {
        batch: batch.iter().product(),
        rows: *rows,
        columns: *columns,
        diagonal,
        upper: node.attributes.int("upper", 1)? != 0,
    };
    let (kind, layout) = (cx.kind(&input), input.layout.clone());
    cx.add_node_of(node, kind, triangle, &[&input], layout)
}
