// For programs of two int8 operands over one space: their `Params` have a `pair: Pair`, and they
// define `fn combine(a: i32, b: i32) -> i32`.

struct Pair {
    a: Operand,
    b: Operand,
    space: Axes,
    a_view: Strides,
    b_view: Strides,
}

fn element(index: u32) -> i32 {
    let pair = params.pair;
    return combine(
        byte_of(pair.a, strided(index, pair.space, pair.a_view)),
        byte_of(pair.b, strided(index, pair.space, pair.b_view)),
    );
}
