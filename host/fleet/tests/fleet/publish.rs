//! Each result is in the stream once, in order, whatever is killed.

use crate::results::{Received, check_all, config, received, store};
use crate::roles::{Role, start};
use crate::server::{Server, WAIT_MAX};
use async_nats::jetstream::{self, stream};
use microtome_fleet::Fleet;
use microtome_journal::{Journal, Retention};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const STREAM: &str = "microtome-lab-killed";

/// A stream that forgets at once which messages it had: none is recognized by its identity.
async fn without_memory(url: &str) -> stream::Stream {
    let client = async_nats::connect(url).await.unwrap();
    let config = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec!["microtome.lab.results.killed.*".to_owned()],
        duplicate_window: Duration::from_millis(100),
        ..stream::Config::default()
    };
    let context = jetstream::new(client);
    context.get_or_create_stream(config).await.unwrap()
}

/// Waits until the stream has so many messages, if it can be asked.
async fn has(stream: &stream::Stream, count: u64) -> bool {
    let info = stream.get_info().await;
    info.is_ok_and(|info| info.state.messages >= count)
}

async fn wait_for(stream: &stream::Stream, count: u64) {
    let begun = Instant::now();
    while !has(stream, count).await {
        assert!(begun.elapsed() < WAIT_MAX, "{count} messages do not come");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn messages(stream: &stream::Stream) -> Vec<Received> {
    let state = stream.get_info().await.unwrap().state;
    let mut messages = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let received = received(&message.payload);
        let device = format!("scope_{}", received.index % 3);
        let subject = format!("microtome.lab.results.killed.{device}");
        assert_eq!(message.subject.as_str(), subject);
        let id = format!("{:016x}-{}", received.index % 3, received.index / 3);
        assert_eq!(message.headers.get("Nats-Msg-Id").unwrap().as_str(), id);
        messages.push(received);
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_gets_each_result_once() {
    const COUNT: u64 = 3000;
    const KILLS: u64 = 10;
    let Some(mut server) = Server::nats("a_server_that_is_killed_gets_each_result_once") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("j"), Retention::default()).unwrap();
    let stream = without_memory(&server.url()).await;
    let mut fleet = Fleet::join(&config(&server.url(), "killed")).await.unwrap();
    fleet.publish(&journal).unwrap();
    let step = COUNT / KILLS;
    for kill in 0..KILLS {
        let results = kill * step..(kill + 1) * step;
        // In turn at work, while away, and while it starts.
        match kill % 3 {
            0 => {
                store(&journal, results);
                server.kill();
            }
            1 => {
                server.kill();
                store(&journal, results);
            }
            _ => {
                store(&journal, results.start..results.end - 50);
                wait_for(&stream, kill * step).await;
                store(&journal, results.end - 50..results.end);
                server.kill();
            }
        }
        sleep(Duration::from_millis(kill * 37 % 200)).await;
        server.start();
    }
    wait_for(&stream, COUNT).await;
    check_all(&messages(&stream).await, COUNT);
    fleet.leave().await;
    eprintln!("{COUNT} results, server killed {KILLS} times: each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_is_killed_publishes_each_result_once() {
    const COUNT: u64 = 3000;
    let Some(mut server) = Server::nats("a_publisher_that_is_killed_publishes_each_result_once")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let journal = &folder.path().join("j");
    let stream = without_memory(&server.url()).await;
    let role = Role::Publisher {
        journal,
        count: COUNT,
    };
    let mut kills = 0;
    while !has(&stream, COUNT).await {
        let mut publisher = start(&server.url(), &role);
        sleep(Duration::from_millis(150 + kills * 61 % 300)).await;
        publisher.kill();
        kills += 1;
        // Both at once, too.
        if kills % 4 == 0 {
            server.kill();
            server.start();
        }
        assert!(kills < 400, "it makes no progress");
    }
    assert!(kills > 1);
    check_all(&messages(&stream).await, COUNT);
    eprintln!("{COUNT} results, publisher killed {kills} times: each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_loses_is_published_again() {
    let Some(mut server) = Server::nats("what_the_server_loses_is_published_again") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("j"), Retention::default()).unwrap();
    let stream = without_memory(&server.url()).await;
    let mut fleet = Fleet::join(&config(&server.url(), "killed")).await.unwrap();
    fleet.publish(&journal).unwrap();
    store(&journal, 0..200);
    wait_for(&stream, 200).await;
    server.kill();
    let early = server.snapshot();
    server.start();
    store(&journal, 200..500);
    wait_for(&stream, 500).await;
    server.kill();
    // As after a power cut: acknowledged messages are gone.
    server.restore(&early);
    server.start();
    wait_for(&stream, 500).await;
    check_all(&messages(&stream).await, 500);
    // And a stream that is gone altogether.
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    context.delete_stream(STREAM).await.unwrap();
    store(&journal, 500..510);
    let begun = Instant::now();
    let stream = loop {
        match context.get_stream(STREAM).await {
            Ok(stream) => break stream,
            Err(_) => assert!(begun.elapsed() < WAIT_MAX),
        }
        sleep(Duration::from_millis(20)).await;
    };
    wait_for(&stream, 510).await;
    check_all(&messages(&stream).await, 510);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_old_results_gets_none_again() {
    let Some(server) = Server::nats("a_server_that_forgets_old_results_gets_none_again") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let stream = without_memory(&server.url()).await;
    for (begin, end) in [(0, 100), (100, 130)] {
        let journal = Journal::open(&path, Retention::default()).unwrap();
        let mut fleet = Fleet::join(&config(&server.url(), "killed")).await.unwrap();
        let mut progress = fleet.publish(&journal).unwrap();
        store(&journal, begin..end);
        wait_for(&stream, end - begin).await;
        stream.purge().await.unwrap();
        // The last acknowledgement may be on its way still.
        assert!(progress.wait(&journal, WAIT_MAX).await);
        fleet.leave().await;
    }
    let state = stream.get_info().await.unwrap().state;
    assert_eq!((state.messages, state.last_sequence), (0, 130));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_journal_goes_on_but_two_daemons_of_one_name_do_not_mix() {
    let Some(server) = Server::nats("a_new_journal_goes_on_but_two_daemons_of_one_name_do_not_mix")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let stream = without_memory(&server.url()).await;
    let open = async |name: &str| {
        let journal = Journal::open(&folder.path().join(name), Retention::default()).unwrap();
        let mut fleet = Fleet::join(&config(&server.url(), "killed")).await.unwrap();
        fleet.publish(&journal).unwrap();
        (journal, fleet)
    };
    let (old, old_fleet) = open("old").await;
    store(&old, 0..10);
    wait_for(&stream, 10).await;
    let (new, _new_fleet) = open("new").await;
    store(&new, 300..305);
    wait_for(&stream, 15).await;
    // The old one finds that it is not alone.
    store(&old, 10..20);
    sleep(Duration::from_millis(500)).await;
    store(&new, 305..310);
    wait_for(&stream, 20).await;
    old_fleet.leave().await;
    let state = stream.get_info().await.unwrap().state;
    assert_eq!(state.messages, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_users_are_spoken_and_required() {
    let Some(server) = Server::nats_with_tls("tls_and_users_are_spoken_and_required") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("j"), Retention::default()).unwrap();
    store(&journal, 0..10);
    let with = |password: &str, roots: bool| {
        let roots = match roots {
            true => format!("tls_roots = '{}/ca.pem'", server.folder().display()),
            false => String::new(),
        };
        let text = format!(
            "servers = ['tls://127.0.0.1:{}']\nsite = 'lab'\nname = 'safe'\nuser = 'u'\n\
             password = '{password}'\n{roots}\n",
            server.port()
        );
        toml::from_str::<microtome_fleet::FleetConfig>(&text).unwrap()
    };
    // Another password, or an authority that is not known: nothing goes out, nothing is lost.
    for config in [with("other", true), with("word", false)] {
        let mut fleet = Fleet::join(&config).await.unwrap();
        let mut progress = fleet.publish(&journal).unwrap();
        assert!(!progress.wait(&journal, Duration::from_millis(500)).await);
        fleet.leave().await;
    }
    let mut fleet = Fleet::join(&with("word", true)).await.unwrap();
    let mut progress = fleet.publish(&journal).unwrap();
    assert!(progress.wait(&journal, WAIT_MAX).await);
}
