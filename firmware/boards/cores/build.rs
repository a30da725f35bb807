//! Gives the linker the memory map of the emulated machine that runs a target's program.

use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if env::var("CARGO_CFG_TARGET_ARCH")? != "arm" {
        return Ok(());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let map = match env::var("TARGET")?.as_str() {
        "thumbv8m.main-none-eabi" => "an505.x",
        _ => "an385.x",
    };
    fs::copy(map, out.join("memory.x"))?;
    println!("cargo::rerun-if-changed={map}");
    println!("cargo::rustc-link-search={}", out.display());
    for argument in ["--nmagic", "-Tlink.x"] {
        println!("cargo::rustc-link-arg-bin=contract={argument}");
    }
    Ok(())
}
