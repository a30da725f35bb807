// Parameters of convolutions, transposed ones too.
//
// Weights lie in tiles of the output channels of a group: for each tap and each input channel of the
// group a row, two vectors a half. What exceeds the count of channels is zero.

struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    group_inputs: u32,      // input channels of a group
    group_outputs: u32,     // output channels of a group
    group_tiles: u32,       // tiles of output channels of a group
    tiles: u32,             // tiles of all groups
    weights_at: u32,
    bias_at: u32,           // a row a tile
}

// Vectors of a row.
const ROW = 2u * HALVES;
// Output channels of a tile.
const CHANNELS = 8u * HALVES;

// Vectors of a tile's weights.
fn tile_vectors() -> u32 {
    return params.window.rows * params.window.columns * params.group_inputs * ROW;
}
