// Comparison, after both operands were brought to one scale.

struct Params {
    job: Job,
    pair: Pair,
    relation: u32,
    a_zero: i32,
    b_zero: i32,
    a_factor: Factor,
    b_factor: Factor,
}

const LEFT_SHIFT: u32 = 20u;

// `microtome_kernels::reference::compare::Relation`, in its order.
const EQUAL = 0u;
const NOT_EQUAL = 1u;
const LESS = 2u;
const LESS_OR_EQUAL = 3u;
const GREATER = 4u;

fn combine(a_value: i32, b_value: i32) -> i32 {
    let a = scale((a_value - params.a_zero) << LEFT_SHIFT, params.a_factor);
    let b = scale((b_value - params.b_zero) << LEFT_SHIFT, params.b_factor);
    var holds = a >= b;
    switch params.relation {
        case EQUAL: { holds = a == b; }
        case NOT_EQUAL: { holds = a != b; }
        case LESS: { holds = a < b; }
        case LESS_OR_EQUAL: { holds = a <= b; }
        case GREATER: { holds = a > b; }
        default: {}
    }
    return select(0, 1, holds);
}
