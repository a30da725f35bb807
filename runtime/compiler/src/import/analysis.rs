//! tract's inference of shapes and constants, in bounded time and memory.
//!
//! tract computes every node whose operands are constants, whatever that takes: a few bytes of a
//! hostile file make constants of any size, or a product of large ones. Here a node is computed
//! only if its result is known to be one that tract would keep, is not the product of too much
//! work, and all results together stay below a limit; of any other, only the shape is inferred.

use std::collections::{BTreeSet, HashMap};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::optim::CONST_FOLD_MEM_BUDGET;
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact, InferenceOp};
use tract_onnx::tract_hir::internal::{DimLike, OutletId, bail};

/// Most bytes of all constants that are computed for one model.
const COMPUTED_BYTES_MAX: u64 = 1 << 29;
/// Most pairs of an operand's and a result's elements, where every pair may be multiplied.
const PAIRS_MAX: u64 = 1 << 32;
/// Most visits of a node, on average: facts flow both ways, until nothing changes.
const VISITS_MAX: usize = 1_000;

/// Names of tract's operators that look at many elements for one of the result.
const PRODUCTS: [&str; 9] = [
    "Conv",
    "Deconv",
    "EinSum",
    "Einsum",
    "Gemm",
    "MatMul",
    "Pool",
    "Attention",
    "Reduce",
];

/// Infers what follows of the facts that `model` has.
///
/// # Errors
/// When facts contradict one another.
pub fn analyse(model: &mut InferenceModel) -> TractResult<()> {
    let mut waiting: BTreeSet<usize> = (0..model.nodes().len()).collect();
    let mut observers: HashMap<OutletId, Vec<usize>> = HashMap::new();
    for node in model.nodes() {
        for outlet in node.op.observe_outlets(model, node)? {
            observers.entry(outlet).or_default().push(node.id);
        }
    }
    let mut budget = COMPUTED_BYTES_MAX;
    let mut visits = VISITS_MAX.saturating_mul(waiting.len());
    while let Some(id) = waiting.pop_first() {
        let Some(left) = visits.checked_sub(1) else {
            bail!("the shapes do not settle");
        };
        visits = left;
        let inferred = infer(model, id, &mut budget);
        let changes = inferred
            .map_err(|error| error.context(format!("in node '{}'", model.node(id).name)))?;
        for (outlet, fact) in changes {
            let successors = model.node(outlet.node).outputs[outlet.slot]
                .successors
                .iter();
            waiting.extend(successors.map(|inlet| inlet.node).filter(|&it| it != id));
            waiting.extend((outlet.node != id).then_some(outlet.node));
            waiting.extend(observers.get(&outlet).into_iter().flatten());
            model.set_outlet_fact(outlet, fact)?;
        }
    }
    Ok(())
}

/// The facts around node `id` that are known better than before.
fn infer(
    model: &mut InferenceModel,
    id: usize,
    budget: &mut u64,
) -> TractResult<Vec<(OutletId, InferenceFact)>> {
    let node = model.node(id);
    let outlets = [
        node.inputs.to_vec(),
        (0..node.outputs.len())
            .map(|slot| OutletId::new(id, slot))
            .collect(),
        node.op.observe_outlets(model, node)?,
    ];
    let mut known: [TVec<InferenceFact>; 3] = Default::default();
    for (facts, outlets) in known.iter_mut().zip(&outlets) {
        for &outlet in outlets {
            facts.push(model.outlet_fact(outlet)?.clone());
        }
    }
    let [inputs, outputs, observed] = known.each_ref().map(|facts| facts.iter().collect());
    let op = &mut model.node_mut(id).op;
    if op.nboutputs()? != outlets[1].len() {
        bail!("it has a wrong number of results");
    }
    let found = infer_bounded(op.as_mut(), inputs, outputs, observed, budget)?;
    let mut changes = Vec::new();
    let facts = outlets.iter().zip(&known).zip(&found);
    for ((outlets, known), found) in facts {
        for ((&outlet, known), found) in outlets.iter().zip(known).zip(found) {
            let unified = found.unify(known)?;
            if unified != *known {
                changes.push((outlet, unified));
            }
        }
    }
    Ok(changes)
}

type Facts<'a> = TVec<&'a InferenceFact>;

/// What `op` says of the facts around it; it is computed only where that is bounded.
fn infer_bounded(
    op: &mut dyn InferenceOp,
    inputs: Facts<'_>,
    outputs: Facts<'_>,
    observed: Facts<'_>,
    budget: &mut u64,
) -> TractResult<[TVec<InferenceFact>; 3]> {
    let is_constant = |fact: &&InferenceFact| fact.value.concretize().is_some();
    let may_compute = !inputs.is_empty() && inputs.iter().all(is_constant);
    if !may_compute {
        let (inputs, outputs, observed) = op.infer(inputs, outputs, observed)?;
        return Ok([inputs, outputs, observed]);
    }
    let is_computed = outputs.iter().all(is_constant);
    let shapes = op.infer_facts(inputs.clone(), outputs.clone(), observed.clone())?;
    let bytes = bytes(&op.name(), &inputs, &shapes.1);
    let Some(left) = bytes
        .and_then(|bytes| budget.checked_sub(bytes))
        .filter(|_| !is_computed)
    else {
        return Ok([shapes.0, shapes.1, shapes.2]);
    };
    *budget = left;
    let (inputs, outputs, observed) = op.infer(inputs, outputs, observed)?;
    Ok([inputs, outputs, observed])
}

/// Bytes of the results, if they are known to be worth computing.
fn bytes(op: &str, inputs: &Facts<'_>, outputs: &[InferenceFact]) -> Option<u64> {
    let mut given = 0_u64;
    let mut largest = 0_u64;
    for fact in inputs {
        let value = fact.value.concretize()?;
        given += (value.len() * value.datum_type().size_of()) as u64;
        largest = largest.max(value.len() as u64);
    }
    let mut made = 0_u64;
    let mut pairs = 0_u64;
    for fact in outputs {
        let dims = fact.shape.concretize()?;
        // tract's own type of dimensions is the largest of its types.
        let size = fact
            .datum_type
            .concretize()
            .map_or(size_of::<TDim>(), |it| it.size_of());
        let mut len = 1_u64;
        for dim in &dims {
            len = len.checked_mul(dim.to_usize().ok()? as u64)?;
        }
        made = made.checked_add(len.checked_mul(size as u64)?)?;
        pairs = pairs.checked_add(len.checked_mul(largest)?)?;
    }
    let is_product = PRODUCTS.iter().any(|name| op.contains(name));
    let is_kept = made <= given.max(CONST_FOLD_MEM_BUDGET);
    (is_kept && !(is_product && pairs > PAIRS_MAX)).then_some(made)
}
