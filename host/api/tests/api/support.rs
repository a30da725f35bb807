//! A daemon's stand-in: a hub, a journal that it writes results to, an executor of one plan; and
//! clients that speak no more of HTTP than they must.

use microtome_api::{
    ApiConfig, Board, Device, Host, Hub, NoRun, Ran, Request, Scope, Server, Wanted, token,
};
use microtome_journal::record::{Answer, Latency, Origin, Ticks};
use microtome_journal::{Entry, Hash, Journal, Outcome, Provenance, Record, Retention, Sealed};
use microtome_plan::{ArenaAt, Element, Manifest, ModelType, PlanBuf, Port, Target, Task, encode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Longer than anything takes here.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// Values of the plan's input.
pub const INPUT_LEN: usize = 6;

/// Waits for what must come.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(WAIT_MAX, what).await;
    done.expect("it takes too long")
}

fn port(name: &'static str) -> Port<'static> {
    Port {
        name,
        at: ArenaAt(0),
        dims: [1, 2, 1, 3].into_iter().collect(),
        order: [0, 2, 3, 1].into_iter().collect(),
        model_type: ModelType::F32,
        element: Element::I8,
        scale: 0.5,
        zero: 1,
    }
}

/// A plan without steps: its outputs are its inputs.
fn plan(model: &str, inputs: usize) -> Arc<PlanBuf> {
    let ports = || [port("x"), port("y")].into_iter().take(inputs).collect();
    let manifest = Manifest {
        model,
        target: Target::Generic,
        arena_bytes: INPUT_LEN,
        steps: 0,
        inputs: ports(),
        outputs: [port("z")].into_iter().collect(),
        task: Task::Raw,
        cascade: None,
    };
    Arc::new(PlanBuf::new(&encode(&manifest, &[], &[])).expect("a valid plan"))
}

/// What stands in for the daemon's executors.
#[derive(Debug)]
pub struct FakeHost {
    plans: Vec<Arc<PlanBuf>>,
    trouble: AtomicBool,
    /// Runs that were begun and not dropped.
    pub running: Arc<AtomicU64>,
}

impl Host for FakeHost {
    fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.load(Ordering::Relaxed);
        trouble.then(|| "the disk is full".to_owned())
    }

    fn queue_len(&self) -> usize {
        3
    }

    fn plans(&self) -> &[Arc<PlanBuf>] {
        &self.plans
    }

    fn run(
        &self,
        plan: &Arc<PlanBuf>,
        values: Vec<u8>,
        _: Duration,
    ) -> microtome_api::host::Running {
        let never = plan.plan().manifest().model == "never";
        self.running.fetch_add(1, Ordering::Relaxed);
        let held = Held(Arc::clone(&self.running));
        Box::pin(async move {
            let _held = held;
            if never {
                std::future::pending::<()>().await;
            }
            if values.first() == Some(&99) {
                return Err(NoRun::Failed("the executor broke".to_owned()));
            }
            Ok(Ran {
                answer: Answer::Raw,
                confidence: 1.0,
                outputs: vec![values],
                executor: "fake".to_owned(),
                queue: Duration::from_micros(7),
                run: Duration::from_micros(9),
            })
        })
    }
}

struct Held(Arc<AtomicU64>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A device of the stand-in.
struct Fake {
    device: Arc<Device>,
    provenance: Sealed,
    sequence: AtomicU64,
}

/// A server, and the daemon that it serves.
pub struct Bench {
    pub folder: TempDir,
    pub address: SocketAddr,
    pub host: Arc<FakeHost>,
    journal: Journal,
    devices: BTreeMap<String, Fake>,
    /// What the device `left` is told to do.
    pub requests: Mutex<Option<mpsc::Receiver<Request>>>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Bench {
    /// Serves on loopback, with what `change` makes of the configuration.
    pub async fn new(change: impl FnOnce(&mut ApiConfig)) -> Self {
        Self::kept(Retention::default(), change).await
    }

    /// As [`Bench::new`], with a limit to what the journal keeps.
    pub async fn kept(retention: Retention, change: impl FnOnce(&mut ApiConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, retention).unwrap();
        let mut hub = Hub::new(&path, "1.2.3 (of this test)");
        let mut devices = BTreeMap::new();
        let mut requests = None;
        for (boot, name) in ["left", "right"].into_iter().enumerate() {
            let wanted = Wanted {
                acquire: true,
                offload: false,
            };
            let (device, receiver) = hub.add(name, "/dev/fake", wanted, boot == 0);
            requests.get_or_insert(receiver);
            let fake = Fake {
                device,
                provenance: provenance(name),
                sequence: AtomicU64::new(0),
            };
            devices.insert(name.to_owned(), fake);
        }
        let host = Arc::new(FakeHost {
            plans: vec![plan("same", 1), plan("never", 1), plan("two", 2)],
            trouble: AtomicBool::new(false),
            running: Arc::default(),
        });
        let hub = Arc::new(hub);
        let mut config = ApiConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..ApiConfig::default()
        };
        change(&mut config);
        let shared: Arc<dyn Host> = Arc::clone(&host) as _;
        let server = Server::bind(&config, hub, shared).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(server.serve(async {
            // Dropping the sender stops it, too.
            let _ = stopped.await;
        }));
        Self {
            folder,
            address,
            host,
            journal,
            devices,
            requests: Mutex::new(requests),
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// Ends the server, and waits until it has.
    pub async fn end(&mut self) {
        self.stop.take();
        soon(self.served.take().unwrap()).await.unwrap();
    }

    pub fn device(&self, name: &str) -> &Arc<Device> {
        &self.devices[name].device
    }

    pub fn set_trouble(&self, trouble: bool) {
        self.host.trouble.store(trouble, Ordering::Relaxed);
    }

    pub fn journal_path(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Records results of a device, as the daemon does; waits for none of them.
    pub fn submit(&self, name: &str, count: u64) {
        let Fake {
            device,
            provenance,
            sequence,
        } = &self.devices[name];
        let boot = if name == "left" { 1 } else { 2 };
        for _ in 0..count {
            let sequence = sequence.fetch_add(1, Ordering::Relaxed);
            let record = record(provenance, boot, sequence);
            let device = Arc::clone(device);
            let journal = &self.journal;
            let entry = || Entry::new(boot, sequence, provenance, &record).unwrap();
            let told = record.clone();
            let done = move |outcome| {
                if let Outcome::Recorded { .. } = outcome {
                    device.recorded(&told);
                }
            };
            while journal.submit(entry(), done.clone()).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Records results and waits until they are durable.
    pub async fn store(&self, name: &str, count: u64) {
        let device = self.device(name);
        let wanted = device.status().results.frames + count;
        self.submit(name, count);
        soon(async {
            while device.status().results.frames < wanted {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    pub async fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[], b"").await
    }

    pub async fn post(&self, path: &str, json: &str) -> Response {
        let headers = [("content-type", "application/json")];
        self.ask("POST", path, &headers, json.as_bytes()).await
    }

    /// One request on a connection of its own.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let stream = TcpStream::connect(self.address).await.unwrap();
        soon(ask(stream, method, path, headers, body)).await
    }
}

/// A board as it introduces itself.
pub fn board() -> Board {
    Board {
        board: "fake".to_owned(),
        unit: "7".to_owned(),
        firmware: "0.1.0".to_owned(),
        model: "cells".to_owned(),
        plan: Hash::of(b"plan"),
        plan_fault: None,
        boot: "0000000000000001".to_owned(),
    }
}

/// A file of tokens, and the text of one with each set of scopes.
pub fn tokens(folder: &Path, scopes: &[&[Scope]]) -> (PathBuf, Vec<String>) {
    let path = folder.join("tokens.toml");
    let made = scopes.iter().enumerate();
    let made = made.map(|(at, scopes)| token::add(&path, &format!("t{at}"), scopes).unwrap());
    let made = made.collect();
    (path, made)
}

fn provenance(device: &str) -> Sealed {
    let provenance = Provenance {
        device: device.to_owned(),
        ..Provenance::default()
    };
    provenance.seal().unwrap()
}

fn record(provenance: &Sealed, boot: u64, sequence: u64) -> Record {
    Record {
        host_time_us: 1_000_000 + sequence,
        provenance: provenance.hash,
        boot: format!("{boot:016x}"),
        sequence,
        acquisition: 0,
        frame: sequence as u32,
        ticks: Ticks::default(),
        clock: None,
        origin: match sequence % 4 {
            0 => Origin::Board,
            1 => Origin::Host,
            2 => Origin::BoardAfterDeadline,
            _ => Origin::BoardAfterNoAnswer,
        },
        executor: "board".to_owned(),
        heavier: None,
        answer: Answer::Raw,
        confidence: 1.0,
        board_confidence: 1.0,
        latency_us: Latency {
            wait: 10,
            inference: 300,
            total: 2_000,
            ..Latency::default()
        },
        missed: u32::from(sequence == 3),
        kept_frame: None,
    }
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{} {text}", self.status))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The problem, which must be one and name this status.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        assert!(
            self.head.contains("application/problem+json"),
            "{}",
            self.head
        );
        let json = self.json();
        assert_eq!(json["status"], status);
        for key in ["type", "title", "detail"] {
            assert!(
                json[key].as_str().is_some_and(|text| !text.is_empty()),
                "{json}"
            );
        }
        json["detail"].as_str().unwrap().to_owned()
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            body: bytes[end + 4..].to_vec(),
            head,
        }
    }
}

/// One request over `stream`, which the server is asked to close after.
pub async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    let has = |name: &str| headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
    if !has("host") {
        head.push_str("host: localhost\r\n");
    }
    if !has("content-length") {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may answer, and close, before it has read the body.
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    Response::parse(&bytes)
}
