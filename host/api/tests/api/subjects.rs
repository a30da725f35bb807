//! What can be asked, and the answers.

use crate::support::{Bench, INPUT_LEN, board};
use microtome_api::{Command, Scope};
use microtome_journal::{Reader, audit};

const ALL: [Scope; 3] = [Scope::Read, Scope::Run, Scope::Update];

#[tokio::test]
async fn devices_are_told_of_as_they_are() {
    let bench = Bench::new(|_| ()).await;
    bench
        .device("left")
        .trying("there is no such device".to_owned());
    let json = bench.get("/v1/devices/left").await.json();
    assert_eq!(json["state"]["kind"], "trying");
    assert_eq!(json["state"]["why"], "there is no such device");
    assert!(json["board"].is_null());
    bench.device("left").acquiring(board());
    bench.store("left", 8).await;
    bench.device("left").lost(2);
    let json = bench.get("/v1/devices").await.json();
    let [left, right] = &json["devices"].as_array().unwrap()[..] else {
        panic!("{json}");
    };
    assert_eq!(
        (&left["name"], &right["name"]),
        (&"left".into(), &"right".into())
    );
    assert_eq!(left["state"]["kind"], "acquiring");
    assert_eq!(left["board"]["model"], "cells");
    assert_eq!(left["sessions"], 1);
    let results = serde_json::json!({
        "frames": 8, "on_board": 6, "offloaded": 2, "late": 2, "unanswered": 2, "lost": 2, "missed": 1,
    });
    assert_eq!(left["results"], results);
    assert_eq!(right["results"]["frames"], 0);
    let detail = bench.get("/v1/devices/middle").await.problem(404);
    assert!(detail.contains("/v1/devices"), "{detail}");
}

#[tokio::test]
async fn wishes_reach_the_device() {
    let bench = Bench::new(|config| config.open_loopback = ALL.to_vec()).await;
    let (acquire, offload) = (
        bench.device("left").acquire(),
        bench.device("left").offload(),
    );
    let path = "/v1/devices/left/acquisition";
    let json = bench.post(path, r#"{"acquire":false}"#).await.json();
    assert_eq!(json["wanted"]["acquire"], false);
    assert!(!*acquire.borrow());
    let headers = [("content-type", "application/json; charset=utf-8")];
    let on = br#"{"offload":true}"#;
    let put = bench
        .ask("PUT", "/v1/devices/left/offload", &headers, on)
        .await;
    assert_eq!(put.json()["wanted"]["offload"], true);
    assert!(*offload.borrow());
    // Nobody can answer the other one.
    let put = bench
        .ask("PUT", "/v1/devices/right/offload", &headers, on)
        .await;
    assert!(put.problem(409).contains("heavier model"));
    for wrong in [
        "",
        "{}",
        r#"{"acquire":1}"#,
        r#"{"acquire":true,"x":1}"#,
        "[[[[",
        "\u{0}",
    ] {
        bench.post(path, wrong).await.problem(422);
    }
    let plain = [("content-type", "text/plain")];
    bench
        .ask("POST", path, &plain, br#"{"acquire":true}"#)
        .await
        .problem(415);
    assert!(!*acquire.borrow());
}

#[tokio::test]
async fn an_update_is_the_devices_to_take() {
    let bench = Bench::new(|config| config.open_loopback = ALL.to_vec()).await;
    let octets = [("content-type", "application/octet-stream")];
    let path = "/v1/devices/left/update";
    let mut requests = bench.requests.lock().unwrap().take().unwrap();
    let device = tokio::spawn(async move {
        for answer in [
            Ok("slot B holds it".to_owned()),
            Err(microtome_api::CommandError::Refused(
                "the signature is wrong".to_owned(),
            )),
        ] {
            let request = requests.recv().await.unwrap();
            assert_eq!(request.command, Command::Update(b"package".to_vec()));
            request.reply.send(answer).unwrap();
        }
    });
    let done = bench.ask("POST", path, &octets, b"package").await;
    assert_eq!(
        (done.status, &done.json()["detail"]),
        (200, &"slot B holds it".into())
    );
    let refused = bench.ask("POST", path, &octets, b"package").await;
    assert!(refused.problem(409).contains("signature"));
    device.await.unwrap();
    // The device's task is gone.
    let refused = bench.ask("POST", path, &octets, b"package").await;
    assert!(refused.problem(409).contains("not connected"));
}

#[tokio::test]
async fn results_come_in_pages_that_join_up() {
    let bench = Bench::new(|_| ()).await;
    let json = bench.get("/v1/results").await.json();
    assert_eq!(
        (&json["after"], &json["more"]),
        (&(-1).into(), &false.into())
    );
    for _ in 0..5 {
        bench.store("left", 3).await;
        bench.store("right", 2).await;
    }
    let (mut after, mut indexes) = (-1, Vec::new());
    loop {
        let json = bench
            .get(&format!("/v1/results?after={after}&limit=4"))
            .await
            .json();
        let results = json["results"].as_array().unwrap();
        assert!(results.len() <= 4);
        indexes.extend(
            results
                .iter()
                .map(|result| result["index"].as_u64().unwrap()),
        );
        after = json["after"].as_i64().unwrap();
        if json["more"] == false {
            break;
        }
    }
    assert_eq!(indexes, (0..25).collect::<Vec<_>>());
    let json = bench
        .get("/v1/results?device=right&from_us=1000002&until_us=1000005")
        .await;
    let json = json.json();
    let results = json["results"].as_array().unwrap();
    let frames = results
        .iter()
        .map(|result| result["record"]["frame"].as_u64().unwrap());
    assert_eq!(frames.collect::<Vec<_>>(), [2, 3, 4]);
    assert!(
        results
            .iter()
            .all(|result| result["provenance"]["device"] == "right")
    );
    assert_eq!(json["after"], 24);
    for wrong in [
        "limit=0",
        "limit=1001",
        "after=-2",
        "after=x",
        "device=%ff&x=1",
        "from_us=-1",
    ] {
        let detail = bench
            .get(&format!("/v1/results?{wrong}"))
            .await
            .problem(400);
        assert!(!detail.is_empty());
    }
    let detail = bench.get("/v1/results?after=25").await.problem(409);
    assert!(detail.contains("25"), "{detail}");
}

#[tokio::test]
async fn the_chains_head_is_the_one_that_an_audit_knows() {
    let bench = Bench::new(|_| ()).await;
    assert!(bench.get("/v1/audit/head").await.json()["noted"].is_null());
    bench.store("left", 3).await;
    let json = bench.get("/v1/audit/head").await.json();
    let noted = json["noted"].as_str().unwrap();
    let (index, hash) = noted.split_once(':').unwrap();
    assert_eq!((index, json["index"].as_u64()), ("2", Some(2)));
    bench.store("left", 3).await;
    let reader = Reader::open(&bench.journal_path()).unwrap();
    let found = audit(&reader, Some((2, hash.parse().unwrap()))).unwrap();
    assert_eq!((found.records, found.broken), (6, None));
}

#[tokio::test]
async fn plans_run_on_raw_bytes_and_on_arrays() {
    let bench = Bench::new(|config| config.open_loopback = ALL.to_vec()).await;
    let plans = bench.get("/v1/plans").await.json();
    let same = &plans["plans"][0];
    assert_eq!(same["model"], "same");
    assert_eq!(
        same["inputs"][0]["arena_shape"],
        serde_json::json!([1, 1, 3, 2])
    );
    let octets = [("content-type", "application/octet-stream")];
    for name in ["same", same["plan"].as_str().unwrap()] {
        let path = format!("/v1/plans/{name}/run");
        let ran = bench
            .ask("POST", &path, &octets, &[1, 2, 3, 4, 5, 6])
            .await
            .json();
        assert_eq!(
            (&ran["executor"], &ran["answer"]),
            (&"fake".into(), &"raw".into())
        );
        assert_eq!(ran["outputs"][0]["data"], "AQIDBAUG");
        assert_eq!(ran["outputs"][0]["dtype"], "int8");
        assert_eq!(ran["latency_us"]["executor"], 9);
    }
    let head = "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2, 1, 3), }\n";
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((head.len() as u16).to_le_bytes());
    npy.extend(head.as_bytes());
    npy.extend([1, 3, 5, 2, 4, 6]);
    let array = [("content-type", "application/x-npy")];
    let ran = bench
        .ask("POST", "/v1/plans/same/run", &array, &npy)
        .await
        .json();
    assert_eq!(ran["outputs"][0]["data"], "AQIDBAUG");
    let run = async |name: &str, body: &[u8]| {
        bench
            .ask("POST", &format!("/v1/plans/{name}/run"), &octets, body)
            .await
    };
    assert!(run("other", b"").await.problem(404).contains("/v1/plans"));
    assert!(
        run("two", b"")
            .await
            .problem(409)
            .contains("several inputs")
    );
    let detail = run("same", b"12345").await.problem(422);
    assert!(
        detail.contains(&format!("5 bytes, the input {INPUT_LEN}")),
        "{detail}"
    );
    assert!(
        run("same", &[99; 6])
            .await
            .problem(500)
            .contains("the executor broke")
    );
    bench
        .ask("POST", "/v1/plans/same/run", &array, b"no")
        .await
        .problem(422);
}

#[tokio::test]
async fn a_run_that_does_not_end_is_given_up() {
    let bench = Bench::new(|config| {
        config.open_loopback = ALL.to_vec();
        config.limits.run_timeout_s = 1;
    });
    let bench = bench.await;
    let octets = [("content-type", "application/octet-stream")];
    let response = bench
        .ask("POST", "/v1/plans/never/run", &octets, &[0; 6])
        .await;
    response.problem(504);
    assert_eq!(
        bench
            .host
            .running
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
}

#[tokio::test]
async fn metrics_have_what_devices_count() {
    let bench = Bench::new(|_| ()).await;
    bench.device("left").acquiring(board());
    bench.store("left", 8).await;
    bench.device("left").lost(3);
    bench.get("/v1/devices/left").await;
    let response = bench.get("/metrics").await;
    assert!(response.head.contains("openmetrics-text"));
    let text = response.text();
    for line in [
        r#"microtome_build_info{version="1.2.3 (of this test)"} 1"#,
        r#"microtome_results_total{device="left",origin="board"} 2"#,
        r#"microtome_results_total{device="left",origin="host"} 2"#,
        r#"microtome_results_total{device="left",origin="board_after_deadline"} 2"#,
        r#"microtome_results_total{device="left",origin="board_after_no_answer"} 2"#,
        r#"microtome_results_total{device="right",origin="board"} 0"#,
        r#"microtome_lost_total{device="left"} 3"#,
        r#"microtome_missed_total{device="left"} 1"#,
        r#"microtome_sessions_total{device="left"} 1"#,
        r#"microtome_acquiring{device="left"} 1"#,
        r#"microtome_acquiring{device="right"} 0"#,
        r#"microtome_latency_seconds_count{device="left",leg="inference"} 8"#,
        r#"microtome_latency_seconds_bucket{le="0.0005",device="left",leg="inference"} 8"#,
        r#"microtome_latency_seconds_count{device="left",leg="to_host"} 0"#,
        "microtome_journal_commit_seconds_count 8",
        "microtome_queue 3",
        "microtome_recording 1",
        r#"microtome_api_requests_total{route="/v1/devices/{name}",status="200"} 1"#,
        "microtome_api_connections 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(text.matches("# EOF").count(), 1);
}

#[tokio::test]
async fn health_is_that_of_the_journal() {
    let bench = Bench::new(|_| ()).await;
    assert_eq!(bench.get("/healthz").await.status, 200);
    bench.set_trouble(true);
    let response = bench.get("/healthz").await;
    let detail = response.problem(503);
    assert!(response.head.contains("retry-after: 1"));
    // Who has no token does not learn what is wrong.
    assert!(!detail.contains("disk"), "{detail}");
}
