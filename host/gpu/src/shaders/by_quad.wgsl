// For programs that compute four elements at a time: they define
// `fn quad(index: u32) -> vec4<i32>`, the elements from `index`, a multiple of four. Those beyond
// the output's end may be anything.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = begin(id, groups) * 4u;
    if index < params.job.output_len {
        write(index, quad(index));
    }
}
