//! The fuzz targets, for libFuzzer. What they check is in `targets.rs` and `http.rs`, which the
//! ordinary tests use as well.

#[path = "../http.rs"]
pub mod http;
#[path = "../targets.rs"]
pub mod targets;

/// Ends the process at a panic of our own code. tract panics on some hostile models by design, and
/// the compiler makes an error of that; a panic that leaves the target ends the process anyway.
pub fn abort_on_our_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let file = panic.location().map_or("", |location| location.file());
        let is_tracts = file.contains("tract-") || file.contains("ndarray");
        if !is_tracts {
            eprintln!("{panic}");
            report(panic);
            std::process::abort();
        }
    }));
}
