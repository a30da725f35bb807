//! Bad input gives one clear line and exit status 1: never a panic, never a wrong answer.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use std::path::Path;
use support::{microtome, npy, root};

fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}

fn cells() -> String {
    text(&root().join("models/cells/cells.onnx"))
}

/// A valid plan of the cells model, and a folder that goes when the test ends.
fn plan() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.mtp");
    let ran = microtome(&["compile", &cells(), "-o", &text(&path)]);
    assert_eq!(ran.status(), Some(0), "{}", ran.stderr());
    (folder, std::fs::read(path).unwrap())
}

/// The error that `microtome inspect` gives for a file with these bytes.
fn inspect(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let error = microtome(&["inspect", &text(&path)]).error();
    assert!(error.contains(name), "it does not name the file: {error}");
    error
}

#[test]
fn a_truncated_plan_is_refused() {
    let (_folder, bytes) = plan();
    for len in [0, 3, 63, 64, bytes.len() / 2, bytes.len() - 1] {
        let error = inspect("short.mtp", &bytes[..len]);
        assert!(
            error.contains("truncated") || error.contains("not a plan"),
            "{len}: {error}"
        );
    }
}

#[test]
fn a_plan_with_a_flipped_bit_is_refused() {
    let (_folder, mut bytes) = plan();
    for at in [0, 5, 20, 40, 100, bytes.len() / 2, bytes.len() - 1] {
        bytes[at] ^= 4;
        inspect("flipped.mtp", &bytes);
        bytes[at] ^= 4;
    }
}

#[test]
fn foreign_files_are_refused() {
    assert!(inspect("picture.mtp", b"\x89PNG\r\n\x1a\n not a plan").contains("not a plan"));
    assert!(inspect("picture.onnx", b"\x89PNG\r\n\x1a\n not a model").contains("ONNX"));
    assert!(inspect("empty.onnx", b"").contains("ONNX"));
    let missing = microtome(&["inspect", "/no/such/model.onnx"]).error();
    assert!(missing.contains("/no/such/model.onnx"), "{missing}");
}

#[test]
fn inputs_of_another_shape_or_type_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let run = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        microtome(&["run", &cells(), "--input", &text(&path)]).error()
    };
    assert!(run(&npy("<f4", "(3, 4)", &[0; 48])).contains("shape"));
    assert!(run(&npy("<c8", "(3, 120, 160)", &[0; 8 * 57_600])).contains("astype"));
    run(&npy("<f4", "(3, 120, 160)", &[0; 10]));
    run(b"nonsense");
}

#[test]
fn integers_for_a_float_input_are_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let run = |dtype: &str, size: usize| {
        let path = folder.path().join("x.npy");
        let output = folder.path().join("y.npy");
        std::fs::write(&path, npy(dtype, "(3, 120, 160)", &vec![0; size * 57_600])).unwrap();
        let (path, to) = (text(&path), text(&output));
        let args = ["run", &cells(), "--input", &path, "--output", &to, "--json"];
        assert_eq!(microtome(&args).json()["samples"], 1);
        std::fs::read(output).unwrap()
    };
    // Zeros of any type are the same input.
    let wanted = run("<f4", 4);
    for (dtype, size) in [("<i8", 8), ("<i4", 4), ("|u1", 1)] {
        assert_eq!(run(dtype, size), wanted, "{dtype}");
    }
}

#[test]
fn usage_errors_are_told_from_failures() {
    for args in [
        &["run"][..],
        &["nonsense"],
        &["run", "x.onnx", "--input", "y", "--backend", "z"],
    ] {
        assert_eq!(microtome(args).status(), Some(2), "{args:?}");
    }
}

#[test]
fn a_daemon_without_its_device_or_with_a_bad_configuration_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("daemon.toml");
    std::fs::write(&config, "nonsense = 1\n").unwrap();
    let error = microtome(&["daemon", "--config", &text(&config)]).error();
    assert!(
        error.contains("daemon.toml") && error.contains("nonsense"),
        "{error}"
    );
}

#[test]
fn firmware_that_is_not_there_is_named() {
    let input = text(&root().join("models/cells/golden.npz"));
    let args = [
        "run",
        &cells(),
        "--input",
        &input,
        "--backend",
        "sim",
        "--firmware",
        "/no/image",
    ];
    assert!(microtome(&args).error().contains("/no/image"));
}
