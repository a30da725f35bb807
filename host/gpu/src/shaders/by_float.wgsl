// For programs that compute one float at a time: they define `fn value(index: u32) -> f32`. What
// they compute goes through the chain of the steps that follow.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = begin(id, groups);
    if index < params.job.output_len {
        write_word(index, bitcast<u32>(chain(value(index), index)));
    }
}
