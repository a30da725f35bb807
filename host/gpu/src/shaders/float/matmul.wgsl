// Batched matrix product, both operands strided: eight rows by eight columns. `multiply` is another
// part.

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

// The sums of eight rows: their first four columns, and the others.
var<private> low_sums: array<vec4<f32>, 8>;
var<private> high_sums: array<vec4<f32>, 8>;

// Where the first element of each of the tile's rows and columns lies in the arena.
struct Tile {
    near_rows: vec4<u32>,
    far_rows: vec4<u32>,
    near_columns: vec4<u32>,
    far_columns: vec4<u32>,
}

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
    // Rows and columns beyond the last are computed as the last and not stored.
    let rows = vec4(params.rows - 1u);
    let columns = vec4(params.columns - 1u);
    let a = word_at(params.a) + first_of(product, params.a_view);
    let b = word_at(params.b) + first_of(product, params.b_view);
    let row_step = bitcast<u32>(params.a_view.steps[4]);
    let column_step = bitcast<u32>(params.b_view.steps[5]);
    multiply(Tile(
        a + min(row + vec4(0u, 1u, 2u, 3u), rows) * row_step,
        a + min(row + vec4(4u, 5u, 6u, 7u), rows) * row_step,
        b + min(column + vec4(0u, 1u, 2u, 3u), columns) * column_step,
        b + min(column + vec4(4u, 5u, 6u, 7u), columns) * column_step,
    ));
    var low = low_sums;
    var high = high_sums;
    for (var r = 0u; r < min(params.rows - row, TILE); r++) {
        let first = (product * params.rows + row + r) * params.columns + column;
        for (var c = 0u; c < min(params.columns - column, TILE); c++) {
            let value = select(high[r][c % 4u], low[r][c % 4u], c < 4u);
            write_word(first + c, bitcast<u32>(chain(value, first + c)));
        }
    }
}

// The word in which an operand begins.
fn word_at(operand: Operand) -> u32 {
    return operand.of_sample * sample_at + operand.at / 4u;
}

// Adds the products of one element of each row with one of each column.
fn add_products(near: vec4<f32>, far: vec4<f32>, low: vec4<f32>, high: vec4<f32>) {
    low_sums[0] += near.x * low;
    high_sums[0] += near.x * high;
    low_sums[1] += near.y * low;
    high_sums[1] += near.y * high;
    low_sums[2] += near.z * low;
    high_sums[2] += near.z * high;
    low_sums[3] += near.w * low;
    high_sums[3] += near.w * high;
    low_sums[4] += far.x * low;
    high_sums[4] += far.x * high;
    low_sums[5] += far.y * low;
    high_sums[5] += far.y * high;
    low_sums[6] += far.z * low;
    high_sums[6] += far.z * high;
    low_sums[7] += far.w * low;
    high_sums[7] += far.w * high;
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
