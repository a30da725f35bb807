// Functions of floats as `microtome_kernels::float::math` has them, so that an adapter's own
// precision does not matter.

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// `x` limited to `low..high`; NaN stays.
fn clip(x: f32, low: f32, high: f32) -> f32 {
    let above = select(x, low, x < low);
    return select(above, high, above > high);
}

fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

fn exp_f32(value: f32) -> f32 {
    let x = clip(value, -104.0, 89.0);
    let n = round(x * 1.44269504);
    let r = (x - n * 0.6933594) + n * 2.1219444e-4;
    var p = 1.9875691e-4 * r + 1.3981999e-3;
    p = (p * r + 8.333452e-3) * r + 4.1665796e-2;
    p = (p * r + 1.6666665e-1) * r + 0.5;
    let y = p * r * r + r + 1.0;
    let whole = i32(clip(n, -160.0, 160.0));
    let half = whole >> 1u;
    let power = y * power_of_two(half) * power_of_two(whole - half);
    return select(power, value, is_nan(value));
}

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp_f32(-x));
}

fn tanh_f32(x: f32) -> f32 {
    let z = x * x;
    var p = (-5.7049887e-3 * z + 2.063909e-2) * z - 5.3739715e-2;
    p = (p * z + 1.3331442e-1) * z - 3.333328e-1;
    let near = p * z * x + x;
    let far = sign(x) * (1.0 - 2.0 / (exp_f32(2.0 * abs(x)) + 1.0));
    return select(far, near, abs(x) < 0.625 || is_nan(x));
}

fn erf(x: f32) -> f32 {
    let t = clip(x, -4.0, 4.0);
    let z = t * t;
    var p = (-2.7261423e-10 * z + 2.7706814e-8) * z - 2.101024e-6;
    p = (p * z - 5.6925064e-5) * z - 7.3499063e-4;
    p = (p * z - 2.9546e-3) * z - 1.6096033e-2;
    var q = (-1.4566072e-5 * z - 2.1337406e-4) * z - 1.682827e-3;
    q = (q * z - 7.3733292e-3) * z - 1.4264739e-2;
    return select(t * p / q, sign(x), abs(x) >= 4.0);
}

// `ln(1 + e^x)`; the sum loses what the logarithm of small exponentials would need.
fn softplus(x: f32) -> f32 {
    let small = exp_f32(-abs(x));
    let above = select(x, 0.0, x < 0.0);
    let logarithm = select(log(1.0 + small), small - 0.5 * small * small, small < 1e-3);
    return above + logarithm;
}
