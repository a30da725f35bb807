//! `rivals-wonnx MODEL FOLDER RUNS`: the time of each run in microseconds, one a line, after a warm-up.

fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("MODEL FOLDER RUNS");
    let (model, folder, runs) = (next(), next(), next());
    let runs: usize = runs.parse().expect("RUNS is a number");
    time(&model, &folder, runs);
}

fn time(model: &str, folder: &str, runs: usize) {
    let dims: &[usize] = match model {
        "mobilenetv2" => &[1, 3, 224, 224],
        "unet" => &[1, 3, 256, 256],
        _ => &[1, 256, 320],
    };
    let path = format!("{folder}/{model}.onnx");
    let session = pollster::block_on(wonnx::Session::from_path(path)).expect("wonnx loads it");
    let values: Vec<f32> = (0..dims.iter().product()).map(|at| (at % 97) as f32 / 97.0).collect();
    let name = std::env::var("RIVALS_INPUT").unwrap_or_else(|_| "input".to_owned());
    for run in 0..runs + 3 {
        let inputs = [(name.clone(), values.as_slice().into())].into_iter().collect();
        let begun = std::time::Instant::now();
        let outputs = pollster::block_on(session.run(&inputs)).expect("wonnx runs it");
        std::hint::black_box(outputs);
        if run >= 3 {
            println!("{}", begun.elapsed().as_micros());
        }
    }
}
