// Products of eight pixels with a tile's channels, four input channels at a time: where those of a group
// are a multiple of four, and every pixel's first value lies at a multiple of four words.

// Adds the products of `depth` values of each pixel.
fn accumulate(sources: Sources, weights: u32, depth: u32) {
    // A source that is none reads the first words, and counts as zero.
    let near = select(vec4(0u), sources.near / 4u, sources.has_near);
    let far = select(vec4(0u), sources.far / 4u, sources.has_far);
    for (var k = 0u; k < depth / 4u; k++) {
        let x0 = four_floats(near.x, k, sources.has_near.x);
        let x1 = four_floats(near.y, k, sources.has_near.y);
        let x2 = four_floats(near.z, k, sources.has_near.z);
        let x3 = four_floats(near.w, k, sources.has_near.w);
        let x4 = four_floats(far.x, k, sources.has_far.x);
        let x5 = four_floats(far.y, k, sources.has_far.y);
        let x6 = four_floats(far.z, k, sources.has_far.z);
        let x7 = four_floats(far.w, k, sources.has_far.w);
        let row = weights + 4u * ROW * k;
        add_products(row, vec4(x0.x, x1.x, x2.x, x3.x), vec4(x4.x, x5.x, x6.x, x7.x));
        add_products(row + ROW, vec4(x0.y, x1.y, x2.y, x3.y), vec4(x4.y, x5.y, x6.y, x7.y));
        add_products(row + 2u * ROW, vec4(x0.z, x1.z, x2.z, x3.z), vec4(x4.z, x5.z, x6.z, x7.z));
        add_products(row + 3u * ROW, vec4(x0.w, x1.w, x2.w, x3.w), vec4(x4.w, x5.w, x6.w, x7.w));
    }
}

// Four floats of a pixel; zeros where it is none.
fn four_floats(first: u32, k: u32, is_there: bool) -> vec4<f32> {
    let at = select(0u, first + k, is_there);
    return select(vec4(0.0), bitcast<vec4<f32>>(arena_quads[at]), is_there);
}
