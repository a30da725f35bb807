// Strided operands: see `microtome_kernels::view`. Products of indices and strides wrap.

// Sizes of an iteration space's axes; the last is the fastest.
struct Axes {
    sizes: array<u32, 6>,
}

struct Strides {
    offset: u32,
    steps: array<i32, 6>,
}

// Where the element with the row-major number `index` of the space lies.
fn strided(index: u32, space: Axes, view: Strides) -> u32 {
    var rest = index;
    var at = view.offset;
    // The axes before the first larger than one element add nothing.
    for (var left = 6u; left > 0u && rest > 0u; left--) {
        let size = space.sizes[left - 1u];
        at += (rest % size) * bitcast<u32>(view.steps[left - 1u]);
        rest /= size;
    }
    return at;
}
