//! The whole path through the command: model files to plans, plans on every executor, the demo.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use std::path::{Path, PathBuf};
use support::{data, emulated, microtome, npy, root, skip};

fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}

/// The raw outputs of `model` for `input` on `backend`, as the bytes of a `.npy` file.
fn outputs(model: &Path, input: &Path, backend: &str, folder: &Path) -> Vec<u8> {
    let output = folder.join(format!("{backend}.npy"));
    let (model, input, path) = (text(model), text(input), text(&output));
    let args = [
        "run",
        &model,
        "--input",
        &input,
        "--backend",
        backend,
        "--output",
        &path,
        "--json",
    ];
    let json = microtome(&args).json();
    assert_eq!(json["backend"], backend);
    assert!(
        json["plan_hash"]
            .as_str()
            .is_some_and(|hash| hash.len() == 64)
    );
    assert!(json["outputs"][0]["shape"].is_array());
    std::fs::read(output).unwrap()
}

/// Whether there is an adapter; if not, says that `test` is skipped.
fn has_adapter(test: &str, model: &Path, input: &Path) -> bool {
    let (model, input) = (text(model), text(input));
    let ran = microtome(&[
        "run",
        &model,
        "--input",
        &input,
        "--backend",
        "gpu",
        "--json",
    ]);
    if ran.status() == Some(0) {
        return true;
    }
    assert!(ran.error().contains("adapter"), "{}", ran.stderr());
    skip(test, "there is no adapter; install mesa-vulkan-drivers");
    false
}

fn same_bits_everywhere(test: &str, model: &Path, input: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let expected = outputs(model, input, "cpu", folder.path());
    assert!(!expected.is_empty());
    assert_eq!(outputs(model, input, "sim", folder.path()), expected, "sim");
    if has_adapter(test, model, input) {
        assert_eq!(outputs(model, input, "gpu", folder.path()), expected, "gpu");
    }
    for board in emulated(test) {
        assert_eq!(
            outputs(model, input, &board, folder.path()),
            expected,
            "{board}"
        );
    }
}

#[test]
fn cells_gives_the_same_bits_on_every_executor() {
    let model = root().join("models/cells/cells.onnx");
    let input = root().join("models/cells/golden.npz");
    same_bits_everywhere("cells on every executor", &model, &input);
}

#[test]
fn keyword_spotting_gives_the_same_bits_on_every_executor() {
    let test = "kws on every executor";
    let Some(data) = data(test) else { return };
    let model = data.join("models/mlperf-tiny-qdq/kws.onnx");
    let input: PathBuf = root().join("tests/data/kws_input.npy");
    same_bits_everywhere(test, &model, &input);
}

/// A model of the MLPerf Tiny suite, with its golden vectors.
struct Golden {
    file: &'static str,
    vectors: &'static str,
    /// Axes of a batch of inputs.
    shape: &'static str,
}

const GOLDEN: [Golden; 4] = [
    Golden {
        file: "kws_ref_model.tflite",
        vectors: "kws",
        shape: "(8, 49, 10, 1)",
    },
    Golden {
        file: "vww_96_int8.tflite",
        vectors: "vww",
        shape: "(8, 96, 96, 3)",
    },
    Golden {
        file: "pretrainedResnet_quant.tflite",
        vectors: "ic",
        shape: "(8, 32, 32, 3)",
    },
    Golden {
        file: "ad01_int8.tflite",
        vectors: "ad",
        shape: "(8, 640)",
    },
];

/// TensorFlow Lite Micro's own outputs, built with single rounding, come out of every executor.
#[test]
fn tflite_models_give_the_golden_bits_on_every_executor() {
    let test = "golden vectors on every executor";
    let Some(data) = data(test) else { return };
    let models = data.join("models/mlperf-tiny");
    for golden in GOLDEN {
        let folder = tempfile::tempdir().unwrap();
        let model = models.join(golden.file);
        let vectors = models.join("golden").join(golden.vectors);
        let input = folder.path().join("inputs.npy");
        let bytes = std::fs::read(vectors.join("inputs.bin")).unwrap();
        std::fs::write(&input, npy("|i1", golden.shape, &bytes)).unwrap();
        let wanted = std::fs::read(vectors.join("outputs_single_rounding.bin")).unwrap();
        let mut backends = vec!["cpu".to_owned(), "sim".to_owned()];
        if has_adapter(test, &model, &input) {
            backends.push("gpu".to_owned());
        }
        backends.extend(emulated(test));
        for backend in &backends {
            let found = outputs(&model, &input, backend, folder.path());
            let name = golden.file;
            assert!(found.ends_with(&wanted), "{name} on {backend}");
            assert!(found.len() < wanted.len() + 256, "{name} on {backend}");
        }
    }
}

#[test]
fn a_compiled_plan_runs_as_its_model_does() {
    let folder = tempfile::tempdir().unwrap();
    let (model, plan) = (
        root().join("models/cells/cells.onnx"),
        folder.path().join("cells.mtp"),
    );
    let args = ["compile", &text(&model), "-o", &text(&plan), "--json"];
    let compiled = microtome(&args).json();
    assert!(
        compiled["arena_bytes"].as_u64() <= Some(256 * 1024),
        "{compiled}"
    );
    let input = root().join("models/cells/golden.npz");
    let from_plan = outputs(&plan, &input, "cpu", folder.path());
    assert_eq!(from_plan, outputs(&model, &input, "cpu", folder.path()));
    let inspected = microtome(&["inspect", &text(&plan), "--json"]).json();
    for key in [
        "macs",
        "arena_bytes",
        "arena_lower_bound_bytes",
        "plan_bytes",
    ] {
        assert_eq!(inspected[key], compiled[key], "{key}");
    }
    assert!(inspected["ops"].as_array().is_some_and(|ops| ops.len() > 3));
}

#[test]
fn plans_of_every_target_give_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let model = root().join("models/cells/cells.onnx");
    let input = root().join("models/cells/golden.npz");
    let expected = outputs(&model, &input, "cpu", folder.path());
    for target in ["generic", "cortex-m4", "cortex-m55", "cpu", "gpu"] {
        let plan = folder.path().join(target).with_extension("mtp");
        let args = [
            "compile",
            &text(&model),
            "-o",
            &text(&plan),
            "--target",
            target,
            "--json",
        ];
        assert_eq!(microtome(&args).json()["target"], target);
        assert_eq!(
            outputs(&plan, &input, "cpu", folder.path()),
            expected,
            "{target}"
        );
        // A plan that is packed already is inspected for another target by packing it anew.
        let args = ["inspect", &text(&plan), "--target", "cortex-m4", "--json"];
        let inspected = microtome(&args).json();
        let packed = inspected["ops"].as_array().unwrap().iter();
        let packed = packed.filter(|op| op["kernels"] == "armv7em 1×4").count();
        assert!(packed > 0, "{target}: {inspected}");
    }
}

/// What `run` says of `model`, and the float32 array that it writes.
fn floats(model: &Path, input: &Path, backend: &str) -> (serde_json::Value, Vec<f32>) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("y.npy");
    let (model, input, path) = (text(model), text(input), text(&output));
    let json = microtome(&[
        "run",
        &model,
        "--input",
        &input,
        "--backend",
        backend,
        "--output",
        &path,
        "--json",
    ])
    .json();
    assert_eq!(json["outputs"][0]["dtype"], "float32");
    let bytes = std::fs::read(output).unwrap();
    let head = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let values = bytes[head..].chunks_exact(4);
    let values = values.map(|it| f32::from_le_bytes(it.try_into().unwrap()));
    (json, values.collect())
}

#[test]
fn a_float_model_has_a_plan_that_gives_tracts_numbers() {
    let model = root().join("models/cells/cells.float.onnx");
    let input = root().join("models/cells/golden.npz");
    let (json, found) = floats(&model, &input, "cpu");
    let (reference, wanted) = floats(&model, &input, "tract");
    for json in [&json, &reference] {
        assert_eq!(json["samples"], 4);
        let shape = serde_json::json!([4, 4, 15, 20]);
        assert_eq!(json["outputs"][0]["shape"], shape);
    }
    assert_eq!(found.len(), 4 * 4 * 15 * 20);
    assert_eq!(found.len(), wanted.len());
    assert!(wanted.iter().any(|value| value.abs() > 0.1));
    for (index, (a, b)) in found.iter().zip(&wanted).enumerate() {
        assert!((a - b).abs() < 1e-4, "[{index}]: {a}, tract has {b}");
    }
}

/// How many folders in `models` have golden outputs of their float file, at least.
const MODELS_WITH_FLOAT_GOLDEN: usize = 9;

/// The outputs of `golden`, by onnxruntime; `None` where they are an int8 file's.
fn golden_outputs(golden: &Path) -> Option<Vec<f32>> {
    let file = std::fs::File::open(golden).unwrap();
    let mut arrays = ndarray_npy::NpzReader::new(file).unwrap();
    let outputs: ndarray::ArrayD<f32> = arrays.by_name("probabilities").ok()?;
    Some(outputs.iter().copied().collect())
}

#[test]
fn shipped_float_models_give_onnxruntimes_numbers() {
    let mut checked = 0;
    let mut backends = vec!["cpu", "tract"];
    let cells = root().join("models/cells");
    let (model, golden) = (cells.join("cells.float.onnx"), cells.join("golden.npz"));
    if has_adapter("shipped float models on the GPU", &model, &golden) {
        backends.push("gpu");
    }
    for entry in std::fs::read_dir(root().join("models")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let model = folder.join(format!("{name}.float.onnx"));
        let golden = folder.join("golden.npz");
        if !model.is_file() {
            continue;
        }
        let Some(wanted) = golden_outputs(&golden) else {
            continue;
        };
        for &backend in &backends {
            let found = floats(&model, &golden, backend).1;
            assert_eq!(found.len(), wanted.len(), "{name} on {backend}");
            for (index, (a, b)) in found.iter().zip(&wanted).enumerate() {
                let near = (a - b).abs() < 1e-4;
                assert!(near, "{name} on {backend}, [{index}]: {a}, not {b}");
            }
        }
        checked += 1;
    }
    assert!(checked >= MODELS_WITH_FLOAT_GOLDEN, "{checked} models");
}

#[test]
fn tract_runs_a_model_that_has_no_plan() {
    // Its output is as long as its input has values that are not zero.
    let model = root().join("tests/data/dynamic.onnx");
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("x.npy");
    let sample = ndarray::arr2(&[[0.0_f32, 1.0, 0.0, 2.0]]);
    ndarray_npy::write_npy(&input, &sample).unwrap();
    let (json, places) = floats(&model, &input, "tract");
    assert!(json["plan_hash"].is_null(), "{json}");
    assert_eq!(places, [0.0, 0.0, 1.0, 3.0]);
    let on_cpu = ["run", &text(&model), "--input", &text(&input), "--json"];
    let error = microtome(&on_cpu).error();
    assert!(error.contains("NonZero"), "{error}");
    assert!(error.contains("--backend tract"), "{error}");
}

#[test]
fn compare_finds_equal_executors_equal() {
    let model = text(&root().join("models/cells/cells.onnx"));
    let input = text(&root().join("models/cells/golden.npz"));
    let args = [
        "compare",
        &model,
        "--input",
        &input,
        "--backends",
        "cpu,sim",
        "--json",
    ];
    let json = microtome(&args).json();
    assert_eq!(json["equal"], true);
    assert_eq!(json["max_abs_diff"], 0.0);
    assert!(json["first_difference"].is_null());
}

fn demo(board: &str) {
    let json = microtome(&["demo", "--board", board, "--json"]).json();
    assert_eq!(json["board"], board);
    let count = |key: &str| {
        json[key]
            .as_u64()
            .unwrap_or_else(|| panic!("{key}: {json}"))
    };
    assert!(
        count("frames") > 0 && count("on_board") > 0 && count("offloaded") > 0,
        "{json}"
    );
    assert_eq!(count("on_board") + count("offloaded"), count("frames"));
    assert_eq!(count("lost"), 0);
    assert!(json["adapter"].is_string());
}

#[test]
fn the_demo_loses_no_frame_on_the_simulated_board() {
    demo("sim");
}

#[test]
fn the_demo_loses_no_frame_on_the_emulated_boards() {
    for board in emulated("the demo") {
        demo(&board);
    }
}

/// What the pins did: a pin by its bit, and its new level, in their order; both are low at first.
fn edges(path: &Path) -> Vec<(u8, bool)> {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut edges, mut before) = (Vec::new(), 0_u8);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let levels = match words[..] {
            // A board that is a process says which pin has which level.
            [_, pin, level] => {
                let bit = match pin {
                    "exposure" => 1,
                    "answer" => 2,
                    other => panic!("{other}"),
                };
                (before & !bit) | if level == "1" { bit } else { 0 }
            }
            // QEMU says what was written to the register of both.
            _ => {
                let data = words.iter().position(|&word| word == "data");
                let data = words[data.expect("a write") + 1].trim_start_matches("0x");
                u8::from_str_radix(data, 16).unwrap()
            }
        };
        for bit in [1, 2] {
            if (levels ^ before) & bit != 0 {
                edges.push((bit, levels & bit != 0));
            }
        }
        before = levels;
    }
    edges
}

/// Every frame is one pulse of the exposure pin and, after it, one edge of the answer pin.
fn pins_tell_of_each_frame(board: &str) {
    const FRAMES: usize = 6;
    let folder = tempfile::tempdir().unwrap();
    for mode in ["rate", "latency"] {
        let (pins, folder) = (folder.path().join(mode), folder.path().join(board));
        let (pins_text, folder) = (text(&pins), text(&folder));
        let args = [
            "demo", "--board", board, "--mode", mode, "--frames", "6", "--folder", &folder,
            "--pins", &pins_text, "--json",
        ];
        let json = microtome(&args).json();
        assert_eq!(json["frames"], FRAMES, "{json}");
        let edges = edges(&pins);
        let of = |pin| edges.iter().filter(move |edge| edge.0 == pin);
        assert_eq!(of(1).count(), 2 * FRAMES, "{board} {mode}");
        assert_eq!(of(2).count(), FRAMES, "{board} {mode}");
        let mut open = 0;
        for edge in &edges {
            match edge {
                (1, true) => open += 1,
                (1, false) => {}
                _ => open -= 1,
            }
            // An answer comes after its exposure; where the quickest answers are wanted, the next
            // exposure comes after that.
            assert!(open >= 0, "{board} {mode}: {edges:?}");
            assert!(open <= 1 || mode == "rate", "{board} {mode}: {edges:?}");
        }
        assert_eq!(open, 0, "{board} {mode}: {edges:?}");
    }
}

#[test]
fn the_simulated_boards_pins_tell_of_each_frame() {
    pins_tell_of_each_frame("sim");
}

#[test]
fn the_emulated_boards_pins_tell_of_each_frame() {
    for board in emulated("pins") {
        pins_tell_of_each_frame(&board);
    }
}

#[test]
fn the_emulated_boards_count_the_same_instructions_twice() {
    let model = text(&root().join("models/cells/cells.onnx"));
    for board in emulated("instruction counts") {
        let args = ["bench", &model, "--backend", &board, "--json"];
        let [first, second] = [microtome(&args).json(), microtome(&args).json()];
        let total = first["instructions"].as_u64().unwrap();
        assert!(total > first["macs"].as_u64().unwrap() / 8, "{first}");
        assert!(total.abs_diff(second["instructions"].as_u64().unwrap()) <= 2);
        let ops = first["instructions_per_op"].as_array().unwrap();
        let sum: u64 = ops
            .iter()
            .map(|op| op["instructions"].as_u64().unwrap())
            .sum();
        assert!(
            sum.abs_diff(total) * 50 < total,
            "{board}: the steps have {sum}, the run {total}"
        );
    }
}
