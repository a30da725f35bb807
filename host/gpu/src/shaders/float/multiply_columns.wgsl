// The elements of a row of `a`, and those of a column of `b`, lie side by side, all at four words.

fn multiply(tile: Tile) {
    for (var k = 0u; k < params.depth / 4u; k++) {
        let x0 = quad_of(tile.near_rows.x / 4u + k);
        let x1 = quad_of(tile.near_rows.y / 4u + k);
        let x2 = quad_of(tile.near_rows.z / 4u + k);
        let x3 = quad_of(tile.near_rows.w / 4u + k);
        let x4 = quad_of(tile.far_rows.x / 4u + k);
        let x5 = quad_of(tile.far_rows.y / 4u + k);
        let x6 = quad_of(tile.far_rows.z / 4u + k);
        let x7 = quad_of(tile.far_rows.w / 4u + k);
        let y0 = quad_of(tile.near_columns.x / 4u + k);
        let y1 = quad_of(tile.near_columns.y / 4u + k);
        let y2 = quad_of(tile.near_columns.z / 4u + k);
        let y3 = quad_of(tile.near_columns.w / 4u + k);
        let y4 = quad_of(tile.far_columns.x / 4u + k);
        let y5 = quad_of(tile.far_columns.y / 4u + k);
        let y6 = quad_of(tile.far_columns.z / 4u + k);
        let y7 = quad_of(tile.far_columns.w / 4u + k);
        add_products(
            vec4(x0.x, x1.x, x2.x, x3.x),
            vec4(x4.x, x5.x, x6.x, x7.x),
            vec4(y0.x, y1.x, y2.x, y3.x),
            vec4(y4.x, y5.x, y6.x, y7.x),
        );
        add_products(
            vec4(x0.y, x1.y, x2.y, x3.y),
            vec4(x4.y, x5.y, x6.y, x7.y),
            vec4(y0.y, y1.y, y2.y, y3.y),
            vec4(y4.y, y5.y, y6.y, y7.y),
        );
        add_products(
            vec4(x0.z, x1.z, x2.z, x3.z),
            vec4(x4.z, x5.z, x6.z, x7.z),
            vec4(y0.z, y1.z, y2.z, y3.z),
            vec4(y4.z, y5.z, y6.z, y7.z),
        );
        add_products(
            vec4(x0.w, x1.w, x2.w, x3.w),
            vec4(x4.w, x5.w, x6.w, x7.w),
            vec4(y0.w, y1.w, y2.w, y3.w),
            vec4(y4.w, y5.w, y6.w, y7.w),
        );
    }
}
