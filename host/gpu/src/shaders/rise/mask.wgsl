// Masks of RISE, as `microtome_backend::rise` defines them.

struct Params {
    job: Job,
    height: u32,
    width: u32,
    channels: u32,
    cell_height: u32,       // pixels of a mask's cell
    cell_width: u32,
    node_rows: u32,
    node_columns: u32,
    seed: u32,
    threshold: u32,
    keeps_all: u32,
    first_mask: u32,        // of this batch
    count: u32,             // masks of this batch
    input_zero: f32,
    output_at: u32,         // byte offset of the first output in a sample's arena
    output_is_int8: u32,
    output_scale: f32,
    output_zero: i32,
    score_first: u32,
    score_step: u32,
    score_count: u32,
}

fn hash(x: u32) -> u32 {
    let state = x * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

// How much of a pixel a mask shows.
fn shown(mask: u32, row: u32, column: u32) -> f32 {
    let key = hash(params.seed + hash(mask));
    let last = params.node_rows * params.node_columns;
    let y = row + hash(key + last) % params.cell_height;
    let x = column + hash(key + last + 1u) % params.cell_width;
    let corner = y / params.cell_height * params.node_columns + x / params.cell_width;
    let down = f32(y % params.cell_height) / f32(params.cell_height);
    let right = f32(x % params.cell_width) / f32(params.cell_width);
    let upper = between(node(key, corner), node(key, corner + 1u), right);
    let below = corner + params.node_columns;
    let lower = between(node(key, below), node(key, below + 1u), right);
    return between(upper, lower, down);
}

fn node(key: u32, index: u32) -> f32 {
    return select(0.0, 1.0, hash(key + index) < params.threshold || params.keeps_all != 0u);
}

fn between(a: f32, b: f32, share: f32) -> f32 {
    return a + (b - a) * share;
}
