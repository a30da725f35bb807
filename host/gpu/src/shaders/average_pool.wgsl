// Average pool, with both ways to divide.

struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    by_count: u32,      // 1: divide by the taps inside; 0: by `zero` and `factor`
    zero: i32,
    factor: Factor,
    store: Store,       // with `by_count` its zero point is 0
}

fn element(index: u32) -> i32 {
    let at = position(index, params.output);
    let window = params.window;
    var sum = 0;
    var count = 0;
    for (var row = 0u; row < window.rows; row++) {
        let y = tap_row(window, at.x, row);
        if y >= params.input.height {
            continue;
        }
        for (var column = 0u; column < window.columns; column++) {
            let x = tap_column(window, at.y, column);
            if x >= params.input.width {
                continue;
            }
            let pixel = y * params.input.width + x;
            sum += load(params.input_at + pixel * params.input.channels + at.z);
            count++;
        }
    }
    if params.by_count == 1u {
        let half = select(-(count / 2), count / 2, sum > 0);
        return store((sum + half) / count, params.store);
    }
    return store(scale(sum - count * params.zero, params.factor), params.store);
}
