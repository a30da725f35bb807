//! What the command reports of a model: the page, the facts, and where executors part.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod support;

use std::path::PathBuf;
use support::{microtome, root};

fn cells() -> String {
    text(root().join("models/cells/cells.onnx"))
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// Elements of HTML that have no end.
const VOID: &[&str] = &["meta", "br", "link"];

/// Checks that every element ends where it should.
fn assert_well_formed(page: &str) {
    let mut rest = page
        .strip_prefix("<!DOCTYPE html>")
        .expect("a page of HTML");
    let mut open = Vec::new();
    while let Some((_, behind)) = rest.split_once('<') {
        let (tag, behind) = behind.split_once('>').expect("a tag ends");
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        rest = behind;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
        } else {
            let name = tag.split_whitespace().next().unwrap();
            if !VOID.contains(&name) {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?} never end");
}

#[test]
fn the_page_has_every_step_buffer_and_node_and_needs_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.html");
    let html = text(path.clone());
    let json = microtome(&["inspect", &cells(), "--html", &html, "--json"]).json();
    let page = std::fs::read_to_string(path).unwrap();
    // A style's selectors have '>' in them, and no markup.
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    assert_well_formed(&format!("{head}{body}"));
    assert!(!page.contains("http") && !page.contains("<script"));
    let ops = json["ops"].as_array().unwrap();
    assert!(!ops.is_empty());
    for (index, op) in ops.iter().enumerate() {
        assert!(
            page.contains(&format!("id=\"step-{index}\"")),
            "step {index}"
        );
        assert!(page.contains(op["name"].as_str().unwrap()));
        assert_eq!(op["integer"], true);
        assert!(op["kernels"].is_string());
    }
    let buffers = json["buffers"].as_array().unwrap();
    let drawn = ["input", "activation", "output", "state", "scratch"]
        .map(|kind| page.matches(&format!("<rect class=\"{kind}\"")).count());
    assert_eq!(drawn.iter().sum::<usize>(), buffers.len());
    let nodes = json["nodes"].as_array().unwrap();
    assert!(
        nodes
            .iter()
            .all(|node| page.contains(node["fate"].as_str().unwrap()))
    );
    assert!(!nodes.is_empty());
}

#[test]
fn the_largest_live_set_of_the_buffers_is_the_lower_bound() {
    let json = microtome(&["inspect", &cells(), "--json"]).json();
    let buffers = json["buffers"].as_array().unwrap();
    let number = |value: &serde_json::Value| value.as_u64().unwrap();
    let live = |moment: u64| -> u64 {
        let lives = |it: &&serde_json::Value| {
            (number(&it["first"])..=number(&it["last"])).contains(&moment)
        };
        let size = |it: &serde_json::Value| {
            (number(&it["arena"][1]) - number(&it["arena"][0])).next_multiple_of(4)
        };
        buffers.iter().filter(lives).map(size).sum()
    };
    let end = json["ops"].as_array().unwrap().len() as u64 + 1;
    let largest = (0..=end).map(live).max();
    assert_eq!(largest, Some(number(&json["arena_lower_bound_bytes"])));
}

#[test]
fn a_plan_has_a_page_too() {
    let folder = tempfile::tempdir().unwrap();
    let [plan, html] = ["cells.mtp", "cells.html"].map(|name| text(folder.path().join(name)));
    microtome(&["compile", &cells(), "-o", &plan, "--json"]).json();
    let json = microtome(&["inspect", &plan, "--html", &html, "--json"]).json();
    assert_eq!(json["nodes"].as_array().map(Vec::len), Some(0));
    let page = std::fs::read_to_string(html).unwrap();
    assert!(page.contains("Memory over time") && !page.contains("became of the model"));
}

#[test]
fn comparing_with_tract_names_the_step_that_is_off() {
    let model = text(root().join("models/cells-heavy/cells-heavy.onnx"));
    let input = text(root().join("models/cells-heavy/golden.npz"));
    for backends in ["tract,cpu", "cpu,tract"] {
        let args = [
            "compare",
            &model,
            "--input",
            &input,
            "--backends",
            backends,
            "--json",
        ];
        let json = microtome(&args).json();
        assert_eq!(json["equal"], false);
        let output = &json["outputs"][0];
        assert!(output["max_lsb"].as_f64().unwrap() > 0.0);
        let first = &json["first_difference"];
        let index = first["index"].as_u64().unwrap() as usize;
        let ops = microtome(&["inspect", &model, "--json"]).json();
        assert_eq!(first["op"], ops["ops"][index]["name"]);
        assert!(first["max_lsb"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn executors_that_agree_have_no_first_difference() {
    let input = text(root().join("models/cells/golden.npz"));
    let cells = cells();
    let args = [
        "compare",
        &cells,
        "--input",
        &input,
        "--backends",
        "cpu,cpu",
        "--json",
    ];
    let json = microtome(&args).json();
    assert_eq!(json["equal"], true);
    assert!(json["first_difference"].is_null());
}
