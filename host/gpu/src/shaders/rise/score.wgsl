// The score of every masked copy. Here, `arena` is the map: the sums of all pixels, then the scores;
// the samples' arenas are read as `arena_quads`.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let sample = begin(id, groups);
    if sample >= params.count {
        return;
    }
    let first = params.job.shared_words + sample * params.job.sample_words + params.output_at / 4u;
    var sum = 0.0;
    for (var k = 0u; k < params.score_count; k++) {
        let index = params.score_first + k * params.score_step;
        if params.output_is_int8 != 0u {
            let word = bitcast<i32>(word_at(first + index / 4u));
            let value = extractBits(word, index % 4u * 8u, 8u) - params.output_zero;
            sum += params.output_scale * f32(value);
        } else {
            sum += bitcast<f32>(word_at(first + index));
        }
    }
    arena[params.height * params.width + sample] = bitcast<u32>(sum / f32(params.score_count));
}

fn word_at(at: u32) -> u32 {
    return arena_quads[at / 4u][at % 4u];
}
