//! The stream has each result once, whoever comes when.

use crate::support::{Bench, soon};
use futures_util::{SinkExt as _, StreamExt as _};
use microtome_journal::Retention;
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{WebSocketStream, client_async};

type Client = WebSocketStream<TcpStream>;

async fn connect(bench: &Bench, query: &str) -> Result<Client, Error> {
    let stream = TcpStream::connect(bench.address).await.unwrap();
    let url = format!("ws://{}/v1/results/stream?{query}", bench.address);
    soon(client_async(url, stream))
        .await
        .map(|(client, _)| client)
}

/// The status and detail of the problem that a stream was refused with.
async fn refused(bench: &Bench, query: &str) -> (u16, String) {
    match connect(bench, query).await.map(drop).unwrap_err() {
        Error::Http(response) => {
            let status = response.status().as_u16();
            let body: Value = serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
            (status, body["detail"].as_str().unwrap().to_owned())
        }
        error => panic!("{error}"),
    }
}

/// The next text of the stream; `None` is its end.
async fn next(client: &mut Client) -> Option<Value> {
    soon(async {
        loop {
            match client.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    })
    .await
}

async fn indexes(client: &mut Client, count: u64) -> Vec<u64> {
    let mut indexes = Vec::new();
    for _ in 0..count {
        let result = next(client).await.expect("the stream goes on");
        indexes.push(
            result["index"]
                .as_u64()
                .unwrap_or_else(|| panic!("{result}")),
        );
    }
    indexes
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_as_they_are_recorded() {
    let bench = Bench::new(|_| ()).await;
    bench.store("left", 3).await;
    let mut all = connect(&bench, "after=-1").await.unwrap();
    let mut live = connect(&bench, "").await.unwrap();
    let mut right = connect(&bench, "device=right&after=1").await.unwrap();
    assert_eq!(indexes(&mut all, 3).await, [0, 1, 2]);
    bench.store("right", 1).await;
    bench.store("left", 1).await;
    bench.store("right", 1).await;
    assert_eq!(indexes(&mut all, 3).await, [3, 4, 5]);
    assert_eq!(indexes(&mut live, 3).await, [3, 4, 5]);
    assert_eq!(indexes(&mut right, 2).await, [3, 5]);
    let page = bench.get("/v1/results?after=4").await.json();
    bench.store("left", 1).await;
    let streamed = connect(&bench, "after=4").await;
    let streamed = next(&mut streamed.unwrap()).await.unwrap();
    assert_eq!(page["results"][0], streamed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_who_comes_back_misses_nothing_and_gets_nothing_twice() {
    const RESULTS: u64 = 4000;
    let bench = Bench::new(|config| config.limits.requests_burst = 10_000).await;
    let writer = async {
        for _ in 0..RESULTS / 40 {
            bench.submit("left", 20);
            bench.submit("right", 20);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let reader = async {
        let (mut seen, mut visits) = (Vec::new(), 0);
        while (seen.len() as u64) < RESULTS {
            let after = seen.last().map_or(-1, |&last: &u64| last as i64);
            let mut client = connect(&bench, &format!("after={after}")).await.unwrap();
            visits += 1;
            // Some leave early, some in the middle of a page, some stay until all is there.
            let rest = RESULTS - seen.len() as u64;
            let stay = rest.min([1, 57, 300, 900][visits % 4]);
            seen.extend(indexes(&mut client, stay).await);
        }
        assert!(visits > 5);
        seen
    };
    let ((), seen) = tokio::join!(writer, reader);
    assert_eq!(seen, (0..RESULTS).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_subscriber_is_behind_and_is_told_what_retention_took() {
    let retention = Retention {
        records_max: Some(50),
        ..Retention::default()
    };
    let bench = Bench::kept(retention, |_| ()).await;
    bench.store("left", 10).await;
    let mut client = connect(&bench, "after=-1").await.unwrap();
    assert_eq!(indexes(&mut client, 10).await[9], 9);
    // It comes back after the journal has gone on without it.
    drop(client);
    bench.store("left", 400).await;
    let mut client = connect(&bench, "after=9").await.unwrap();
    let said = next(&mut client).await.unwrap();
    let missed = said["missed"].as_u64().unwrap_or_else(|| panic!("{said}"));
    assert_eq!(said["after"], 9 + missed);
    let kept = 400 - missed;
    let indexes = indexes(&mut client, kept).await;
    assert_eq!(indexes, (410 - kept..410).collect::<Vec<_>>());
    // Who asks for whatever there is misses nothing.
    let page = bench.get("/v1/results").await.json();
    assert_eq!(page["missed"], 0);
    let page = bench.get("/v1/results?after=9").await.json();
    assert_eq!(page["missed"], missed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_who_takes_nothing_is_given_up() {
    let bench = Bench::new(|config| {
        config.limits.write_timeout_s = 1;
        config.limits.streams = 1;
    });
    let bench = bench.await;
    let _client = connect(&bench, "after=-1").await.unwrap();
    // More than the buffers of the sockets hold.
    bench.store("left", 20_000).await;
    soon(async {
        while connect(&bench, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_without_a_sign_of_life_is_given_up() {
    let bench = Bench::new(|config| config.limits.ping_period_s = 1).await;
    let mut dead = connect(&bench, "").await.unwrap();
    let mut alive = connect(&bench, "").await.unwrap();
    // Whoever does not read does not answer pings.
    let streams = async || {
        let text = bench.get("/metrics").await;
        let mut lines = text.text().lines();
        let line = lines
            .find(|line| line.starts_with("microtome_api_streams "))
            .unwrap();
        line.to_owned()
    };
    let given_up = async {
        while streams().await != "microtome_api_streams 1" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bench.store("left", 1).await;
    };
    let ((), ()) = tokio::join!(soon(given_up), async {
        assert_eq!(indexes(&mut alive, 1).await, [0]);
    });
    // What it had been sent is there, and then nothing more.
    while let Some(Ok(_)) = soon(dead.next()).await {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_no_stream() {
    let bench = Bench::new(|config| config.limits.streams = 2).await;
    assert_eq!(refused(&bench, "after=-2").await.0, 400);
    assert_eq!(refused(&bench, "limit=5").await.0, 400);
    let (status, detail) = refused(&bench, "after=0").await;
    assert_eq!(status, 409);
    assert!(detail.contains("another journal"), "{detail}");
    let mut one = connect(&bench, "").await.unwrap();
    let _two = connect(&bench, "").await.unwrap();
    assert_eq!(refused(&bench, "").await.0, 503);
    // A subscriber has nothing to say.
    one.send(Message::text("hello")).await.unwrap();
    assert_eq!(next(&mut one).await, None);
    drop(one);
    soon(async {
        while connect(&bench, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_gets_no_stream() {
    let bench = Bench::new(|_| ()).await;
    let stream = TcpStream::connect(bench.address).await.unwrap();
    let request = http::Request::builder()
        .uri("/v1/results/stream")
        .header("host", "localhost")
        .header("origin", "https://evil.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    let request = request.body(()).unwrap();
    let request = http::Request::from_parts(
        {
            let (mut parts, ()) = request.into_parts();
            let uri = format!("ws://{}/v1/results/stream", bench.address);
            parts.uri = uri.parse().unwrap();
            parts
        },
        (),
    );
    let error = soon(client_async(request, stream))
        .await
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::Http(response) if response.status() == 403));
}
