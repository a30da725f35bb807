// Four floats of the arena.
fn quad_of(at: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(arena_quads[at]);
}
