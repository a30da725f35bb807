// The chain that a float result goes through before it is stored: the element-wise steps that
// follow it. What a stage computes is known when the pipeline is built; its numbers are six vectors
// of constants:
//
//     other operand
//     alpha, beta, period, −
//     offset, −, sizes of axes 4 and 5
//     sizes of axes 0 to 3
//     strides of axes 0 to 3
//     strides of axes 4 and 5, −, −
const STAGE = 6u;

override FUNCTION_0: u32 = 255u;
override FUNCTION_1: u32 = 255u;
override FUNCTION_2: u32 = 255u;
override FUNCTION_3: u32 = 255u;
override MODE_0: u32 = 0u;
override MODE_1: u32 = 0u;
override MODE_2: u32 = 0u;
override MODE_3: u32 = 0u;

const NO_FUNCTION = 255u;

// Modes: where the other operand's element lies, and whether it is the function's first.
const ONLY_ONE = 0u;
const SAME_INDEX = 1u;
const PERIODIC = 2u;    // at `index % period`
const SWAPPED = 4u;

// Functions of one float: `microtome_kernels::float::unary::UnaryKind`, in its order.
const ABS = 0u;
const NEG = 1u;
const EXP = 2u;
const LOG = 3u;
const SQRT = 4u;
const RECIPROCAL = 5u;
const FLOOR = 6u;
const CEIL = 7u;
const ROUND = 8u;
const SIGN = 9u;
const SIN = 10u;
const COS = 11u;
const TAN = 12u;
const ASIN = 13u;
const ACOS = 14u;
const ATAN = 15u;
const SINH = 16u;
const COSH = 17u;
const TANH = 18u;
const ASINH = 19u;
const ACOSH = 20u;
const ATANH = 21u;
const SIGMOID = 22u;
const ERF = 23u;
const RELU = 24u;
const LEAKY_RELU = 25u;
const ELU = 26u;
const CELU = 27u;
const SELU = 28u;
const THRESHOLDED_RELU = 29u;
const HARD_SIGMOID = 30u;
const HARD_SWISH = 31u;
const SOFTPLUS = 32u;
const SOFTSIGN = 33u;
const GELU = 34u;
const GELU_TANH = 35u;
const MISH = 36u;
const SWISH = 37u;
const CLIP = 38u;
const SHRINK = 39u;
const AFFINE = 40u;
const SCALED_TANH = 41u;

// Functions of two floats: `microtome_kernels::float::binary::BinaryKind`, in its order.
const BINARY = 64u;
const ADD = 64u;
const SUB = 65u;
const MUL = 66u;
const DIV = 67u;
const POW = 68u;
const MAX = 69u;
const MIN = 70u;
const MOD = 71u;
const FMOD = 72u;
const PRELU = 73u;

fn chain(value: f32, index: u32) -> f32 {
    let first = apply(0u, FUNCTION_0, MODE_0, value, index);
    let second = apply(1u, FUNCTION_1, MODE_1, first, index);
    let third = apply(2u, FUNCTION_2, MODE_2, second, index);
    return apply(3u, FUNCTION_3, MODE_3, third, index);
}

fn apply(stage: u32, function: u32, mode: u32, x: f32, index: u32) -> f32 {
    if function == NO_FUNCTION {
        return x;
    }
    let at = params.job.chain_at + stage * STAGE;
    let numbers = constants[at + 1u];
    if function < BINARY {
        return unary(function, x, bitcast<f32>(numbers.x), bitcast<f32>(numbers.y));
    }
    let operand = constants[at];
    let place = place_of(at, mode & 3u, index, numbers.z);
    let other = float_of(Operand(operand.x, operand.y), place);
    if (mode & SWAPPED) != 0u {
        return binary(function, other, x);
    }
    return binary(function, x, other);
}

fn place_of(at: u32, mode: u32, index: u32, period: u32) -> u32 {
    if mode == ONLY_ONE {
        return constants[at + 2u].x;
    }
    if mode == SAME_INDEX {
        return index;
    }
    if mode == PERIODIC {
        return index % period;
    }
    let near = constants[at + 2u];
    let sizes = constants[at + 3u];
    let steps = constants[at + 4u];
    let near_steps = constants[at + 5u];
    var rest = index;
    var place = near.x + (rest % near.w) * near_steps.y;
    rest /= near.w;
    place += (rest % near.z) * near_steps.x;
    rest /= near.z;
    if rest > 0u {
        place += (rest % sizes.w) * steps.w;
        rest /= sizes.w;
        place += (rest % sizes.z) * steps.z;
        rest /= sizes.z;
        place += (rest % sizes.y) * steps.y + (rest / sizes.y) * steps.x;
    }
    return place;
}

fn elu(x: f32, alpha: f32, divisor: f32) -> f32 {
    return select(x, alpha * (exp_f32(x / divisor) - 1.0), x < 0.0);
}

fn unary(function: u32, x: f32, alpha: f32, beta: f32) -> f32 {
    switch function {
        case ABS: { return abs(x); }
        case NEG: { return -x; }
        case EXP: { return exp_f32(x); }
        case LOG: { return log(x); }
        case SQRT: { return sqrt(x); }
        case RECIPROCAL: { return 1.0 / x; }
        case FLOOR: { return floor(x); }
        case CEIL: { return ceil(x); }
        case ROUND: { return round(x); }
        case SIGN: { return select(sign(x), x, is_nan(x)); }
        case SIN: { return sin(x); }
        case COS: { return cos(x); }
        case TAN: { return tan(x); }
        case ASIN: { return asin(x); }
        case ACOS: { return acos(x); }
        case ATAN: { return atan(x); }
        case SINH: { return 0.5 * (exp_f32(x) - exp_f32(-x)); }
        case COSH: { return 0.5 * (exp_f32(x) + exp_f32(-x)); }
        case TANH: { return tanh_f32(x); }
        case ASINH: { return asinh(x); }
        case ACOSH: { return acosh(x); }
        case ATANH: { return atanh(x); }
        case SIGMOID: { return sigmoid(x); }
        case ERF: { return erf(x); }
        case RELU: { return select(x, 0.0, x < 0.0); }
        case LEAKY_RELU: { return select(x, alpha * x, x < 0.0); }
        case ELU: { return elu(x, alpha, 1.0); }
        case CELU: { return elu(x, alpha, alpha); }
        case SELU: { return beta * elu(x, alpha, 1.0); }
        case THRESHOLDED_RELU: { return select(0.0, x, x > alpha); }
        case HARD_SIGMOID: { return clip(alpha * x + beta, 0.0, 1.0); }
        case HARD_SWISH: { return x * clip(x / 6.0 + 0.5, 0.0, 1.0); }
        case SOFTPLUS: { return softplus(x); }
        case SOFTSIGN: { return x / (1.0 + abs(x)); }
        case GELU: { return 0.5 * x * (1.0 + erf(x * 0.70710678)); }
        case GELU_TANH: {
            return 0.5 * x * (1.0 + tanh_f32(0.7978846 * (x + 0.044715 * x * x * x)));
        }
        case MISH: { return x * tanh_f32(softplus(x)); }
        case SWISH: { return x * sigmoid(alpha * x); }
        case CLIP: { return clip(x, alpha, beta); }
        case SHRINK: {
            return select(select(0.0, x - beta, x > alpha), x + beta, x < -alpha);
        }
        case AFFINE: { return alpha * x + beta; }
        case SCALED_TANH: { return alpha * tanh_f32(beta * x); }
        default: { return x; }
    }
}

fn binary(function: u32, a: f32, b: f32) -> f32 {
    switch function {
        case ADD: { return a + b; }
        case SUB: { return a - b; }
        case MUL: { return a * b; }
        case DIV: { return a / b; }
        case POW: { return power(a, b); }
        case MAX: { return select(b, a, a > b || is_nan(a)); }
        case MIN: { return select(b, a, a < b || is_nan(a)); }
        case MOD: {
            let rest = remainder_f32(a, b);
            return select(rest, rest + b, rest != 0.0 && (rest < 0.0) != (b < 0.0));
        }
        case FMOD: { return remainder_f32(a, b); }
        case PRELU: { return select(a, a * b, a < 0.0); }
        default: { return a; }
    }
}

// The remainder with the sign of `a`; all of `a` where `b` is infinite.
fn remainder_f32(a: f32, b: f32) -> f32 {
    return select(a % b, a, abs(b) > 3.4e38 && abs(a) < 3.4e38);
}

// `a^b`: WGSL's has no negative bases.
fn power(a: f32, b: f32) -> f32 {
    if b == 2.0 {
        return a * a;
    }
    if b == 0.0 || a == 1.0 {
        return 1.0;
    }
    let magnitude = pow(abs(a), b);
    if a >= 0.0 || is_nan(a) {
        return magnitude;
    }
    if b != floor(b) {
        // Not a number, which WGSL has no constant of.
        return bitcast<f32>(0x7fc00000u | (bitcast<u32>(b) & 1u));
    }
    let half = b * 0.5;
    return select(-magnitude, magnitude, half == floor(half));
}
