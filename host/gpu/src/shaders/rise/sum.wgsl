// Adds what this batch of masked copies tells of every pixel. `arena` is the map, as in `score.wgsl`.

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let pixel = begin(id, groups);
    let pixels = params.height * params.width;
    if pixel >= pixels {
        return;
    }
    var sum = bitcast<f32>(arena[pixel]);
    for (var sample = 0u; sample < params.count; sample++) {
        let score = bitcast<f32>(arena[pixels + sample]);
        let mask = params.first_mask + sample;
        sum += score * shown(mask, pixel / params.width, pixel % params.width);
    }
    arena[pixel] = bitcast<u32>(sum);
}
