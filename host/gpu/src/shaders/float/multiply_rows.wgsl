// The elements of a row of `a`, and those of a row of `b`, lie side by side, all rows at four words.

fn multiply(tile: Tile) {
    let step = bitcast<u32>(params.b_view.steps[4]) / 4u;
    var low = tile.near_columns.x / 4u;
    // Where there are no four columns more, the last four are taken, and not stored.
    var high = (tile.far_columns.w - 3u) / 4u;
    for (var k = 0u; k < params.depth / 4u; k++) {
        let x0 = quad_of(tile.near_rows.x / 4u + k);
        let x1 = quad_of(tile.near_rows.y / 4u + k);
        let x2 = quad_of(tile.near_rows.z / 4u + k);
        let x3 = quad_of(tile.near_rows.w / 4u + k);
        let x4 = quad_of(tile.far_rows.x / 4u + k);
        let x5 = quad_of(tile.far_rows.y / 4u + k);
        let x6 = quad_of(tile.far_rows.z / 4u + k);
        let x7 = quad_of(tile.far_rows.w / 4u + k);
        add_products(
            vec4(x0.x, x1.x, x2.x, x3.x),
            vec4(x4.x, x5.x, x6.x, x7.x),
            quad_of(low + 0u * step),
            quad_of(high + 0u * step),
        );
        add_products(
            vec4(x0.y, x1.y, x2.y, x3.y),
            vec4(x4.y, x5.y, x6.y, x7.y),
            quad_of(low + 1u * step),
            quad_of(high + 1u * step),
        );
        add_products(
            vec4(x0.z, x1.z, x2.z, x3.z),
            vec4(x4.z, x5.z, x6.z, x7.z),
            quad_of(low + 2u * step),
            quad_of(high + 2u * step),
        );
        add_products(
            vec4(x0.w, x1.w, x2.w, x3.w),
            vec4(x4.w, x5.w, x6.w, x7.w),
            quad_of(low + 3u * step),
            quad_of(high + 3u * step),
        );
        low += 4u * step;
        high += 4u * step;
    }
}
