// Products of eight pixels with a tile's channels, one input channel at a time.

fn word_f32(at: u32) -> f32 {
    return bitcast<f32>(arena[at]);
}

// Adds the products of `depth` values of each pixel.
fn accumulate(sources: Sources, weights: u32, depth: u32) {
    // A source that is none reads the first word, and counts as zero.
    let near = select(vec4(0u), sources.near, sources.has_near);
    let far = select(vec4(0u), sources.far, sources.has_far);
    let step_near = select(vec4(0u), vec4(1u), sources.has_near);
    let step_far = select(vec4(0u), vec4(1u), sources.has_far);
    for (var k = 0u; k < depth; k++) {
        let at = near + step_near * k;
        let a = select(
            vec4(0.0),
            vec4(word_f32(at.x), word_f32(at.y), word_f32(at.z), word_f32(at.w)),
            sources.has_near,
        );
        let at_far = far + step_far * k;
        let b = select(
            vec4(0.0),
            vec4(word_f32(at_far.x), word_f32(at_far.y), word_f32(at_far.z), word_f32(at_far.w)),
            sources.has_far,
        );
        add_products(weights + ROW * k, a, b);
    }
}
