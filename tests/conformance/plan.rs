//! The project's own executors: a plan on the CPU or on a GPU. The one place that turns the suite's tensors
//! into what a plan's ports hold, and back.

use microtome_backend::Backend;
use microtome_compiler::{Options, Tensor, Values, compile};
use microtome_plan::{Element, ModelType, PlanBuf, Port};

/// Held as int8, a uint8 has 128 subtracted: the same bits with the first one flipped.
const UNSIGNED: u8 = 0x80;

/// Makes an executor of a plan, or says why there is none.
pub type Load<'a> = &'a dyn Fn(PlanBuf) -> Result<Box<dyn Backend>, String>;

/// Compiles and runs the model. The suite gives as inputs what exported models have as constants
/// (weights, axes, shapes); where a plan wants them so, they are made constants.
///
/// # Errors
/// Why it is not compiled, or cannot take these inputs.
pub fn run(
    model: &[u8],
    names: &[String],
    inputs: &[Tensor],
    load: Load<'_>,
) -> Result<Vec<Tensor>, String> {
    let refusal = match run_with(model, names, inputs, load, &|_, _| false) {
        Err(refusal) => refusal,
        done => return done,
    };
    let is_integer = |_: usize, it: &Tensor| !matches!(it.values(), Values::F32(_));
    let is_parameter = |index: usize, it: &Tensor| index > 0 || is_integer(index, it);
    for known in [
        &is_integer as &dyn Fn(usize, &Tensor) -> bool,
        &is_parameter,
    ] {
        if let Ok(done) = run_with(model, names, inputs, load, known) {
            return Ok(done);
        }
    }
    Err(refusal)
}

/// The same with those inputs as constants for which `known` holds.
fn run_with(
    model: &[u8],
    names: &[String],
    inputs: &[Tensor],
    load: Load<'_>,
    known: &dyn Fn(usize, &Tensor) -> bool,
) -> Result<Vec<Tensor>, String> {
    let all = names.iter().zip(inputs).enumerate();
    let (known, inputs): (Vec<_>, Vec<_>) =
        all.partition(|(index, (_, tensor))| known(*index, tensor));
    let known: Vec<_> = known
        .into_iter()
        .map(|(_, (name, tensor))| (&**name, tensor.clone()))
        .collect();
    let inputs: Vec<_> = inputs.into_iter().map(|(_, (_, tensor))| tensor).collect();
    let mut options = Options::new("case");
    options.known = &known;
    let compiled = compile(model, &options).map_err(|error| error.to_string())?;
    let plan = compiled.plan.plan();
    let manifest = plan.manifest();
    if inputs.len() != manifest.inputs.len() {
        return Err(format!("the plan has {} inputs", manifest.inputs.len()));
    }
    let ports = manifest.inputs.iter().zip(inputs);
    let values: Vec<Vec<u8>> = ports
        .map(|(port, input)| to_arena(input, port))
        .collect::<Result<_, _>>()?;
    let sample = values.iter().map(|values| &values[..]).collect();
    let mut backend = load(compiled.plan.clone())?;
    let outputs = backend.run(&[sample]).map_err(|error| error.to_string())?;
    let ports = manifest.outputs.iter().zip(&outputs[0]);
    ports.map(|(port, bytes)| from_arena(bytes, port)).collect()
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

/// The bytes of the port for `input`.
fn to_arena(input: &Tensor, port: &Port<'_>) -> Result<Vec<u8>, String> {
    let name = port.name;
    if input.dims() != &port.dims[..] {
        return Err(format!("input '{name}' has another shape in the plan"));
    }
    let order = arena_order(port);
    let each = |of: &dyn Fn(usize) -> Vec<u8>| Ok(order.iter().flat_map(|&at| of(at)).collect());
    match (port.element, port.model_type, input.values()) {
        (Element::F32, ModelType::F32, Values::F32(it)) => each(&|at| it[at].to_le_bytes().into()),
        (Element::I8, ModelType::F32, Values::F32(it)) => {
            each(&|at| vec![port.quantize(it[at]).cast_unsigned()])
        }
        (Element::I8, ModelType::I8, Values::I8(it)) => each(&|at| vec![it[at].cast_unsigned()]),
        (Element::I8, ModelType::U8, Values::U8(it)) => each(&|at| vec![it[at] ^ UNSIGNED]),
        (Element::I8, ModelType::Bool, Values::Bool(it)) => each(&|at| vec![it[at].into()]),
        (Element::I32, ModelType::I32, Values::I32(it)) => each(&|at| it[at].to_le_bytes().into()),
        (Element::I32, ModelType::I64, Values::I64(it)) => {
            let held: Result<Vec<i32>, _> = it.iter().map(|&it| it.try_into()).collect();
            let held = held.map_err(|_| format!("input '{name}' has values beyond int32"))?;
            each(&|at| held[at].to_le_bytes().into())
        }
        _ => Err(format!("input '{name}' has another type in the plan")),
    }
}

/// The output that the port's bytes stand for.
fn from_arena(bytes: &[u8], port: &Port<'_>) -> Result<Tensor, String> {
    let values = match (port.element, port.model_type) {
        (Element::F32, ModelType::F32) => Values::F32(ordered(bytes, port, f32::from_le_bytes)),
        (Element::I8, ModelType::F32) => Values::F32(ordered(bytes, port, |[it]| {
            port.dequantize(it.cast_signed())
        })),
        (Element::I8, ModelType::I8) => Values::I8(ordered(bytes, port, i8::from_le_bytes)),
        (Element::I8, ModelType::U8) => Values::U8(ordered(bytes, port, |[it]| it ^ UNSIGNED)),
        (Element::I8, ModelType::Bool) => Values::Bool(ordered(bytes, port, |[it]| it != 0)),
        (Element::I32, ModelType::I32) => Values::I32(ordered(bytes, port, i32::from_le_bytes)),
        (Element::I32, ModelType::I64) => {
            Values::I64(ordered(bytes, port, |it| i32::from_le_bytes(it).into()))
        }
        (element, _) => return Err(format!("an output is held as {element:?} in the plan")),
    };
    let tensor = Tensor::new(port.dims.to_vec(), values);
    Ok(tensor.expect("a port's values fill its axes"))
}

/// The elements in the model's order.
fn ordered<const N: usize, T: Copy + Default>(
    bytes: &[u8],
    port: &Port<'_>,
    of: impl Fn([u8; N]) -> T,
) -> Vec<T> {
    let mut elements = vec![T::default(); port.len()];
    let (whole, _) = bytes.as_chunks();
    for (&chunk, at) in whole.iter().zip(arena_order(port)) {
        elements[at] = of(chunk);
    }
    elements
}
