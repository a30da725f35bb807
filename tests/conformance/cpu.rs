//! The project's own executor: a plan on the CPU. The one place that turns the suite's tensors
//! into what a plan's ports hold, and back.

use microtome_backend::{Backend as _, CpuBackend};
use microtome_compiler::{Options, Tensor, Values, compile};
use microtome_plan::{ModelType, Port};

/// Compiles and runs the model.
///
/// # Errors
/// Why it is not compiled, or cannot take these inputs.
pub fn run(model: &[u8], inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
    let compiled = compile(model, &Options::new("case")).map_err(|error| error.to_string())?;
    let plan = compiled.plan.plan();
    let manifest = plan.manifest();
    if inputs.len() != manifest.inputs.len() {
        return Err(format!("the plan has {} inputs", manifest.inputs.len()));
    }
    let ports = manifest.inputs.iter().zip(inputs);
    let values: Vec<Vec<i8>> = ports
        .map(|(port, input)| to_arena(input, port))
        .collect::<Result<_, _>>()?;
    let sample = values.iter().map(|values| &values[..]).collect();
    let mut backend = CpuBackend::new(compiled.plan.clone());
    let outputs = backend.run(&[sample]).map_err(|error| error.to_string())?;
    let ports = manifest.outputs.iter().zip(&outputs[0]);
    Ok(ports
        .map(|(port, values)| from_arena(values, port))
        .collect())
}

/// The elements' indices in the model's order, in the order in which the arena has them.
fn arena_order(port: &Port<'_>) -> Vec<usize> {
    let strides: Vec<usize> = (0..port.dims.len())
        .map(|axis| port.dims[axis + 1..].iter().product())
        .collect();
    let mut order = vec![0];
    for &axis in &port.order {
        let axis = usize::from(axis);
        order = order
            .iter()
            .flat_map(|at| (0..port.dims[axis]).map(move |step| (at, step)))
            .map(|(at, step)| at + step * strides[axis])
            .collect();
    }
    order
}

fn to_arena(input: &Tensor, port: &Port<'_>) -> Result<Vec<i8>, String> {
    if input.dims() != &port.dims[..] {
        return Err(format!(
            "input '{}' has another shape in the plan",
            port.name
        ));
    }
    let order = arena_order(port);
    match (port.model_type, input.values()) {
        (ModelType::I8, Values::I8(values)) => Ok(order.iter().map(|&at| values[at]).collect()),
        (ModelType::F32, Values::F32(values)) => {
            Ok(order.iter().map(|&at| port.quantize(values[at])).collect())
        }
        _ => Err(format!(
            "input '{}' has another type in the plan",
            port.name
        )),
    }
}

fn from_arena(values: &[i8], port: &Port<'_>) -> Tensor {
    let mut elements = vec![0; values.len()];
    for (&value, at) in values.iter().zip(arena_order(port)) {
        elements[at] = value;
    }
    let elements = match port.model_type {
        ModelType::I8 => Values::I8(elements),
        ModelType::F32 => {
            let real = elements.iter().map(|&value| port.dequantize(value));
            Values::F32(real.collect())
        }
    };
    Tensor::new(port.dims.to_vec(), elements).expect("a port's values fill its axes")
}
