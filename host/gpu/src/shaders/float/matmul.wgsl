// Batched matrix product, both operands strided: eight rows by eight columns.

struct Params {
    job: Job,
    a: Operand,
    b: Operand,
    batch: array<u32, 4>,
    rows: u32,
    depth: u32,
    columns: u32,
    products: u32,          // of the batch
    a_view: Strides,        // along the batch, rows, columns
    b_view: Strides,
}

const TILE = 8u;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = begin(id, groups);
    let row_tiles = (params.rows + TILE - 1u) / TILE;
    let column_tiles = (params.columns + TILE - 1u) / TILE;
    let product = index / (row_tiles * column_tiles);
    if product >= params.products {
        return;
    }
    let tile = index % (row_tiles * column_tiles);
    let row = tile / column_tiles * TILE;
    let column = tile % column_tiles * TILE;
    let a_steps = params.a_view.steps;
    let b_steps = params.b_view.steps;
    // Rows and columns beyond the last are computed as the last and not stored.
    let rows = vec4(params.rows - 1u);
    let columns = vec4(params.columns - 1u);
    let a_at = first_of(product, params.a_view);
    let b_at = first_of(product, params.b_view);
    let row_step = bitcast<u32>(a_steps[4]);
    let column_step = bitcast<u32>(b_steps[5]);
    var a_near = a_at + min(row + vec4(0u, 1u, 2u, 3u), rows) * row_step;
    var a_far = a_at + min(row + vec4(4u, 5u, 6u, 7u), rows) * row_step;
    var b_near = b_at + min(column + vec4(0u, 1u, 2u, 3u), columns) * column_step;
    var b_far = b_at + min(column + vec4(4u, 5u, 6u, 7u), columns) * column_step;
    let a_step = bitcast<u32>(a_steps[5]);
    let b_step = bitcast<u32>(b_steps[4]);
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    var s5 = vec4(0.0);
    var s6 = vec4(0.0);
    var s7 = vec4(0.0);
    var t0 = vec4(0.0);
    var t1 = vec4(0.0);
    var t2 = vec4(0.0);
    var t3 = vec4(0.0);
    var t4 = vec4(0.0);
    var t5 = vec4(0.0);
    var t6 = vec4(0.0);
    var t7 = vec4(0.0);
    for (var k = 0u; k < params.depth; k++) {
        let near = four(params.a, a_near);
        let far = four(params.a, a_far);
        let low = four(params.b, b_near);
        let high = four(params.b, b_far);
        s0 += near.x * low;
        t0 += near.x * high;
        s1 += near.y * low;
        t1 += near.y * high;
        s2 += near.z * low;
        t2 += near.z * high;
        s3 += near.w * low;
        t3 += near.w * high;
        s4 += far.x * low;
        t4 += far.x * high;
        s5 += far.y * low;
        t5 += far.y * high;
        s6 += far.z * low;
        t6 += far.z * high;
        s7 += far.w * low;
        t7 += far.w * high;
        a_near += a_step;
        a_far += a_step;
        b_near += b_step;
        b_far += b_step;
    }
    var low = array<vec4<f32>, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
    var high = array<vec4<f32>, 8>(t0, t1, t2, t3, t4, t5, t6, t7);
    for (var r = 0u; r < min(params.rows - row, TILE); r++) {
        let first = (product * params.rows + row + r) * params.columns + column;
        for (var c = 0u; c < min(params.columns - column, TILE); c++) {
            let value = select(high[r][c % 4u], low[r][c % 4u], c < 4u);
            write_word(first + c, bitcast<u32>(chain(value, first + c)));
        }
    }
}

fn four(operand: Operand, at: vec4<u32>) -> vec4<f32> {
    return vec4(
        float_of(operand, at.x),
        float_of(operand, at.y),
        float_of(operand, at.z),
        float_of(operand, at.w),
    );
}

// The first element of a matrix of the batch.
fn first_of(product: u32, view: Strides) -> u32 {
    var rest = product;
    var at = view.offset;
    for (var left = 4u; left > 0u && rest > 0u; left--) {
        let size = params.batch[left - 1u];
        at += (rest % size) * bitcast<u32>(view.steps[left - 1u]);
        rest /= size;
    }
    return at;
}
