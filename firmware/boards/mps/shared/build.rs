//! The build script of the boards of this family: gives the linker the board's memory map, and the
//! scripts of cortex-m-rt and defmt; and tells the firmware which build it is.

#[path = "../../build_identity.rs"]
mod build_identity;

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    build_identity::emit();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::copy("memory.x", out.join("memory.x"))?;
    println!("cargo::rerun-if-changed=memory.x");
    println!("cargo::rustc-link-search={}", out.display());
    for argument in ["--nmagic", "-Tlink.x"] {
        println!("cargo::rustc-link-arg={argument}");
    }
    println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    Ok(())
}
