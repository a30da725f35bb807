//! Results to record, and what must have become of them.

use microtome_fleet::FleetConfig;
use microtome_journal::record::{Answer, Latency, Origin, Ticks};
use microtome_journal::{Entry, Hash, Journal, Provenance, Record};
use std::sync::mpsc::channel;

/// A result of one of three devices.
pub fn entry(sequence: u64) -> Entry {
    let provenance = Provenance {
        device: format!("scope {}", sequence % 3),
        board: "fake".to_owned(),
        ..Provenance::default()
    };
    let sealed = provenance.seal().unwrap();
    let record = Record {
        host_time_us: 1_000_000 + sequence,
        provenance: sealed.hash,
        boot: format!("{:016x}", sequence % 3),
        sequence: sequence / 3,
        acquisition: 0,
        frame: sequence as u32,
        ticks: Ticks::default(),
        clock: None,
        origin: Origin::Board,
        executor: "board".to_owned(),
        heavier: None,
        kept_frame: None,
        missed: 0,
        answer: Answer::Raw,
        confidence: 1.0,
        board_confidence: 1.0,
        latency_us: Latency::default(),
    };
    Entry::new(sequence % 3, sequence / 3, &sealed, &record).unwrap()
}

/// Records the results of this range that are not there yet, and waits until they are durable.
pub fn store(journal: &Journal, sequences: std::ops::Range<u64>) {
    let (sender, stored) = channel();
    let count = sequences.clone().count();
    for sequence in sequences {
        let sender = sender.clone();
        let done = move |_| sender.send(()).unwrap();
        journal.submit(entry(sequence), done).unwrap();
    }
    assert_eq!(stored.iter().take(count).count(), count);
}

/// A daemon of a site at this server.
pub fn config(server: &str, name: &str) -> FleetConfig {
    toml::from_str(&format!(
        "servers = ['{server}']\nsite = 'lab'\nname = '{name}'\n"
    ))
    .unwrap()
}

/// A message as its receiver checks it.
pub struct Received {
    pub index: u64,
    pub hash: Hash,
    pub frame: u64,
    pub device: String,
    /// The record as it was hashed.
    pub record: String,
}

/// Reads what a message holds.
pub fn received(payload: &[u8]) -> Received {
    let text = std::str::from_utf8(payload).unwrap();
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let at = text.find(r#","record":"#).unwrap() + r#","record":"#.len();
    Received {
        index: json["index"].as_u64().unwrap(),
        hash: json["hash"].as_str().unwrap().parse().unwrap(),
        frame: json["record"]["frame"].as_u64().unwrap(),
        device: json["provenance"]["device"].as_str().unwrap().to_owned(),
        record: text[at..text.len() - 1].to_owned(),
    }
}

/// Checks that these are the first `count` results, in order, each once, and that their hashes are
/// those of the chain.
pub fn check_all(messages: &[Received], count: u64) {
    let indexes: Vec<u64> = messages.iter().map(|message| message.index).collect();
    let expected: Vec<u64> = (0..count).collect();
    assert_eq!(indexes, expected);
    let mut head = Hash::default();
    for message in messages {
        assert_eq!(message.frame, message.index);
        assert_eq!(message.device, format!("scope {}", message.index % 3));
        head = head.chain(message.record.as_bytes());
        assert_eq!(message.hash, head);
    }
}
