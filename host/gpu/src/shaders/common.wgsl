// Common to every program: the bindings, and packed int8 activations.
//
// The arena of a sample holds its activations as the plan lays them out, four int8 to a word,
// lowest byte first; the samples of a batch lie one after another, behind the constants that all
// read as operands. Each word of an output is
// written by one invocation, which nobody else reads or writes meanwhile. A program defines
// `struct Params { job: Job, … }`. Arithmetic on i32 and u32 wraps.

// What every program is told.
struct Job {
    sample_words: u32,  // arena of one sample
    shared_words: u32,  // what all samples read, before the first arena
    output_at: u32,     // byte offset in it, a multiple of four
    output_len: u32,    // elements
    chain_at: u32,      // stages of the chain that a float result goes through: see `chain.wgsl`
}

// Where an operand lies: at a byte offset, a multiple of four, of the sample's arena (1), or of what
// all samples read (0). No program branches on it: software adapters run both sides of a branch.
struct Operand {
    at: u32,
    of_sample: u32,
}

struct Shape {
    height: u32,
    width: u32,
    channels: u32,
}

struct Window {
    rows: u32,
    columns: u32,
    stride_y: u32,
    stride_x: u32,
    dilation_y: u32,
    dilation_x: u32,
    pad_y: u32,
    pad_x: u32,
}

// Zero point and clamp of an output.
struct Store {
    zero: i32,
    low: i32,
    high: i32,
}

@group(0) @binding(0) var<storage, read_write> arena: array<u32>;
@group(0) @binding(1) var<storage, read> constants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> params: Params;
// The arena again, four words at a time.
@group(0) @binding(3) var<storage, read_write> arena_quads: array<vec4<u32>>;

// First word of the sample that the invocation works on.
var<private> sample_at: u32;

// The number of an invocation among those of its sample.
fn begin(id: vec3<u32>, groups: vec3<u32>) -> u32 {
    sample_at = params.job.shared_words + id.z * params.job.sample_words;
    return id.y * groups.x * 64u + id.x;
}

// Writes the output's elements from `index`, a multiple of four. The bytes that follow the
// output's end in its last word keep what they hold.
fn write(index: u32, values: vec4<i32>) {
    let word = sample_at + (params.job.output_at + index) / 4u;
    let left = params.job.output_len - index;
    let ours = select((1u << (left * 8u)) - 1u, 0xffffffffu, left >= 4u);
    arena[word] = (arena[word] & ~ours) | (pack4xI8(values) & ours);
}

// Writes the output's element `index` of 32 bits.
fn write_word(index: u32, value: u32) {
    arena[sample_at + params.job.output_at / 4u + index] = value;
}

// Word `index` of an operand.
fn word_of(operand: Operand, index: u32) -> u32 {
    return arena[operand.of_sample * sample_at + operand.at / 4u + index];
}

fn float_of(operand: Operand, index: u32) -> f32 {
    return bitcast<f32>(word_of(operand, index));
}

// The int8 `index` of an operand.
fn byte_of(operand: Operand, index: u32) -> i32 {
    return extractBits(bitcast<i32>(word_of(operand, index / 4u)), index % 4u * 8u, 8u);
}

// The element at byte offset `at` of the sample's arena.
fn load(at: u32) -> i32 {
    return extractBits(bitcast<i32>(arena[sample_at + at / 4u]), at % 4u * 8u, 8u);
}

// The four bytes from byte offset `at`, a multiple of four.
fn load_word(at: u32) -> u32 {
    return arena[sample_at + at / 4u];
}

// The four bytes from byte offset `at`. Those beyond the word in which the byte at `last` lies are
// undefined, and are not read: another invocation may be writing them.
fn load_unaligned(at: u32, last: u32) -> u32 {
    let shift = at % 4u * 8u;
    let low = load_word(at);
    if shift == 0u {
        return low;
    }
    return (low >> shift) | (load_word(min(at + 4u, last)) << (32u - shift));
}

// Row, column and channel of an element.
fn position(index: u32, shape: Shape) -> vec3<u32> {
    let pixel = index / shape.channels;
    return vec3(pixel / shape.width, pixel % shape.width, index % shape.channels);
}

// Row of a tap in the input. In the padding above, it wraps to far below the input: padding is
// wherever the row is not less than the input's height.
fn tap_row(window: Window, row: u32, tap: u32) -> u32 {
    return row * window.stride_y + tap * window.dilation_y - window.pad_y;
}

// Column of a tap in the input; padding as in `tap_row`.
fn tap_column(window: Window, column: u32, tap: u32) -> u32 {
    return column * window.stride_x + tap * window.dilation_x - window.pad_x;
}

fn store(scaled: i32, output: Store) -> i32 {
    return clamp(scaled + output.zero, output.low, output.high);
}
