//! Embeds every `firmware/boards/*/board.toml`; a descriptor that does not parse fails the build.

#[path = "src/descriptor.rs"]
mod descriptor;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let boards = manifest.join("../../firmware/boards").canonicalize()?;
    println!("cargo::rerun-if-changed={}", boards.display());
    let mut folders = fs::read_dir(&boards)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    folders.sort();
    let mut list = String::from("&[\n");
    for folder in folders {
        let file = folder.join("board.toml");
        if file.is_file() {
            check(&folder, &file).map_err(|error| format!("{}: {error}", file.display()))?;
            writeln!(list, "    include_str!({:?}),", file.display().to_string())?;
        }
    }
    list.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("boards.rs"), list)?;
    Ok(())
}

fn check(folder: &Path, file: &Path) -> Result<(), Box<dyn Error>> {
    let board: descriptor::Board = toml::from_str(&fs::read_to_string(file)?)?;
    if folder.file_name().is_some_and(|name| *name == *board.name) {
        Ok(())
    } else {
        Err(format!(
            "the board's name is {:?}, not that of its folder",
            board.name
        )
        .into())
    }
}
