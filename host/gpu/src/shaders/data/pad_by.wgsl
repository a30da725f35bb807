// Padding of any axis.

struct Params {
    job: Job,
    operand: Operand,
    value: Operand,         // what padding by a value reads
    fill_kind: u32,
    input: Axes,
    output: Axes,
    before: Axes,
}

const BY_VALUE = 0u;
const EDGE = 1u;
const REFLECT = 2u;

fn place(index: u32) -> Place {
    var rest = index;
    var at = 0u;
    var step = 1u;
    for (var left = 6u; left > 0u; left--) {
        let axis = left - 1u;
        let len = i32(params.input.sizes[axis]);
        let outside = i32(rest % params.output.sizes[axis]) - i32(params.before.sizes[axis]);
        rest /= params.output.sizes[axis];
        if params.fill_kind == BY_VALUE && (outside < 0 || outside >= len) {
            return Place(params.value, 0u);
        }
        at += u32(source_of(outside, len)) * step;
        step *= u32(len);
    }
    return Place(params.operand, at);
}

fn source_of(at: i32, len: i32) -> i32 {
    if at >= 0 && at < len {
        return at;
    }
    if params.fill_kind == EDGE {
        return clamp(at, 0, len - 1);
    }
    if params.fill_kind == REFLECT {
        let last = len - 1;
        return last - abs(last - remainder(at, max(2 * last, 1)));
    }
    return remainder(at, len);
}

// The remainder that is not negative.
fn remainder(at: i32, len: i32) -> i32 {
    let rest = at % len;
    return select(rest, rest + len, rest < 0);
}
