// The plain recurrent cell.

const GATES = 1u;

fn cell(lane: u32, direction: u32, x: u32) {
    for (var unit = lane; unit < params.hidden; unit += LANES) {
        next[unit] = function_f(limited(gate_sum(GATES, direction, 0u, unit, x)));
    }
}
