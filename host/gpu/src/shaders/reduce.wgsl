// Sum, maximum and minimum over any axes.

struct Params {
    job: Job,
    operand: Operand,
    fold_kind: u32,
    count: u32,             // elements that make one
    kept: Axes,             // sizes, 1 where the axis is reduced
    reduced: Axes,          // sizes, 1 where the axis is kept
    view: Strides,
    zero: i32,
    factor: Factor,
    store: Store,
}

const SUM = 0u;
const MAXIMUM = 1u;

fn element(index: u32) -> i32 {
    var view = params.view;
    view.offset = strided(index, params.kept, params.view);
    var sum = 0;
    var largest = -128;
    var smallest = 127;
    for (var k = 0u; k < params.count; k++) {
        let value = byte_of(params.operand, strided(k, params.reduced, view));
        sum += value - params.zero;
        largest = max(largest, value);
        smallest = min(smallest, value);
    }
    if params.fold_kind == SUM {
        return store(scale(sum, params.factor), params.store);
    }
    return select(smallest, largest, params.fold_kind == MAXIMUM);
}
