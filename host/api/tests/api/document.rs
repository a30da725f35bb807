//! The OpenAPI document lists what there is.

use crate::support::Bench;
use microtome_api::Scope;
use microtome_api::routes;
use std::collections::BTreeSet;

#[tokio::test]
async fn every_route_of_the_document_is_there_and_no_other() {
    let bench = Bench::new(|config| {
        config.open_loopback = vec![Scope::Read, Scope::Run, Scope::Update];
    });
    let bench = bench.await;
    let document = bench.get("/openapi.json").await.json();
    assert_eq!(document, serde_json::to_value(routes::document()).unwrap());
    let paths = document["paths"].as_object().unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in paths {
        for method in item.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    for (path, item) in paths {
        let real = path.replace("{name}", "left").replace("{plan}", "same");
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            let response = bench.ask(method, &real, &[], b"").await;
            let is_described = described.contains(&(method.to_owned(), path.clone()));
            assert_eq!(response.status != 405, is_described, "{method} {path}");
            assert_ne!(response.status, 404, "{method} {path}");
            if !is_described {
                response.problem(405);
            }
        }
        for operation in item.as_object().unwrap().values() {
            assert!(operation["summary"].is_string() || operation["description"].is_string());
            let needs_token = operation.get("security").is_some();
            assert_eq!(needs_token, path != "/healthz", "{path}");
        }
    }
    let expected = [
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/v1/audit/head"),
        ("GET", "/v1/devices"),
        ("GET", "/v1/devices/{name}"),
        ("GET", "/v1/plans"),
        ("GET", "/v1/results"),
        ("GET", "/v1/results/stream"),
        ("POST", "/v1/devices/{name}/acquisition"),
        ("POST", "/v1/devices/{name}/update"),
        ("POST", "/v1/plans/{plan}/run"),
        ("PUT", "/v1/devices/{name}/offload"),
    ];
    let expected = expected.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(described, BTreeSet::from(expected));
    let detail = bench.get("/v2/devices").await.problem(404);
    assert!(detail.contains("/openapi.json"), "{detail}");
}
