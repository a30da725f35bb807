// Reductions over any axes.

struct Params {
    job: Job,
    operand: Operand,
    kind: u32,              // `microtome_kernels::float::reduce::ReduceKind`, in its order
    count: u32,             // elements that make one
    kept: Axes,             // sizes, 1 where the axis is reduced
    reduced: Axes,          // sizes, 1 where the axis is kept
    view: Strides,
}

const SUM = 0u;
const MEAN = 1u;
const LARGEST = 2u;
const SMALLEST = 3u;
const PRODUCT = 4u;
const L1 = 5u;
const L2 = 6u;
const LOG_SUM = 7u;
const LOG_SUM_EXP = 8u;
const SUM_SQUARE = 9u;

// Elements whose sum is added to that of all: keeps the error small.
const PART = 64u;

fn value(index: u32) -> f32 {
    var view = params.view;
    view.offset = strided(index, params.kept, params.view);
    var top = 0.0;
    if params.kind == LOG_SUM_EXP {
        top = fold_all(view, LARGEST, 0.0);
        // Infinite differences would not be numbers.
        top = select(0.0, top, abs(top) < 3.0e38);
    }
    let folded = fold_all(view, params.kind, top);
    switch params.kind {
        case MEAN: { return folded / f32(params.count); }
        case L2: { return sqrt(folded); }
        case LOG_SUM: { return log(folded); }
        case LOG_SUM_EXP: { return top + log(folded); }
        default: { return folded; }
    }
}

fn fold_all(view: Strides, kind: u32, top: f32) -> f32 {
    var folded = 0.0;
    for (var first = 0u; first < params.count; first += PART) {
        var part = 0.0;
        for (var k = first; k < min(first + PART, params.count); k++) {
            let x = float_of(params.operand, strided(k, params.reduced, view));
            part = fold(part, x, kind, top, k == first);
        }
        folded = join(folded, part, kind, first == 0u);
    }
    return folded;
}

fn fold(part: f32, x: f32, kind: u32, top: f32, is_first: bool) -> f32 {
    switch kind {
        case LARGEST, SMALLEST, PRODUCT: { return join(part, x, kind, is_first); }
        case L1: { return part + abs(x); }
        case L2, SUM_SQUARE: { return part + x * x; }
        case LOG_SUM_EXP: { return part + exp_f32(x - top); }
        default: { return part + x; }
    }
}

fn join(a: f32, b: f32, kind: u32, is_first: bool) -> f32 {
    if is_first {
        return b;
    }
    switch kind {
        case LARGEST: { return select(a, b, b > a || is_nan(b)); }
        case SMALLEST: { return select(a, b, b < a || is_nan(b)); }
        case PRODUCT: { return a * b; }
        default: { return a + b; }
    }
}
