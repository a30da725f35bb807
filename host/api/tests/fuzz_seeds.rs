//! The fuzz target of the API on its seeds, and on edits of each; see tests/fuzz/README.md.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

#[path = "../../../tests/fuzz/http.rs"]
mod http;

use http::http;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn seeds() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds/http");
    let paths = fs::read_dir(folder).unwrap();
    let paths = paths.map(|entry| entry.unwrap().path());
    let seeds = paths.map(|path| (path.clone(), fs::read(path).unwrap()));
    seeds.collect()
}

#[test]
fn every_seed_is_accepted() {
    let seeds = seeds();
    assert!(seeds.len() > 1, "there are no seeds");
    for (path, seed) in seeds {
        assert!(http(&seed), "{path:?} is no longer accepted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_seed_ends_in_values_or_an_error(
        seed in proptest::sample::select(seeds()),
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in 0_usize..20,
    ) {
        let mut bytes = seed.1;
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - cut);
        http(&bytes);
    }

    #[test]
    fn any_bytes_end_in_values_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        http(&bytes);
    }
}
