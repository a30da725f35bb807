//! What a NATS server adds: `side_by_side URL RESULTS QUESTIONS`. Publishes so many results of a
//! journal, and asks so many questions of a worker that runs in this process, too, so that all that
//! differs from the same executor side by side is the way there and back.

#[path = "../tests/fleet/plan.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod plan;
#[path = "../tests/fleet/results.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests use the rest")]
mod results;

use microtome_backend::{Backend, CpuBackend};
use microtome_fleet::Fleet;
use microtome_journal::{Journal, Retention};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::block_in_place;

/// Values of each of the plan's two inputs, and of its output.
const LENS: [usize; 3] = [1024, 16 * 1024, 256 * 1024];
/// Longer than anything takes here.
const WAIT_MAX: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, count, questions] = &arguments[..] else {
        return Err("URL RESULTS QUESTIONS".into());
    };
    publish(url, count.parse()?).await?;
    for len in LENS {
        ask(url, len, questions.parse()?).await?;
    }
    Ok(())
}

async fn publish(url: &str, count: u64) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let journal = Journal::open(&folder.path().join("j"), Retention::default())?;
    for begin in (0..count).step_by(1000) {
        results::store(&journal, begin..(begin + 1000).min(count));
    }
    let name = format!("rate-{}", std::process::id());
    let mut fleet = Fleet::join(&results::config(url, &name)).await?;
    let begun = Instant::now();
    let passed = fleet.publish(&journal)?.wait(&journal, WAIT_MAX).await;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    println!("published: {passed}, {count} results, {rate:.0} results/s");
    Ok(())
}

async fn ask(url: &str, len: usize, count: usize) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut config = results::config(url, "worker");
    config.cache = folder.path().join("plans");
    let mut worker = Fleet::join(&config).await?;
    worker.serve(Box::new(|plan| {
        let cpu: Box<dyn Backend> = Box::new(CpuBackend::new(plan.clone()));
        Ok((cpu, "cpu".to_owned()))
    }))?;
    let mut asker = Fleet::join(&results::config(url, "asker")).await?;
    let plan = plan::plan(len);
    asker.offer(vec![Arc::new(plan.clone())]);
    let local: Box<dyn Backend> = Box::new(CpuBackend::new(plan.clone()));
    let mut remote = asker
        .opener()
        .open(plan.clone(), (local, "local".to_owned()));
    let mut local = CpuBackend::new(plan);
    let [a, b] = plan::sample(len, 0);
    let begun = Instant::now();
    let answered = |backend: &microtome_fleet::RemoteBackend| {
        let counts = backend.counts();
        counts.answered.load(std::sync::atomic::Ordering::Relaxed)
    };
    while answered(&remote) == 0 && begun.elapsed() < WAIT_MAX {
        block_in_place(|| remote.run(&[vec![&a, &b]]))?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = answered(&remote);
    let one = |backend: &mut dyn Backend, batch: usize| {
        let begun = Instant::now();
        let deadline = begun + Duration::from_secs(10);
        block_in_place(|| backend.run_by(&vec![vec![&a[..], &b[..]]; batch], deadline))?;
        Ok::<_, microtome_backend::BackendError>(begun.elapsed())
    };
    let mut here = Vec::new();
    let mut there = Vec::new();
    for _ in 0..count {
        here.push(one(&mut local, 1)?);
        there.push(one(&mut remote, 1)?);
    }
    let batch = one(&mut remote, 32)?;
    let by_worker = answered(&remote) - before;
    let us = |times: &mut Vec<Duration>, percent: usize| {
        times.sort();
        times[(times.len() * percent / 100).min(times.len() - 1)].as_micros()
    };
    println!(
        "{len} values: here p50 {} µs, p99 {} µs; by the server p50 {} µs, p99 {} µs; 32 at once \
         {} µs each; {by_worker} of {} answered by the worker",
        us(&mut here, 50),
        us(&mut here, 99),
        us(&mut there, 50),
        us(&mut there, 99),
        batch.as_micros() / 32,
        count + 32,
    );
    Ok(())
}
