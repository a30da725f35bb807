// Any strides: an element of each row and column at a time.

fn multiply(tile: Tile) {
    let a_step = bitcast<u32>(params.a_view.steps[5]);
    let b_step = bitcast<u32>(params.b_view.steps[4]);
    var near_rows = tile.near_rows;
    var far_rows = tile.far_rows;
    var near_columns = tile.near_columns;
    var far_columns = tile.far_columns;
    for (var k = 0u; k < params.depth; k++) {
        add_products(four(near_rows), four(far_rows), four(near_columns), four(far_columns));
        near_rows += a_step;
        far_rows += a_step;
        near_columns += b_step;
        far_columns += b_step;
    }
}

fn four(at: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4(arena[at.x], arena[at.y], arena[at.z], arena[at.w]));
}
