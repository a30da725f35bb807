//! The structure that `docs/architecture.md` draws is the one that the code has.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use support::root;

const PREFIX: &str = "microtome-";

/// Folder, and allowed dependencies, of each crate in the architecture page's table.
fn drawn() -> BTreeMap<String, (PathBuf, BTreeSet<String>)> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| microtome"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let allowed = cells[3]
            .split_whitespace()
            .map(|name| format!("{PREFIX}{name}"));
        (
            cells[1].to_owned(),
            (root().join(cells[2]), allowed.collect()),
        )
    })
    .collect()
}

fn manifest(folder: &Path) -> toml::Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.parse().unwrap()
}

/// Our own crates that `folder` depends on in a product build.
fn dependencies(folder: &Path) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let mut tables = vec![manifest.get("dependencies")];
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    tables.extend(
        targets
            .into_iter()
            .flat_map(toml::Table::values)
            .map(|t| t.get("dependencies")),
    );
    let names = tables
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_table);
    names
        .flat_map(toml::Table::keys)
        .filter(|name| name.starts_with(PREFIX))
        .cloned()
        .collect()
}

/// Every file below `folder` with one of the extensions, build output left out.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, extensions));
        } else if extensions
            .iter()
            .any(|wanted| path.extension().is_some_and(|e| e == *wanted))
        {
            found.push(path);
        }
    }
    found
}

#[test]
fn crates_depend_on_what_the_architecture_page_draws() {
    let drawn = drawn();
    assert!(drawn.len() > 10, "the table was not found");
    for (name, (folder, allowed)) in &drawn {
        let has = dependencies(folder);
        assert_eq!(
            manifest(folder)["package"]["name"].as_str(),
            Some(name.as_str()),
            "{folder:?}"
        );
        let extra: Vec<_> = has.difference(allowed).collect();
        assert!(
            extra.is_empty(),
            "{name} depends on {extra:?}, which the page does not draw"
        );
        let unused: Vec<_> = allowed.difference(&has).collect();
        assert!(
            unused.is_empty(),
            "the page lets {name} depend on {unused:?}; it does not"
        );
    }
}

#[test]
fn every_crate_is_drawn() {
    let drawn: BTreeSet<PathBuf> = drawn().into_values().map(|(folder, _)| folder).collect();
    for part in ["runtime", "firmware", "host"] {
        for path in files(&root().join(part), &["toml"]) {
            let folder = path.parent().unwrap();
            let is_crate = path.file_name().unwrap() == "Cargo.toml";
            assert!(
                !is_crate || drawn.contains(folder),
                "{folder:?} is not on the page"
            );
        }
    }
}

#[test]
fn only_import_and_lower_name_tract() {
    let compiler = root().join("runtime/compiler/src");
    let allowed = [compiler.join("import"), compiler.join("lower")];
    for part in ["runtime", "firmware", "host"] {
        for path in files(&root().join(part), &["rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.contains("tract_onnx") || text.contains("tract_pulse");
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            let may = is_test || allowed.iter().any(|folder| path.starts_with(folder));
            assert!(!names || may, "{path:?} names tract");
        }
    }
}

#[test]
fn no_board_is_named_outside_of_its_folder() {
    let boards = root().join("firmware/boards");
    // `sim` is also a common word; as a board it is only named in quotes.
    let names: Vec<String> = fs::read_dir(&boards)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("board.toml").is_file())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 2, "no board was found");
    for part in ["runtime", "firmware/app", "host"] {
        for path in files(&root().join(part), &["rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            let product = text.split("#[cfg(test)]").next().unwrap();
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            for name in &names {
                let named = product.contains(&format!("\"{name}\""));
                assert!(is_test || !named, "{path:?} names the board {name}");
            }
        }
    }
}

#[test]
fn unsafe_code_stands_only_in_boards_and_isa_folders() {
    let allowed = [
        root().join("firmware/boards"),
        root().join("runtime/kernels/src/arch"),
    ];
    for part in ["runtime", "firmware", "host", "benches", "tests"] {
        for path in files(&root().join(part), &["rs"]) {
            let text = fs::read_to_string(&path).unwrap();
            let has = text.lines().any(|line| {
                let code = line.split("//").next().unwrap();
                code.contains("unsafe {")
                    || code.contains("unsafe fn")
                    || code.contains("unsafe impl")
            });
            let may = allowed.iter().any(|folder| path.starts_with(folder));
            assert!(
                !has || may || path.ends_with("tests/structure.rs"),
                "{path:?} has unsafe code"
            );
        }
    }
}

#[test]
fn the_limits_that_the_page_states_are_those_of_the_code() {
    let page = fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let mut count = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        // `path`: `NAME = value`
        let Some((path, rest)) = row.split_once("| `").and_then(|it| it.1.split_once("`: `"))
        else {
            continue;
        };
        let (name, value) = rest.split('`').next().unwrap().split_once(" = ").unwrap();
        let text =
            fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let begin = format!("const {name}: ");
        let mut stated = text.lines().filter_map(|line| line.split_once(&begin));
        let stated = stated.next().and_then(|it| it.1.split_once(" = "));
        let stated = stated.map(|it| it.1.trim_end_matches(';'));
        assert_eq!(stated, Some(value), "{name} in {path}");
        count += 1;
    }
    assert!(count > 50, "the tables were not found");
}
