// Recurrent cells of floats: a workgroup for each sequence of the batch and each direction, whose
// invocations share out the hidden units. `cell` is another part: it computes one step from `hidden`
// and leaves the new hidden state in `next`.

struct Params {
    job: Job,
    x: Operand,             // `[step][batch][input]`
    input_weights: Operand, // `[direction][gate][hidden][input]`
    hidden_weights: Operand,
    bias: Operand,          // `[direction][2][gate][hidden]`
    initial: Operand,       // `[direction][batch][hidden]`
    initial_cell: Operand,
    peepholes: Operand,     // `[direction][3][hidden]`
    has_bias: u32,
    has_initial: u32,
    has_initial_cell: u32,
    has_peepholes: u32,
    steps: u32,
    batch: u32,
    input: u32,
    hidden: u32,
    directions: u32,
    reverse: u32,
    limit: f32,             // of what a gate's function is applied to
    variant: u32,           // LSTM: coupled; GRU: linear before reset
    sequence: Operand,      // outputs, where wanted
    last_hidden: Operand,
    last_cell: Operand,
    wants: u32,             // 1: the sequence; 2: the last hidden state; 4: the last cell state
}

const LANES = 64u;
// Most hidden units.
const UNITS = 1024u;

var<workgroup> hidden: array<f32, UNITS>;
var<workgroup> next: array<f32, UNITS>;
var<workgroup> memory: array<f32, UNITS>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    sample_at = params.job.shared_words + group.z * params.job.sample_words;
    let row = group.x % params.batch;
    let direction = group.x / params.batch;
    let state = (direction * params.batch + row) * params.hidden;
    for (var unit = lane; unit < params.hidden; unit += LANES) {
        hidden[unit] = given(params.has_initial, params.initial, state + unit);
        memory[unit] = given(params.has_initial_cell, params.initial_cell, state + unit);
    }
    workgroupBarrier();
    let backwards = params.reverse != 0u || direction == 1u;
    for (var step = 0u; step < params.steps; step++) {
        let at = select(step, params.steps - 1u - step, backwards);
        cell(lane, direction, (at * params.batch + row) * params.input);
        workgroupBarrier();
        let first = (at * params.directions + direction) * params.batch + row;
        for (var unit = lane; unit < params.hidden; unit += LANES) {
            hidden[unit] = next[unit];
            if (params.wants & 1u) != 0u {
                put(params.sequence, first * params.hidden + unit, next[unit]);
            }
        }
        workgroupBarrier();
    }
    for (var unit = lane; unit < params.hidden; unit += LANES) {
        if (params.wants & 2u) != 0u {
            put(params.last_hidden, state + unit, hidden[unit]);
        }
        if (params.wants & 4u) != 0u {
            put(params.last_cell, state + unit, memory[unit]);
        }
    }
}

fn put(operand: Operand, index: u32, value: f32) {
    arena[sample_at + operand.at / 4u + index] = bitcast<u32>(value);
}

// An element that may be missing, and is 0 then.
fn given(is_there: u32, operand: Operand, index: u32) -> f32 {
    return select(0.0, float_of(operand, index), is_there != 0u);
}

// Bias of gate `gate` of `gates`, for the input (0) or the hidden state (1).
fn bias_of(gates: u32, direction: u32, which: u32, gate: u32, unit: u32) -> f32 {
    let row = (direction * 2u + which) * gates + gate;
    return given(params.has_bias, params.bias, row * params.hidden + unit);
}

// The products of gate `gate` with the input that begins at element `x`.
fn of_input(gates: u32, direction: u32, gate: u32, unit: u32, x: u32) -> f32 {
    let row = (direction * gates + gate) * params.hidden + unit;
    var sum = 0.0;
    for (var k = 0u; k < params.input; k++) {
        sum += float_of(params.input_weights, row * params.input + k) * float_of(params.x, x + k);
    }
    return sum;
}

// The products with the hidden state.
fn of_hidden(gates: u32, direction: u32, gate: u32, unit: u32) -> f32 {
    let row = (direction * gates + gate) * params.hidden + unit;
    var sum = 0.0;
    for (var k = 0u; k < params.hidden; k++) {
        sum += float_of(params.hidden_weights, row * params.hidden + k) * hidden[k];
    }
    return sum;
}

// All that a gate's function is applied to, but for peepholes.
fn gate_sum(gates: u32, direction: u32, gate: u32, unit: u32, x: u32) -> f32 {
    return bias_of(gates, direction, 0u, gate, unit) + bias_of(gates, direction, 1u, gate, unit)
        + of_input(gates, direction, gate, unit, x) + of_hidden(gates, direction, gate, unit);
}

fn limited(x: f32) -> f32 {
    return clip(x, -params.limit, params.limit);
}

// The cell's functions are the first stages of the chain.
fn function_f(x: f32) -> f32 {
    let numbers = bitcast<vec4<f32>>(constants[params.job.chain_at + 1u]);
    return unary(FUNCTION_0, x, numbers.x, numbers.y);
}

fn function_g(x: f32) -> f32 {
    let numbers = bitcast<vec4<f32>>(constants[params.job.chain_at + STAGE + 1u]);
    return unary(FUNCTION_1, x, numbers.x, numbers.y);
}

fn function_h(x: f32) -> f32 {
    let numbers = bitcast<vec4<f32>>(constants[params.job.chain_at + 2u * STAGE + 1u]);
    return unary(FUNCTION_2, x, numbers.x, numbers.y);
}
