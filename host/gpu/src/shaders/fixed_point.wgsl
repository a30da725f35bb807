// Fixed-point products, rounded from 64 bits, which WGSL does not have: see
// `microtome_kernels::num`.

// A positive factor, as a Q31 mantissa and the right shift of the product: `31 − shift`, in 1..=62.
struct Factor {
    mantissa: i32,
    right: u32,
}

// The 64-bit product, low word first, from products of 16-bit halves.
fn multiply_wide(a: i32, b: i32) -> vec2<u32> {
    let x = bitcast<u32>(a);
    let y = bitcast<u32>(b);
    let low = (x & 0xffffu) * (y & 0xffffu);
    let cross_x = (x >> 16u) * (y & 0xffffu);
    let cross_y = (x & 0xffffu) * (y >> 16u);
    let carry = (low >> 16u) + (cross_x & 0xffffu) + (cross_y & 0xffffu);
    let high = (x >> 16u) * (y >> 16u) + (cross_x >> 16u) + (cross_y >> 16u) + (carry >> 16u);
    // A negative factor was taken for one that is larger by 2^32.
    let excess = select(0u, y, a < 0) + select(0u, x, b < 0);
    return vec2(x * y, high - excess);
}

// `(value · mantissa + 2^(right − 1)) >> right`, its low 32 bits.
fn scale(value: i32, factor: Factor) -> i32 {
    let product = multiply_wide(value, factor.mantissa);
    let right = factor.right;
    if right <= 32u {
        let half = 1u << (right - 1u);
        let low = product.x + half;
        let high = product.y + select(0u, 1u, low < half);
        if right == 32u {
            return bitcast<i32>(high);
        }
        return bitcast<i32>((low >> right) | (high << (32u - right)));
    }
    // Half has no bit in the low word, which is all shifted out.
    return bitcast<i32>(product.y + (1u << (right - 33u))) >> (right - 32u);
}
