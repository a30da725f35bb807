//! The HTTP API of a daemon as a process, with a board that acquires.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod bench;
mod support;

use bench::{Bench, Running, text};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use support::{microtome, root};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

/// Longer than anything takes here.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// A daemon that serves its API.
struct Served {
    bench: Bench,
    daemon: Running,
    /// `127.0.0.1:` and the port.
    address: String,
    /// A token.
    token: String,
}

impl Served {
    /// The token has these scopes.
    fn to(scopes: &str) -> Self {
        let api = "[api]\nlisten = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"\nrun = [\"cells\"]";
        let bench = Bench::new(api);
        let file = text(&bench.folder.path().join("tokens.toml"));
        let args = [
            "token", "--name", "test", "--scope", scopes, "--file", &file, "--json",
        ];
        let token = microtome(&args).json()["token"]
            .as_str()
            .unwrap()
            .to_owned();
        let mut daemon = bench.daemon();
        let said = daemon.wait_for("serves the API on http://");
        let address = said.split("http://").nth(1).unwrap().trim().to_owned();
        Self {
            bench,
            daemon,
            address,
            token,
        }
    }

    /// The body of an answer, which must have this status.
    fn ask(&self, status: u16, method: &str, path: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             authorization: Bearer {}\r\ncontent-type: {media_type}\r\n\
             content-length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.expect("an answer") + 4);
        let head = String::from_utf8_lossy(head);
        let found = head.split(' ').nth(1).unwrap();
        let text = String::from_utf8_lossy(body);
        assert_eq!(found, status.to_string(), "{method} {path}: {text}");
        body.to_vec()
    }

    fn get(&self, path: &str) -> Value {
        serde_json::from_slice(&self.ask(200, "GET", path, "", b"")).unwrap()
    }

    fn acquire(&self, acquire: bool) {
        let json = format!(r#"{{"acquire":{acquire}}}"#);
        let path = "/v1/devices/scope/acquisition";
        self.ask(200, "POST", path, "application/json", json.as_bytes());
        self.wait_for_state(if acquire { "acquiring" } else { "idle" });
    }

    fn wait_for_state(&self, kind: &str) -> Value {
        loop {
            let device = self.get("/v1/devices/scope");
            if device["state"]["kind"] == kind {
                return device;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        stream
    }

    fn stream(&self, query: &str) -> WebSocket<TcpStream> {
        let url = format!("ws://{}/v1/results/stream?{query}", self.address);
        let request = url.into_client_request().unwrap();
        tungstenite::client(request, self.connect()).unwrap().0
    }

    /// All results, page by page.
    fn results(&self) -> Vec<Value> {
        let (mut results, mut after) = (Vec::new(), -1);
        loop {
            let page = self.get(&format!("/v1/results?limit=50&after={after}"));
            results.extend(page["results"].as_array().unwrap().iter().cloned());
            after = page["after"].as_i64().unwrap();
            if page["more"] == false {
                return results;
            }
        }
    }
}

/// The next result of a stream.
fn next(stream: &mut WebSocket<TcpStream>) -> Value {
    loop {
        match stream.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(frame) => panic!("the stream ends: {frame:?}"),
            _ => {}
        }
    }
}

#[test]
fn results_pages_stream_and_metrics_are_those_of_the_journal() {
    let mut served = Served::to("read,run");
    let device = served.wait_for_state("acquiring");
    assert_eq!(device["board"]["model"], "cells");

    // The stream has everything, from before it was opened and from after.
    let mut stream = served.stream("after=-1");
    let streamed: Vec<Value> = (0..20).map(|_| next(&mut stream)).collect();
    drop(stream);
    let mut stream = served.stream("after=19&device=scope");
    assert_eq!(next(&mut stream)["index"], 20);
    drop(stream);

    // While acquisition is off nothing comes; the line is free for others.
    served.acquire(false);
    let counted = served.get("/v1/devices/scope");
    let results = served.results();
    assert_eq!(counted["results"]["frames"], results.len());
    assert_eq!(counted["sessions"], 1);
    assert_eq!(streamed[..], results[..20]);
    let exported = served.bench.exported(&[]);
    assert_eq!(results, exported);

    // What was counted is what the journal has.
    let metrics = served.ask(200, "GET", "/metrics", "", b"");
    let metrics = String::from_utf8(metrics).unwrap();
    for origin in [
        "board",
        "host",
        "board_after_deadline",
        "board_after_no_answer",
    ] {
        let count = results
            .iter()
            .filter(|it| it["record"]["origin"] == origin)
            .count();
        let line =
            format!("microtome_results_total{{device=\"scope\",origin=\"{origin}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    let lost = "microtome_lost_total{device=\"scope\"} 0\n";
    assert!(metrics.contains(lost), "{metrics}");

    // It goes on where it was, with the next result of the same board.
    let mut stream = served.stream("");
    served.acquire(true);
    let first = next(&mut stream);
    assert_eq!(first["index"], results.len());
    assert_eq!(first["record"]["boot"], results[0]["record"]["boot"]);
    assert_eq!(served.get("/v1/devices/scope")["sessions"], 2);

    // The head that the API tells of is one that the audit knows, also when all is over.
    let noted = served.get("/v1/audit/head")["noted"]
        .as_str()
        .unwrap()
        .to_owned();
    served.daemon.terminate();
    let journal = served.bench.journal();
    let audit = microtome(&["audit", &journal, "--noted", &noted, "--json"]).json();
    assert!(audit["break"].is_null(), "{audit}");
    assert!(audit["records"].as_u64().unwrap() > results.len() as u64);
}

#[test]
fn a_plan_runs_over_the_api_that_is_the_one_of_the_command_line() {
    let mut served = Served::to("read,run");
    let plan = text(&served.bench.folder.path().join("cells.mtp"));
    let plans = served.get("/v1/plans");
    let cells = plans["plans"].as_array().unwrap();
    let cells = cells.iter().find(|plan| plan["model"] == "cells").unwrap();
    let port = &cells["inputs"][0];
    let shape: Vec<u64> = port["shape"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_u64().unwrap())
        .collect();
    let len: u64 = shape.iter().product();
    let elements: Vec<u8> = (0..len).map(|at| (at * 37 % 251) as u8).collect();
    let shape = shape
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let npy = support::npy("|i1", &format!("({shape})"), &elements);

    let path = "/v1/plans/cells/run";
    let ran = served.ask(200, "POST", path, "application/x-npy", &npy);
    let ran: Value = serde_json::from_slice(&ran).unwrap();
    let input = text(&served.bench.folder.path().join("x.npy"));
    std::fs::write(&input, &npy).unwrap();
    let args = [
        "run",
        &plan,
        "--input",
        &input,
        "--backend",
        "cpu",
        "--json",
    ];
    assert_eq!(ran["plan"], microtome(&args).json()["plan_hash"]);
    assert!(ran["executor"].as_str().unwrap().starts_with("cpu"));
    assert_eq!(
        ran["outputs"].as_array().unwrap().len(),
        cells["outputs"].as_array().unwrap().len()
    );

    // The token does not permit updates.
    let path = "/v1/devices/scope/update";
    served.ask(403, "POST", path, "application/octet-stream", b"");
    served.daemon.terminate();
}

#[test]
fn a_board_that_acquires_is_updated() {
    let mut served = Served::to("read,update");
    served.wait_for_state("acquiring");
    let file = |name: &str| text(&served.bench.folder.path().join(name));
    // Packed for another processor, so that it is another plan of the same model.
    std::fs::create_dir(file("new")).unwrap();
    let (model, plan) = (
        text(&root().join("models/cells/cells.onnx")),
        file("new/new.mtp"),
    );
    let compiled = microtome(&["compile", &model, "--target", "cpu", "-o", &plan]);
    assert_eq!(compiled.status(), Some(0));
    let golden = text(&root().join("models/cells/golden.npz"));
    let packed = file("new/new.mtu");
    let args = ["pack", &plan, "-o", &packed, "--golden", &golden, "--json"];
    let new = microtome(&args).json()["plan_hash"].clone();
    let mut package = std::fs::read(&packed).unwrap();

    let path = "/v1/devices/scope/update";
    let octets = "application/octet-stream";
    let old = served.get("/v1/devices/scope")["board"]["plan"].clone();
    assert_ne!(old, new);
    package[1000] ^= 1;
    let refused = served.ask(409, "POST", path, octets, &package);
    assert!(String::from_utf8_lossy(&refused).contains("damaged"));
    assert_eq!(served.get("/v1/devices/scope")["board"]["plan"], old);
    package[1000] ^= 1;
    served.ask(200, "POST", path, octets, &package);
    served.wait_for_state("acquiring");
    assert_eq!(served.get("/v1/devices/scope")["board"]["plan"], new);

    // Until a result of the new plan is there.
    let count = served.get("/v1/devices/scope")["results"]["frames"]
        .as_u64()
        .unwrap();
    while served.get("/v1/devices/scope")["results"]["frames"]
        .as_u64()
        .unwrap()
        < count + 3
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    served.daemon.terminate();
    let lines = served.bench.exported(&[]);
    let plans: Vec<_> = lines
        .iter()
        .map(|line| &line["provenance"]["plan"])
        .collect();
    let first = plans.iter().position(|plan| **plan == new).unwrap();
    assert!(plans[..first].iter().all(|plan| **plan == old) && first > 0);
    assert!(plans[first..].iter().all(|plan| **plan == new));
    // It started once, and none of its results is missing.
    let numbers = lines
        .iter()
        .map(|line| line["record"]["sequence"].as_u64().unwrap());
    assert!(numbers.eq(0..lines.len() as u64));
}
