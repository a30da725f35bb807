//! Who may do what.

use crate::support::{Bench, tokens};
use microtome_api::{ApiConfig, Hub, Scope, Server};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Every route with the scope that it needs, and what it answers to those who have it.
const ROUTES: [(&str, &str, Option<Scope>, u16); 13] = [
    ("GET", "/healthz", None, 200),
    ("GET", "/openapi.json", None, 200),
    ("GET", "/v1/devices", Some(Scope::Read), 200),
    ("GET", "/v1/devices/left", Some(Scope::Read), 200),
    ("GET", "/v1/results", Some(Scope::Read), 200),
    // It is a WebSocket.
    ("GET", "/v1/results/stream", Some(Scope::Read), 400),
    ("GET", "/v1/plans", Some(Scope::Read), 200),
    ("GET", "/v1/audit/head", Some(Scope::Read), 200),
    ("GET", "/metrics", Some(Scope::Read), 200),
    // Their bodies are missing.
    (
        "POST",
        "/v1/devices/left/acquisition",
        Some(Scope::Run),
        415,
    ),
    ("PUT", "/v1/devices/left/offload", Some(Scope::Run), 415),
    ("POST", "/v1/plans/same/run", Some(Scope::Run), 415),
    ("POST", "/v1/devices/left/update", Some(Scope::Update), 415),
];

const SCOPES: [&[Scope]; 5] = [
    &[],
    &[Scope::Read],
    &[Scope::Run],
    &[Scope::Update],
    &[Scope::Read, Scope::Run, Scope::Update],
];

async fn bench(change: impl FnOnce(&mut ApiConfig)) -> (Bench, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (path, made) = tokens(folder.path(), &SCOPES);
    let bench = Bench::new(|config| {
        config.tokens = Some(path);
        config.limits.requests_burst = 1000;
        change(config);
    });
    (bench.await, made)
}

#[tokio::test]
async fn each_route_takes_those_with_its_scope_and_no_others() {
    let (bench, tokens) = bench(|config| config.open_loopback.clear()).await;
    for (method, path, scope, status) in ROUTES {
        let response = bench.ask(method, path, &[], b"").await;
        match scope {
            None => assert_eq!(response.status, status, "{path}"),
            Some(scope) => {
                let detail = response.problem(401);
                assert!(detail.contains(&format!("--scope {scope}")), "{detail}");
                assert!(response.head.contains("www-authenticate: bearer"));
            }
        }
        for (token, scopes) in tokens.iter().zip(SCOPES) {
            let bearer = format!("Bearer {token}");
            let response = bench
                .ask(method, path, &[("authorization", &bearer)], b"")
                .await;
            let may = scope.is_none_or(|scope| scopes.contains(&scope));
            let expected = if may { status } else { 403 };
            assert_eq!(response.status, expected, "{method} {path} with {scopes:?}");
        }
    }
}

#[tokio::test]
async fn on_loopback_reading_is_open_and_nothing_else() {
    let (bench, tokens) = bench(|_| ()).await;
    for (method, path, scope, status) in ROUTES {
        let response = bench.ask(method, path, &[], b"").await;
        let is_open = matches!(scope, None | Some(Scope::Read));
        assert_eq!(
            response.status,
            if is_open { status } else { 401 },
            "{path}"
        );
    }
    // A token that is there must be known, even where none is needed.
    for wrong in [
        format!("Bearer {}x", tokens[1]),
        "Bearer ".to_owned(),
        "Basic YTpi".to_owned(),
        tokens[1].clone(),
    ] {
        let response = bench
            .ask("GET", "/v1/devices", &[("authorization", &wrong)], b"")
            .await;
        response.problem(401);
    }
    let bearer = format!("bearer  {}", tokens[0]);
    let headers = [("authorization", &*bearer), ("authorization", &bearer)];
    bench
        .ask("GET", "/v1/devices", &headers, b"")
        .await
        .problem(400);
    let response = bench.ask("GET", "/v1/devices", &headers[..1], b"").await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn loopback_can_be_opened_and_has_no_tokens_then() {
    let bench = Bench::new(|config| config.open_loopback = SCOPES[4].to_vec()).await;
    for (method, path, _, status) in ROUTES {
        let response = bench.ask(method, path, &[], b"").await;
        assert_eq!(response.status, status, "{path}");
    }
}

#[tokio::test]
async fn requests_for_other_hosts_are_refused_on_loopback() {
    let bench = Bench::new(|config| config.hosts.push("bench-7.lab".to_owned())).await;
    let port = bench.address.port();
    for host in [
        "localhost".to_owned(),
        format!("LOCALHOST:{port}"),
        format!("127.0.0.1:{port}"),
        "[::1]:1".to_owned(),
        "Bench-7.lab".to_owned(),
    ] {
        let response = bench
            .ask("GET", "/v1/devices", &[("host", &host)], b"")
            .await;
        assert_eq!(response.status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
        "192.0.2.1",
        "0.0.0.0",
    ] {
        let response = bench
            .ask("GET", "/v1/devices", &[("host", host)], b"")
            .await;
        let detail = response.problem(421);
        assert!(detail.contains("`hosts`"), "{detail}");
        // Not even what needs no token.
        let response = bench.ask("GET", "/healthz", &[("host", host)], b"").await;
        response.problem(421);
    }
    let twice = [("host", "localhost"), ("host", "evil.example")];
    bench.ask("GET", "/healthz", &twice, b"").await.problem(400);
    // The target of a request counts before its header.
    let absolute = bench
        .ask("GET", "http://evil.example/healthz", &[], b"")
        .await;
    absolute.problem(421);
    bench
        .ask("GET", "/healthz", &[("host", "a b")], b"")
        .await
        .problem(400);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let bench = Bench::new(|config| {
        config.open_loopback = SCOPES[4].to_vec();
        config.hosts.push("board.lab".to_owned());
    });
    let bench = bench.await;
    let json = r#"{"acquire":false}"#.as_bytes();
    for (origin, status) in [
        ("http://localhost", 200),
        ("https://board.lab:4443", 200),
        ("http://localhost:3000", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ] {
        let headers = [("origin", origin), ("content-type", "application/json")];
        let path = "/v1/devices/left/acquisition";
        let response = bench.ask("POST", path, &headers, json).await;
        assert_eq!(response.status, status, "{origin}");
        assert!(!response.head.contains("access-control"));
    }
}

#[tokio::test]
async fn beyond_loopback_there_is_no_api_without_tls_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let refused = async |change: &dyn Fn(&mut ApiConfig)| {
        let mut config = ApiConfig {
            listen: SocketAddr::from(([0, 0, 0, 0], 0)),
            ..ApiConfig::default()
        };
        change(&mut config);
        let hub = Arc::new(Hub::new(Path::new("journal"), "build"));
        let host = Bench::new(|_| ()).await.host;
        Server::bind(&config, hub, host)
            .await
            .unwrap_err()
            .to_string()
    };
    let error = refused(&|_| ()).await;
    assert!(
        error.contains("api.listen") && error.contains("tls_cert"),
        "{error}"
    );
    let with_tls = |config: &mut ApiConfig| {
        config.tls_cert = Some("cert.pem".into());
        config.tls_key = Some("key.pem".into());
    };
    let error = refused(&with_tls).await;
    assert!(error.contains("microtome token"), "{error}");
    let empty = folder.path().join("tokens.toml");
    std::fs::write(&empty, "").unwrap();
    let with_no_token = |config: &mut ApiConfig| {
        with_tls(config);
        config.tokens = Some(empty.clone());
    };
    let error = refused(&with_no_token).await;
    assert!(
        error.contains("api.tokens") && error.contains("no token"),
        "{error}"
    );
}
