//! Any bytes as an ONNX file end in a plan or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use microtome_fuzz::{abort_on_our_panics, targets};

fuzz_target!(init: abort_on_our_panics(), |bytes: &[u8]| {
    targets::onnx(bytes);
});
