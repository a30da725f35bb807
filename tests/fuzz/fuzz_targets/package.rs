//! Any bytes as an update package are refused, or come back as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use microtome_fuzz::{abort_on_our_panics, targets};

fuzz_target!(init: abort_on_our_panics(), |bytes: &[u8]| {
    targets::package(bytes);
});
