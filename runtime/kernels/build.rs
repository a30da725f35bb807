//! Names the instruction set that `src/arch` has kernels for, as `cfg(kernels_isa = "…")`.
//!
//! Stable Rust tells no crate whether an Arm core has the DSP extension; the target's name does.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(kernels_isa, values(\"armv7em\"))");
    let target = std::env::var("TARGET").unwrap_or_default();
    if target.starts_with("thumbv7em-") {
        println!("cargo::rustc-cfg=kernels_isa=\"armv7em\"");
    }
}
