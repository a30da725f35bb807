// GRU; gates in the order update, reset, hidden. `memory` holds the update gate, `next` the hidden
// state as the reset gate scales it.

const GATES = 3u;

fn cell(lane: u32, direction: u32, x: u32) {
    for (var unit = lane; unit < params.hidden; unit += LANES) {
        memory[unit] = function_f(limited(gate_sum(GATES, direction, 0u, unit, x)));
        let r = function_f(limited(gate_sum(GATES, direction, 1u, unit, x)));
        // Linear before reset, the gate scales the product, which needs no other unit's.
        let product = of_hidden(GATES, direction, 2u, unit);
        let inner = r * (product + bias_of(GATES, direction, 1u, 2u, unit));
        next[unit] = select(r * hidden[unit], inner, params.variant != 0u);
    }
    workgroupBarrier();
    // Each unit's sum is kept in a private variable until all have read `next`.
    var sums: array<f32, UNITS / LANES>;
    for (var unit = lane; unit < params.hidden; unit += LANES) {
        let own = bias_of(GATES, direction, 0u, 2u, unit) + of_input(GATES, direction, 2u, unit, x);
        let scaled = of_scaled(direction, unit) + bias_of(GATES, direction, 1u, 2u, unit);
        sums[unit / LANES] = own + select(scaled, next[unit], params.variant != 0u);
    }
    workgroupBarrier();
    for (var unit = lane; unit < params.hidden; unit += LANES) {
        let n = function_g(limited(sums[unit / LANES]));
        let z = memory[unit];
        next[unit] = (1.0 - z) * n + z * hidden[unit];
    }
}

fn of_scaled(direction: u32, unit: u32) -> f32 {
    let row = (direction * GATES + 2u) * params.hidden + unit;
    var sum = 0.0;
    for (var k = 0u; k < params.hidden; k++) {
        sum += float_of(params.hidden_weights, row * params.hidden + k) * next[k];
    }
    return sum;
}
