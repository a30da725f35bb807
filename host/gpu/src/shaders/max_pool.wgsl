// Maximum pool.

struct Params {
    job: Job,
    input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    low: i32,
    high: i32,
}

fn element(index: u32) -> i32 {
    let at = position(index, params.output);
    let window = params.window;
    var largest = -128;
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
            largest = max(largest, load(params.input_at + pixel * params.input.channels + at.z));
        }
    }
    return clamp(largest, params.low, params.high);
}
