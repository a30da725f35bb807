// Questions about one or two elements, answered by truth values.

struct Params {
    job: Job,
    a: Operand,
    b: Operand,
    question: u32,
    type_kind: u32,
    space: Axes,
    a_view: Strides,
    b_view: Strides,
}

const OF_I8 = 0u;
const OF_I32 = 1u;

const EQUAL = 0u;
const LESS = 1u;
const LESS_OR_EQUAL = 2u;
const GREATER = 3u;
const GREATER_OR_EQUAL = 4u;
const AND = 5u;
const OR = 6u;
const XOR = 7u;
const IS_NAN = 8u;
const IS_INF = 9u;
const IS_POSITIVE_INF = 10u;
const IS_NEGATIVE_INF = 11u;

const INFINITY_BITS = 0x7f800000u;

fn element(index: u32) -> i32 {
    return select(0, 1, holds(index));
}

fn holds(index: u32) -> bool {
    let a_at = strided(index, params.space, params.a_view);
    if params.question >= IS_NAN {
        return is_special(word_of(params.a, a_at));
    }
    let b_at = strided(index, params.space, params.b_view);
    if params.type_kind == OF_I8 {
        let a = byte_of(params.a, a_at);
        let b = byte_of(params.b, b_at);
        switch params.question {
            case AND: { return a != 0 && b != 0; }
            case OR: { return a != 0 || b != 0; }
            case XOR: { return (a != 0) != (b != 0); }
            default: { return compare((a < b), a == b, (a > b)); }
        }
    }
    if params.type_kind == OF_I32 {
        let a = bitcast<i32>(word_of(params.a, a_at));
        let b = bitcast<i32>(word_of(params.b, b_at));
        return compare((a < b), a == b, (a > b));
    }
    let a = float_of(params.a, a_at);
    let b = float_of(params.b, b_at);
    let ordered = !is_nan(a) && !is_nan(b);
    return ordered && compare((a < b), a == b, (a > b));
}

fn compare(less: bool, equal: bool, greater: bool) -> bool {
    switch params.question {
        case LESS: { return less; }
        case LESS_OR_EQUAL: { return less || equal; }
        case GREATER: { return greater; }
        case GREATER_OR_EQUAL: { return greater || equal; }
        default: { return equal; }
    }
}

fn is_special(bits: u32) -> bool {
    let magnitude = bits & 0x7fffffffu;
    switch params.question {
        case IS_NAN: { return magnitude > INFINITY_BITS; }
        case IS_INF: { return magnitude == INFINITY_BITS; }
        case IS_POSITIVE_INF: { return bits == INFINITY_BITS; }
        default: { return bits == (INFINITY_BITS | 0x80000000u); }
    }
}
