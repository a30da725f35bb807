//! Any bytes as what is sent to the HTTP API.
#![no_main]

use libfuzzer_sys::fuzz_target;
use microtome_fuzz::{abort_on_our_panics, http};

fuzz_target!(init: abort_on_our_panics(), |bytes: &[u8]| {
    http::http(bytes);
});
