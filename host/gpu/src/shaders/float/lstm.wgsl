// LSTM; gates in the order input, output, forget, cell. `memory` is the cell state.

const GATES = 4u;

fn cell(lane: u32, direction: u32, x: u32) {
    for (var unit = lane; unit < params.hidden; unit += LANES) {
        let old = memory[unit];
        let to_input = peephole(direction, 0u, unit) * old;
        let to_forget = peephole(direction, 2u, unit) * old;
        let i = function_f(limited(gate_sum(GATES, direction, 0u, unit, x) + to_input));
        var f = function_f(limited(gate_sum(GATES, direction, 2u, unit, x) + to_forget));
        if params.variant != 0u {
            f = 1.0 - i;
        }
        let g = function_g(limited(gate_sum(GATES, direction, 3u, unit, x)));
        let now = f * old + i * g;
        let to_output = peephole(direction, 1u, unit) * now;
        let o = function_f(limited(gate_sum(GATES, direction, 1u, unit, x) + to_output));
        memory[unit] = now;
        next[unit] = o * function_h(limited(now));
    }
}

fn peephole(direction: u32, which: u32, unit: u32) -> f32 {
    let at = (direction * 3u + which) * params.hidden + unit;
    return given(params.has_peepholes, params.peepholes, at);
}
