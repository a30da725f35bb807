//! Every question has its answer, with the same bits, whoever is killed and whatever is answered.

use crate::plan::{Slow, plan, sample};
use crate::results::config;
use crate::roles::{Role, start};
use crate::server::{Server, WAIT_MAX};
use async_nats::HeaderMap;
use async_nats::jetstream;
use futures_util::StreamExt as _;
use microtome_backend::{Answered, Backend, CpuBackend, Outputs};
use microtome_fleet::names::{EXECUTOR, PLAN, PLANS_BUCKET, STATUS, WORKER, WORKERS};
use microtome_fleet::{Fleet, RemoteBackend};
use microtome_journal::Hash;
use microtome_plan::PlanBuf;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::block_in_place;
use tokio::time::sleep;

const LEN: usize = 4096;

/// A daemon that asks, and its plan.
struct Daemon {
    plan: PlanBuf,
    backend: RemoteBackend,
    _fleet: Fleet,
}

impl Daemon {
    async fn new(server: &Server) -> Self {
        let plan = plan(LEN);
        let mut fleet = Fleet::join(&config(&server.url(), "asker")).await.unwrap();
        fleet.offer(vec![Arc::new(plan.clone())]);
        let local: Box<dyn Backend> = Box::new(CpuBackend::new(plan.clone()));
        let opener = fleet.opener();
        let backend = opener.open(plan.clone(), (local, "cpu (nobody answered)".to_owned()));
        Self {
            plan,
            backend,
            _fleet: fleet,
        }
    }

    /// Asks about so many samples, checks that all are answered and right, and counts who
    /// answered.
    fn ask(&mut self, count: usize, wait: Duration) -> BTreeMap<String, usize> {
        let samples: Vec<_> = (0..count).map(|number| sample(LEN, number)).collect();
        let inputs: Vec<Vec<&[u8]>> = samples
            .iter()
            .map(|sample| sample.iter().map(Vec::as_slice).collect())
            .collect();
        let expected = CpuBackend::new(self.plan.clone()).run(&inputs).unwrap();
        let deadline = Instant::now() + wait;
        let answers = block_in_place(|| self.backend.run_by(&inputs, deadline)).unwrap();
        let (outputs, executors): (Vec<Outputs>, Vec<_>) = answers
            .into_iter()
            .map(|Answered { outputs, executor }| (outputs, executor.unwrap()))
            .unzip();
        assert_eq!(outputs, expected);
        let mut counts = BTreeMap::new();
        for executor in executors {
            *counts.entry(executor.to_string()).or_default() += 1;
        }
        counts
    }

    /// Asks until these workers have answered.
    async fn ask_until(&mut self, workers: &[&str]) {
        let begun = Instant::now();
        let mut seen = BTreeMap::new();
        while !workers.iter().all(|worker| seen.contains_key(&by(worker))) {
            assert!(
                begun.elapsed() < WAIT_MAX,
                "{workers:?} do not answer: {seen:?}"
            );
            seen.extend(self.ask(8, Duration::from_secs(10)));
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// How answers of a worker are named.
fn by(worker: &str) -> String {
    format!("fleet: {worker}: slow")
}

fn worker(name: &str, each_ms: u64) -> Role<'_> {
    let each = Duration::from_millis(each_ms);
    Role::Worker { name, each }
}

const LOCAL: &str = "cpu (nobody answered)";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_had_is_done_by_another() {
    const COUNT: usize = 32;
    let Some(server) = Server::nats("what_a_killed_worker_had_is_done_by_another") else {
        return;
    };
    let mut daemon = Daemon::new(&server).await;
    let mut one = start(&server.url(), &worker("one", 50));
    let mut two = start(&server.url(), &worker("two", 50));
    daemon.ask_until(&["one", "two"]).await;
    let counts = daemon.backend.counts();
    let before = counts.resent.load(Ordering::Relaxed);
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(120));
        one.kill();
    });
    let answered = daemon.ask(COUNT, Duration::from_secs(15));
    killer.join().unwrap();
    let resent = counts.resent.load(Ordering::Relaxed) - before;
    let redone = answered[&by("two")];
    assert!(resent > 0 && redone > 0, "{answered:?}, {resent} resent");
    assert_eq!(answered.values().sum::<usize>(), COUNT);
    eprintln!("{COUNT} questions, a worker killed: {answered:?}, {resent} asked again");

    // Both are gone: the daemon answers itself, also what is under way.
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(120));
        two.kill();
    });
    let answered = daemon.ask(COUNT, Duration::from_secs(6));
    killer.join().unwrap();
    assert!(answered[LOCAL] > 0, "{answered:?}");
    eprintln!("{COUNT} questions, the last worker killed: {answered:?}");
    let answered = daemon.ask(COUNT, Duration::from_secs(6));
    assert_eq!(answered[LOCAL], COUNT);
    // And when one comes back, it is asked again.
    let _three = start(&server.url(), &worker("three", 1));
    daemon.ask_until(&["three"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_costs_no_answer() {
    let Some(mut server) = Server::nats("a_server_that_is_killed_costs_no_answer") else {
        return;
    };
    let mut daemon = Daemon::new(&server).await;
    let _one = start(&server.url(), &worker("one", 50));
    daemon.ask_until(&["one"]).await;
    for _ in 0..3 {
        let answered = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(120));
                server.kill();
            });
            daemon.ask(32, Duration::from_secs(6))
        });
        assert!(answered[LOCAL] > 0, "{answered:?}");
        assert_eq!(daemon.ask(5, Duration::from_secs(6))[LOCAL], 5);
        server.start();
        daemon.ask_until(&["one"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_room_says_so() {
    let Some(server) = Server::nats("a_worker_without_room_says_so") else {
        return;
    };
    let mut daemon = Daemon::new(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&server.url(), "small");
    config.cache = folder.path().join("plans");
    config.queue = 2;
    let mut fleet = Fleet::join(&config).await.unwrap();
    let open = |plan: &_| {
        let slow: Box<dyn Backend> = Box::new(Slow::new(plan, Duration::from_millis(50)));
        Ok((slow, "slow".to_owned()))
    };
    fleet.serve(Box::new(open)).unwrap();
    daemon.ask_until(&["small"]).await;
    let answered = daemon.ask(32, Duration::from_secs(6));
    // Those that found no room did not wait for it.
    assert!(
        answered[LOCAL] > 0 && answered[&by("small")] > 0,
        "{answered:?}"
    );
    // The plan is on its disk, under its digest.
    let file = format!("{}.mtp", Hash(daemon.plan.digest()));
    let kept = std::fs::read(config.cache.join(file)).unwrap();
    assert_eq!(kept, daemon.plan.bytes());
}

/// A worker that answers anything with what `answer` makes of the plan's digest.
async fn hostile(
    server: &Server,
    answer: impl Fn(&str) -> (HeaderMap, Vec<u8>) + Send + 'static,
) -> tokio::task::JoinHandle<()> {
    let client = async_nats::connect(server.url()).await.unwrap();
    let subject = "microtome.lab.run.*";
    let subscribed = client.queue_subscribe(subject, WORKERS.to_owned()).await;
    let mut questions = subscribed.unwrap();
    client.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            let digest = question.subject.rsplit('.').next().unwrap();
            let (headers, payload) = answer(digest);
            let reply = question.reply.unwrap();
            let sent = client.publish_with_headers(reply, headers, payload.into());
            sent.await.unwrap();
        }
    })
}

fn done(digest: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(STATUS, "done");
    headers.insert(PLAN, digest);
    headers.insert(WORKER, "hostile");
    headers.insert(EXECUTOR, "gpu");
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_answers_are_not_taken() {
    type Forge = fn(&str) -> (HeaderMap, Vec<u8>);
    let Some(server) = Server::nats("hostile_answers_are_not_taken") else {
        return;
    };
    let forgeries: [(&str, Forge); 6] = [
        ("no headers", |_| (HeaderMap::new(), vec![0; LEN])),
        ("garbage", |_| {
            let mut headers = HeaderMap::new();
            headers.insert(STATUS, "\u{7f}fine");
            (headers, b"\xff\xfe\x00".to_vec())
        }),
        ("too short", |digest| (done(digest), vec![0; LEN - 1])),
        ("too long", |digest| (done(digest), vec![0; LEN + 1])),
        ("nothing", |digest| (done(digest), Vec::new())),
        ("another plan", |_| (done(&"ab".repeat(32)), vec![0; LEN])),
    ];
    for (name, forge) in forgeries {
        let mut daemon = Daemon::new(&server).await;
        let forger = hostile(&server, forge).await;
        let counts = daemon.backend.counts();
        let begun = Instant::now();
        while counts.refused.load(Ordering::Relaxed) == 0 {
            assert!(begun.elapsed() < WAIT_MAX, "{name}");
            assert_eq!(daemon.ask(4, Duration::from_secs(6))[LOCAL], 4, "{name}");
            sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(counts.answered.load(Ordering::Relaxed), 0, "{name}");
        forger.abort();
        // It is out of the queue group once its client is gone.
        let _ = forger.await;
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_object_is_not_run_and_is_replaced() {
    let Some(server) = Server::nats("a_hostile_object_is_not_run_and_is_replaced") else {
        return;
    };
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let config = jetstream::object_store::Config {
        bucket: PLANS_BUCKET.to_owned(),
        ..Default::default()
    };
    let bucket = context.create_object_store(config).await.unwrap();
    let (asked, other) = (plan(LEN), plan(LEN - 1));
    let name = Hash(asked.digest()).to_string();
    // Another valid plan; then bytes of the right length that are none.
    let mut damaged = asked.bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let mut flipped = asked.bytes().to_vec();
    flipped[70] ^= 1;
    for bytes in [other.bytes().to_vec(), damaged, flipped, vec![0; 9]] {
        bucket.put(name.as_str(), &mut &bytes[..]).await.unwrap();
        let mut daemon = Daemon::new(&server).await;
        // Its cache is empty.
        let _worker = start(&server.url(), &worker("one", 1));
        // What was not to be run was not: every answer is right, first those of the daemon
        // itself, then, of the plan in its place, those of the worker.
        daemon.ask_until(&["one"]).await;
        assert!(daemon.backend.counts().local.load(Ordering::Relaxed) > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_or_with_too_long_a_plan_the_daemon_answers() {
    let Some(mut server) = Server::nats("without_a_server_or_with_too_long_a_plan") else {
        return;
    };
    let _one = start(&server.url(), &worker("one", 1));
    let mut daemon = Daemon::new(&server).await;
    daemon.ask_until(&["one"]).await;
    // Longer than a message of the server.
    let long = plan(1 << 20);
    let local: Box<dyn Backend> = Box::new(CpuBackend::new(long.clone()));
    let opener = daemon._fleet.opener();
    let mut backend = opener.open(long, (local, LOCAL.to_owned()));
    let [a, b] = sample(1 << 20, 0);
    let answers = block_in_place(|| backend.run(&[vec![&a, &b]])).unwrap();
    assert_eq!((answers.len(), answers[0][0].len()), (1, 1 << 20));
    assert_eq!(backend.counts().local.load(Ordering::Relaxed), 2);
    server.kill();
    assert_eq!(daemon.ask(3, Duration::from_secs(6))[LOCAL], 3);
}
