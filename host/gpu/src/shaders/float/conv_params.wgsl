// Parameters of convolutions, transposed ones too. Weights lie as `gemm.wgsl` says.

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
    bias_at: u32,           // two vectors a tile
}

// Vectors of a tile's weights.
fn tile_vectors() -> u32 {
    return params.window.rows * params.window.columns * params.group_inputs * 2u;
}
