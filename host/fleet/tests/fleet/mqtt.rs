//! Each result comes at least once by MQTT, first comings in order, also when the broker is killed,
//! and when connections break in the middle of anything.

use crate::results::{Received, check_all, received, store};
use crate::server::{Server, WAIT_MAX};
use microtome_fleet::{MqttConfig, publish_by_mqtt};
use microtome_journal::{Journal, Retention};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::cmp::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

fn config(port: u16) -> MqttConfig {
    toml::from_str(&format!(
        "host = '127.0.0.1'\nport = {port}\nclient = 'daemon'"
    ))
    .unwrap()
}

/// A receiver whose session the broker remembers.
fn receive(port: u16) -> mpsc::UnboundedReceiver<Vec<u8>> {
    let (sender, messages) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut options = MqttOptions::new("receiver", "127.0.0.1", port);
        options.set_clean_session(false);
        let (client, mut events) = AsyncClient::new(options, 10);
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let subscribed = client.try_subscribe("microtome/#", QoS::AtLeastOnce);
                    subscribed.unwrap();
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => sender.send(Vec::new()).unwrap(),
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let payload = message.payload.to_vec();
                    let device = received(&payload).device.replace(' ', "_");
                    assert_eq!(message.topic, format!("microtome/{device}"));
                    if sender.send(payload).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    });
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_gets_each_result() {
    const COUNT: u64 = 1000;
    const KILLS: u64 = 5;
    let Some(mut server) = Server::mqtt("a_broker_that_is_killed_gets_each_result") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let mut journal = Journal::open(&path, Retention::default()).unwrap();
    let config = config(server.port());
    let mut messages = receive(server.port());
    // The subscription.
    timeout(WAIT_MAX, messages.recv()).await.unwrap().unwrap();
    let mut tasks = JoinSet::new();
    publish_by_mqtt(&mut tasks, &config, &journal).unwrap();
    let step = COUNT / KILLS;
    let mut first: Vec<Received> = Vec::new();
    let mut repeated = 0;
    for kill in 0..KILLS {
        store(&journal, kill * step..(kill + 1) * step);
        // Mosquitto holds what it has not written down yet in memory alone: it is killed when the
        // receiver has what it acknowledged, while the daemon works.
        while (first.len() as u64) < (kill + 1) * step {
            let message = timeout(WAIT_MAX, messages.recv()).await.unwrap().unwrap();
            if message.is_empty() {
                continue;
            }
            let message = received(&message);
            match message.index.cmp(&(first.len() as u64)) {
                Ordering::Less => repeated += 1,
                _ => first.push(message),
            }
        }
        server.kill();
        if kill % 2 == 1 {
            // The daemon ends, too, and the next one goes on.
            tasks.shutdown().await;
            drop(journal);
            journal = Journal::open(&path, Retention::default()).unwrap();
            publish_by_mqtt(&mut tasks, &config, &journal).unwrap();
        }
        server.start();
    }
    check_all(&first, COUNT);
    eprintln!("{COUNT} results, broker killed {KILLS} times: each there, {repeated} repeated");
}

/// Results that go through connections that break.
const COUNT: u64 = 600;

/// One packet: its first byte, and what follows its length.
async fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let (mut len, mut shift) = (0, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        len |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut rest = vec![0; len];
    stream.read_exact(&mut rest).await.ok()?;
    Some((first, rest))
}

/// A broker that takes so many messages of a connection, and breaks it without acknowledging the
/// last ones.
async fn serve(mut stream: TcpStream, taken_max: usize, unacknowledged: usize) -> Vec<Received> {
    let mut taken = Vec::new();
    while let Some((first, rest)) = packet(&mut stream).await {
        let reply = match first >> 4 {
            // CONNECT, PINGREQ; PUBLISH has a topic and, at QoS 1, a number.
            1 => vec![0x20, 2, 0, 0],
            12 => vec![0xd0, 0],
            3 => {
                assert_eq!(first & 0b0110, 0b0010, "QoS 1");
                let topic = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                let number = &rest[2 + topic..4 + topic];
                taken.push(received(&rest[4 + topic..]));
                vec![0x40, 2, number[0], number[1]]
            }
            _ => break,
        };
        if taken.len() + unacknowledged <= taken_max && stream.write_all(&reply).await.is_err() {
            break;
        }
        let is_last = |message: &Received| message.index + 1 == COUNT;
        if taken.len() == taken_max || taken.last().is_some_and(is_last) {
            break;
        }
    }
    // What is unread would tear down what was acknowledged.
    let _ = stream.shutdown().await;
    while stream.read(&mut [0; 4096]).await.is_ok_and(|len| len > 0) {}
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_in_the_middle_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("j"), Retention::default()).unwrap();
    store(&journal, 0..COUNT);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut tasks = JoinSet::new();
    let config = config(listener.local_addr().unwrap().port());
    publish_by_mqtt(&mut tasks, &config, &journal).unwrap();
    let mut first: Vec<Received> = Vec::new();
    let (mut connections, mut repeated) = (0, 0);
    while (first.len() as u64) < COUNT {
        let (stream, _) = timeout(WAIT_MAX, listener.accept()).await.unwrap().unwrap();
        let taken_max = 1 + connections * 29 % 97;
        let taken = serve(stream, taken_max, connections * 7 % (taken_max + 1)).await;
        connections += 1;
        for message in taken {
            match message.index.cmp(&(first.len() as u64)) {
                Ordering::Less => repeated += 1,
                // None comes before its turn.
                _ => first.push(message),
            }
        }
        assert!(connections < 1000, "it makes no progress");
    }
    check_all(&first, COUNT);
    assert!(repeated > 0);
    eprintln!("{COUNT} results, {connections} connections broken: {repeated} repeated");
}
