//! The largest or smallest element along axes, of floats.
//!
//! tract 0.23.9 begins its search at the largest finite number, so that the maximum of −∞ and −∞
//! is not −∞, which a softmax over a masked row is built on. This operator takes its place.

use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::tract_core::ops::nn::{Reduce, Reducer};

/// Stands for a [`Reduce`] with `Max` or `Min`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Extremum(Reduce);

/// Puts this operator in the place of tract's wherever floats are reduced.
pub(super) fn put_in(model: &mut TypedModel) -> TractResult<()> {
    for id in 0..model.nodes().len() {
        let node = model.node(id);
        let Some(reduce) = node.op_as::<Reduce>() else {
            continue;
        };
        let is_float = model.outlet_fact(node.inputs[0])?.datum_type.is_float();
        if is_float && matches!(reduce.reducer, Reducer::Max | Reducer::Min) {
            let op = Extremum(reduce.clone());
            model.node_mut(id).op = Box::new(op);
        }
    }
    Ok(())
}

impl Extremum {
    fn reduced<T: Datum + Copy + PartialOrd + std::ops::Add<Output = T>>(
        &self,
        input: &Tensor,
        infinity: T,
    ) -> TractResult<TValue> {
        let is_max = self.0.reducer == Reducer::Max;
        let mut array = input.to_plain_array_view::<T>()?.to_owned();
        for &axis in &self.0.axes {
            let axis = tract_ndarray::Axis(axis);
            let is_nan = |it: T| it.partial_cmp(&it).is_none();
            let further = |&far: &T, &value: &T| match is_max {
                _ if is_nan(far) || is_nan(value) => far + value,
                true if value > far => value,
                false if value < far => value,
                _ => far,
            };
            array = array.fold_axis(axis, infinity, further).insert_axis(axis);
        }
        Ok(array.into_tvalue())
    }
}

impl Op for Extremum {
    fn name(&self) -> StaticName {
        self.0.name()
    }

    op_as_typed_op!();
}

impl EvalOp for Extremum {
    op_out_of_plan!();

    fn eval(&self, ctx: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let sign = if self.0.reducer == Reducer::Max {
            -1.0_f32
        } else {
            1.0
        };
        let far = sign * f32::INFINITY;
        Ok(tvec![match inputs[0].datum_type() {
            DatumType::F16 => self.reduced(&inputs[0], half::f16::from_f32(far))?,
            DatumType::F32 => self.reduced(&inputs[0], far)?,
            DatumType::F64 => self.reduced(&inputs[0], f64::from(far))?,
            _ => return self.0.eval(ctx, inputs),
        }])
    }
}

impl TypedOp for Extremum {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        self.0.output_facts(inputs)
    }

    as_op!();
}
