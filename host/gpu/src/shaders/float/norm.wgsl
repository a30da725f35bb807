// Layer and RMS norm: an invocation for each row.

struct Params {
    job: Job,
    operand: Operand,
    gamma: Operand,
    beta: Operand,
    has_gamma: u32,
    has_beta: u32,
    is_rms: u32,
    len: u32,
    epsilon: f32,
}

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let row = begin(id, groups);
    if row >= params.job.output_len / params.len {
        return;
    }
    let first = row * params.len;
    let count = f32(params.len);
    var mean = 0.0;
    if params.is_rms == 0u {
        for (var k = 0u; k < params.len; k++) {
            mean += float_of(params.operand, first + k);
        }
        mean /= count;
    }
    var squares = 0.0;
    for (var k = 0u; k < params.len; k++) {
        let x = float_of(params.operand, first + k) - mean;
        squares += x * x;
    }
    let factor = 1.0 / sqrt(squares / count + params.epsilon);
    for (var k = 0u; k < params.len; k++) {
        var x = (float_of(params.operand, first + k) - mean) * factor;
        if params.has_gamma != 0u {
            x *= float_of(params.gamma, k);
        }
        if params.has_beta != 0u {
            x += float_of(params.beta, k);
        }
        write_word(first + k, bitcast<u32>(chain(x, first + k)));
    }
}
