//! What this program does when a test starts it to kill it.

use crate::plan::Slow;
use crate::results::{config, store};
use crate::server::Running;
use microtome_fleet::Fleet;
use microtome_journal::{Journal, Retention};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A part to be played in another process.
pub enum Role<'a> {
    /// Records so many results in this journal, as far as they are not there, and publishes.
    Publisher { journal: &'a Path, count: u64 },
    /// Answers, taking so long for each.
    Worker { name: &'a str, each: Duration },
}

const SERVER: &str = "MICROTOME_TEST_SERVER";
const JOURNAL: &str = "MICROTOME_TEST_JOURNAL";
const COUNT: &str = "MICROTOME_TEST_COUNT";
const NAME: &str = "MICROTOME_TEST_NAME";
const EACH_US: &str = "MICROTOME_TEST_EACH_US";

/// Starts this program in a role, at a server.
pub fn start(server: &str, role: &Role<'_>) -> Running {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let command = command
        .args(["--exact", "roles::in_another_process", "--nocapture"])
        .env(SERVER, server)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let command = match role {
        Role::Publisher { journal, count } => {
            command.env(JOURNAL, journal).env(COUNT, count.to_string())
        }
        Role::Worker { name, each } => command
            .env(NAME, name)
            .env(EACH_US, each.as_micros().to_string()),
    };
    Running(command.spawn().unwrap())
}

/// Plays the role that this process was started in; none where it runs as a test.
#[tokio::test(flavor = "multi_thread")]
async fn in_another_process() {
    let Ok(server) = std::env::var(SERVER) else {
        return;
    };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    if let Some(journal) = std::env::var_os(JOURNAL) {
        publish(&server, &PathBuf::from(journal), number(COUNT)).await;
    }
    let name = std::env::var(NAME).unwrap();
    work(&server, &name, Duration::from_micros(number(EACH_US))).await;
}

async fn publish(server: &str, path: &Path, count: u64) -> ! {
    let journal = Journal::open(path, Retention::default()).unwrap();
    let mut fleet = Fleet::join(&config(server, "killed")).await.unwrap();
    fleet.publish(&journal).unwrap();
    let recorded = microtome_journal::Reader::open(path).unwrap().indexes().end;
    for begin in (recorded..count).step_by(10) {
        store(&journal, begin..(begin + 10).min(count));
    }
    std::future::pending().await
}

async fn work(server: &str, name: &str, each: Duration) -> ! {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(server, name);
    config.cache = folder.path().join("plans");
    let mut fleet = Fleet::join(&config).await.unwrap();
    let open = move |plan: &_| {
        let slow: Box<dyn microtome_backend::Backend> = Box::new(Slow::new(plan, each));
        Ok((slow, "slow".to_owned()))
    };
    fleet.serve(Box::new(open)).unwrap();
    std::future::pending().await
}
