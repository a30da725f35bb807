//! Names the instruction set that `src/arch` has kernels for, as `cfg(kernels_isa = "…")`.
//!
//! Stable Rust tells no crate whether an Arm core has the DSP extension; the target's name does.
//! Nor does it of Helium; the core that a board's flags name does.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(kernels_isa, values(\"armv7em\", \"armv81m\"))");
    let target = std::env::var("TARGET").unwrap_or_default();
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if flags.contains("target-cpu=cortex-m55") {
        println!("cargo::rustc-cfg=kernels_isa=\"armv81m\"");
    }
    if target.starts_with("thumbv7em-") {
        println!("cargo::rustc-cfg=kernels_isa=\"armv7em\"");
    }
}
