// For programs that compute one element at a time: they define `fn element(index: u32) -> i32`.

fn quad(index: u32) -> vec4<i32> {
    let last = params.job.output_len - 1u;
    var values: vec4<i32>;
    for (var lane = 0u; lane < 4u; lane++) {
        values[lane] = element(min(index + lane, last));
    }
    return values;
}
