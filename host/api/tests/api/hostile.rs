//! Whatever comes, the server goes on.

use crate::support::{Bench, Response, soon};
use microtome_api::Scope;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Sends `bytes` and reads what comes, until the server closes.
async fn send(bench: &Bench, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    answer
}

fn bench(runtime: &Runtime) -> Bench {
    runtime.block_on(Bench::new(|config| {
        config.open_loopback = vec![Scope::Read, Scope::Run, Scope::Update];
        config.limits.requests_per_s = 100_000;
        config.limits.requests_burst = 100_000;
        config.limits.header_timeout_s = 5;
    }))
}

/// Runs `case` for each of what `strategy` makes; the server must be well after each.
fn for_each<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
    case: impl AsyncFn(&Bench, T) -> Result<(), TestCaseError>,
) {
    let runtime = Runtime::new().unwrap();
    let bench = bench(&runtime);
    runtime.block_on(bench.store("left", 3));
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let done = runner.run(&strategy, |value| {
        runtime.block_on(async {
            case(&bench, value).await?;
            prop_assert_eq!(bench.get("/healthz").await.status, 200);
            Ok(())
        })
    });
    if let Err(error) = done {
        panic!("{error}");
    }
}

#[test]
fn any_bytes_on_the_socket_end_in_an_answer_or_a_close() {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..40),
        Just(b"GET /v1/results?after=1 HTTP/1.1\r\n".to_vec()),
        Just(b"POST /v1/plans/same/run HTTP/1.1\r\n".to_vec()),
        Just(b"host: localhost\r\n".to_vec()),
        Just(b"transfer-encoding: chunked\r\n".to_vec()),
        Just(b"content-length: 5\r\n".to_vec()),
        Just(b"content-type: application/x-npy\r\n".to_vec()),
        Just(b"connection: upgrade\r\nupgrade: websocket\r\n".to_vec()),
        Just(b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
    ];
    for_each(vec(piece, 0..12), async |bench, pieces| {
        send(bench, &pieces.concat()).await;
        Ok(())
    });
}

#[test]
fn any_body_ends_in_an_answer() {
    let route = prop_oneof![
        Just(("/v1/plans/same/run", "application/octet-stream")),
        Just(("/v1/plans/same/run", "application/x-npy")),
        Just(("/v1/devices/left/acquisition", "application/json")),
    ];
    let body = prop_oneof![
        vec(any::<u8>(), 0..600),
        "[\\[{\"a-z:,]{0,600}".prop_map(String::into_bytes),
        "[{}'a-z_:,<|()0-9 FT]{0,200}".prop_map(|head| {
            let len = (head.len() as u16).to_le_bytes();
            [b"\x93NUMPY\x01\x00", &len[..], head.as_bytes(), &[0; 24]].concat()
        }),
    ];
    for_each((route, body), async |bench, ((path, media_type), body)| {
        let headers = [("content-type", media_type)];
        let response = bench.ask("POST", path, &headers, &body).await;
        prop_assert!([200, 422].contains(&response.status), "{:?}", response);
        Ok(())
    });
}

#[test]
fn any_path_query_and_header_end_in_an_answer() {
    let path = prop_oneof![
        "/v1/(devices|plans|results|audit)(/[a-z%0-9.]{0,20}){0,3}",
        Just("/v1/results".to_owned()),
        Just("/v1/results/stream".to_owned()),
    ];
    let query = "(\\?([a-z_]{1,8}|after|limit|device|from_us)=[-0-9a-z%+&=]{0,30})?";
    let header = "[ -~]{0,60}";
    for_each(
        (path, query, header),
        async |bench, (path, query, header)| {
            for name in ["authorization", "origin", "host", "x"] {
                let target = format!("{path}{query}");
                let response = bench.ask("GET", &target, &[(name, &header)], b"").await;
                let known = [200, 400, 401, 403, 404, 405, 409, 421, 503];
                prop_assert!(known.contains(&response.status), "{:?}", response);
            }
            Ok(())
        },
    );
}

#[tokio::test]
async fn a_request_in_a_request_is_none() {
    let bench = Bench::new(|_| ()).await;
    // Two lengths, and a length beside chunks: whoever differs on them could smuggle.
    for lengths in [
        "content-length: 0\r\ncontent-length: 30\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: +5\r\n",
        "transfer-encoding: chunked, identity\r\n",
    ] {
        let hidden = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let bytes = format!("POST /healthz HTTP/1.1\r\nhost: localhost\r\n{lengths}\r\n{hidden}");
        let answer = send(&bench, bytes.as_bytes()).await;
        let answers = answer
            .windows(9)
            .filter(|window| window == b"HTTP/1.1 ")
            .count();
        assert!(
            answers <= 1,
            "{lengths}: {}",
            String::from_utf8_lossy(&answer)
        );
        assert_eq!(Response::parse(&answer).status, 400, "{lengths}");
    }
}
