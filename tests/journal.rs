//! The journal through the command: audits and exports.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod bench;
mod support;

use bench::{Bench, text};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use support::microtome;

#[test]
fn a_journal_is_exported_while_the_daemon_writes_and_audited_after() {
    let bench = Bench::new("");
    let mut daemon = bench.daemon();
    daemon.wait_for("connected");
    while !Path::new(&bench.journal()).exists() || bench.exported(&[]).len() < 5 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let lines = bench.exported(&["--device", "scope", "--from", "2020-01-01"]);
    assert!(lines.len() >= 5);
    assert_eq!(
        lines[0]["provenance"]["calibration"]["name"],
        "of this test"
    );
    assert!(bench.exported(&["--device", "another"]).is_empty());
    assert!(
        bench
            .exported(&["--until", "2020-01-01T00:00:00Z"])
            .is_empty()
    );
    daemon.terminate();

    let journal = bench.journal();
    let audit = microtome(&["audit", &journal, "--json"]).json();
    let count = audit["records"].as_u64().unwrap();
    let noted = format!("{}:{}", count - 1, audit["head"].as_str().unwrap());
    let args = ["audit", &journal, "--noted", &noted, "--json"];
    assert!(microtome(&args).json()["break"].is_null());

    for (format, begin) in [
        ("csv", &b"index,host_time_us"[..]),
        ("parquet", &b"PAR1"[..]),
    ] {
        let output = text(&bench.folder.path().join(format));
        let args = [
            "export", &journal, "--format", format, "-o", &output, "--json",
        ];
        assert_eq!(microtome(&args).json()["records"], count);
        assert!(std::fs::read(output).unwrap().starts_with(begin));
    }

    for (format, ending) in [("ome-tiff", ".ome.tiff"), ("npy", ".npy")] {
        let output = bench.folder.path().join(format).join("frames");
        let args = [
            "export",
            &journal,
            "--format",
            format,
            "-o",
            &text(&output),
            "--json",
        ];
        let json = microtome(&args).json();
        assert_eq!(json["frames"], audit["frames"]);
        let files = std::fs::read_dir(&output).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        let has_ending = |name: &&OsString| name.to_str().unwrap().ends_with(ending);
        assert!(names.len() as u64 >= json["files"].as_u64().unwrap());
        assert_eq!(names.iter().filter(has_ending).count(), names.len());
    }
    let latency = microtome(&["latency", &journal, "--device", "scope", "--json"]).json();
    let device = &latency["devices"]["scope"];
    assert_eq!(device["counts"]["results"], count);
    assert_eq!(device["latency_us"]["total"]["count"], count);
    assert_eq!(device["counts"]["lost"], 0);
    let args = ["latency", &journal, "--until", "2020-01-01"];
    assert!(microtome(&args).error().contains("no such result"));

    // A digit of the newest record that is not in the database's own checksums' reach.
    let bytes = std::fs::read(&journal).unwrap();
    let needle = format!("\"sequence\":{},\"acquisition\":", count - 1);
    let at = bytes
        .windows(needle.len())
        .rposition(|window| window == needle.as_bytes());
    let mut damaged = bytes.clone();
    damaged[at.unwrap() + needle.len()] ^= 1;
    std::fs::write(&journal, damaged).unwrap();
    let error = microtome(&["audit", &journal]).error();
    let broken = format!("the chain breaks at record {}", count - 1);
    assert!(
        error.contains(&broken) && error.contains("altered"),
        "{error}"
    );

    let error = microtome(&["audit", "Cargo.toml"]).error();
    assert!(error.contains("journal Cargo.toml"), "{error}");
}
