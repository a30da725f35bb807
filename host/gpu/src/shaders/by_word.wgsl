// For programs whose elements have 32 bits: they define `fn word(index: u32) -> u32`.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = begin(id, groups);
    if index < params.job.output_len {
        write_word(index, word(index));
    }
}
