//! Each limit, hit.

use crate::support::{Bench, Response, ask, soon};
use microtome_api::Scope;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ALL: [Scope; 3] = [Scope::Read, Scope::Run, Scope::Update];
const OCTETS: (&str, &str) = ("content-type", "application/octet-stream");

/// What comes back for `bytes`, until the server closes.
async fn answer(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer
}

fn status(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn bodies_have_a_length() {
    let bench = Bench::new(|config| {
        config.open_loopback = ALL.to_vec();
        config.limits.input_bytes_max = 1000;
        config.limits.update_bytes_max = 2000;
    });
    let bench = bench.await;
    let json = [("content-type", "application/json")];
    for (path, headers, len_max) in [
        ("/v1/plans/same/run", [OCTETS], 1000),
        ("/v1/devices/left/update", [OCTETS], 2000),
        ("/v1/devices/left/acquisition", json, 4096),
    ] {
        let body = vec![b' '; len_max + 1];
        let detail = bench.ask("POST", path, &headers, &body).await.problem(413);
        assert!(detail.contains(&len_max.to_string()), "{detail}");
        // Without a length that is announced, what comes is counted.
        let [header] = headers;
        let chunked = [
            header,
            ("transfer-encoding", "chunked"),
            ("content-length", ""),
        ];
        let chunked = &chunked[..2];
        let mut body = format!("{:x}\r\n", len_max + 1).into_bytes();
        body.resize(body.len() + len_max + 1, b' ');
        body.extend(b"\r\n0\r\n\r\n");
        let response = raw(bench.address, "POST", path, chunked, &body).await;
        response.problem(413);
    }
}

/// A request whose headers are these alone.
async fn raw(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let bytes = [head.as_bytes(), body].concat();
    Response::parse(&answer(address, &bytes).await)
}

#[tokio::test]
async fn heads_have_a_length() {
    let bench = Bench::new(|_| ()).await;
    let head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n";
    let long = format!("{head}x: {}\r\n\r\n", "x".repeat(20 << 10));
    assert_eq!(status(&answer(bench.address, long.as_bytes()).await), "431");
    let many = format!("{head}{}\r\n", "x: y\r\n".repeat(100));
    assert_eq!(status(&answer(bench.address, many.as_bytes()).await), "431");
    let path = format!("GET /{} HTTP/1.1\r\n", "x".repeat(20 << 10));
    let answered = status(&answer(bench.address, path.as_bytes()).await);
    assert!(["414", "431"].contains(&&*answered), "{answered}");
}

#[tokio::test]
async fn requests_have_a_rate() {
    let bench = Bench::new(|config| {
        config.limits.requests_per_s = 1;
        config.limits.requests_burst = 5;
    });
    let bench = bench.await;
    let mut refused = None;
    for _ in 0..50 {
        let response = bench.get("/healthz").await;
        if response.status != 200 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("the fiftieth is too many");
    assert!(refused.problem(429).contains("Retry-After"));
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    // So are those without a token that is known.
    let wrong = [("authorization", "Bearer mt_x")];
    bench.ask("GET", "/healthz", &wrong, b"").await.problem(429);
}

#[tokio::test]
async fn connections_have_a_number() {
    let bench = Bench::new(|config| {
        config.limits.connections_per_address = 3;
        config.limits.connections = 5;
    });
    let bench = bench.await;
    let from = async |host: [u8; 4]| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((host, 0))).unwrap();
        let mut stream = socket.connect(bench.address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let mut first = [0];
        let _ = stream.write_all(request).await;
        let read = soon(stream.read(&mut first)).await;
        // It stays open, for another request.
        read.is_ok_and(|len| len == 1).then_some(stream)
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(from([127, 0, 0, 1]).await.expect("there is room"));
    }
    assert!(
        from([127, 0, 0, 1]).await.is_none(),
        "a fourth of one address"
    );
    held.push(
        from([127, 0, 0, 2])
            .await
            .expect("there is room for another"),
    );
    held.push(
        from([127, 0, 0, 2])
            .await
            .expect("there is room for another"),
    );
    assert!(from([127, 0, 0, 3]).await.is_none(), "a sixth of all");
    held.clear();
    soon(async {
        while from([127, 0, 0, 3]).await.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn clients_that_dawdle_are_given_up() {
    let bench = Bench::new(|config| {
        config.open_loopback = ALL.to_vec();
        config.limits.header_timeout_s = 1;
        config.limits.body_timeout_s = 1;
    });
    let bench = bench.await;
    let address = bench.address;
    // Nothing, half a head, and nothing after a request.
    assert_eq!(answer(address, b"").await, b"");
    let half = answer(address, b"GET /healthz HT").await;
    assert!(half.is_empty() || status(&half) == "408", "{half:?}");
    let idle = answer(address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(status(&idle), "200");
    // Half a body.
    let headers = [OCTETS, ("content-length", "6")];
    let response = ask(
        TcpStream::connect(address).await.unwrap(),
        "POST",
        "/v1/plans/same/run",
        &headers,
        b"abc",
    );
    soon(response).await.problem(408);
    // Drop by drop.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let slow = async {
        for byte in b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyy" {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it is heard to the end");
    };
    soon(slow).await;
}

#[tokio::test]
async fn runs_have_a_number() {
    let bench = Bench::new(|config| {
        config.open_loopback = ALL.to_vec();
        config.limits.runs = 2;
    });
    let bench = bench.await;
    let path = "/v1/plans/never/run";
    let begin = async || {
        let mut stream = TcpStream::connect(bench.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\n{}: {}\r\n\r\nabcdef",
            OCTETS.0, OCTETS.1
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let held = [begin().await, begin().await];
    let running = || bench.host.running.load(Ordering::Relaxed);
    soon(async {
        while running() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let refused = bench.ask("POST", path, &[OCTETS], b"abcdef").await;
    refused.problem(503);
    assert!(refused.head.contains("retry-after"));
    // Who goes away gives his run up.
    drop(held);
    soon(async {
        while running() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn pages_have_a_length() {
    let bench = Bench::new(|config| config.limits.page_max = 10).await;
    bench.store("left", 30).await;
    let json = bench.get("/v1/results").await.json();
    assert_eq!(json["results"].as_array().unwrap().len(), 10);
    assert_eq!(json["more"], true);
    bench.get("/v1/results?limit=11").await.problem(400);
}
