// Softmax, its logarithm, and hardmax: an invocation for each row along the axis.

struct Params {
    job: Job,
    operand: Operand,
    kind: u32,
    len: u32,
    inner: u32,
}

const SOFTMAX = 0u;
const LOG_SOFTMAX = 1u;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let row = begin(id, groups);
    if row >= params.job.output_len / params.len {
        return;
    }
    let first = row / params.inner * params.len * params.inner + row % params.inner;
    var top = float_of(params.operand, first);
    var top_at = 0u;
    for (var k = 1u; k < params.len; k++) {
        let x = float_of(params.operand, first + k * params.inner);
        if x > top {
            top = x;
            top_at = k;
        }
    }
    if params.kind > LOG_SOFTMAX {
        for (var k = 0u; k < params.len; k++) {
            store_at(first + k * params.inner, select(0.0, 1.0, k == top_at));
        }
        return;
    }
    var sum = 0.0;
    for (var k = 0u; k < params.len; k++) {
        sum += exp_f32(float_of(params.operand, first + k * params.inner) - top);
    }
    let factor = 1.0 / sum;
    let below = log(sum);
    for (var k = 0u; k < params.len; k++) {
        let at = first + k * params.inner;
        let x = float_of(params.operand, at) - top;
        if params.kind == SOFTMAX {
            store_at(at, exp_f32(x) * factor);
        } else {
            store_at(at, x - below);
        }
    }
}

fn store_at(index: u32, value: f32) {
    write_word(index, bitcast<u32>(chain(value, index)));
}
