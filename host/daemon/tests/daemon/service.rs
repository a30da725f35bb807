//! The service with real serial devices: the simulated board as a process of its own.

use crate::support::{FRAME_LEN, heavy, light};
use microtome_board::{LaunchOptions, Running, Serial};
use microtome_daemon::config::{AcquisitionConfig, Config, DeviceConfig};
use microtome_daemon::{GpuPolicy, stop};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// The simulated board, built once.
fn image() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let board = microtome_board::find("sim").expect("there is a simulated board");
        microtome_board::image::build(board, &mut |line| eprintln!("{line}"))
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Half of its frames leave its model unsure.
fn board() -> (Running, PathBuf) {
    let frames = [100_i8, 20].map(|score| {
        let mut frame = vec![-128; FRAME_LEN];
        frame[1] = score;
        frame
    });
    let replay = microtome_board::replay::encode(&frames).expect("two frames");
    let plan = light();
    let options = LaunchOptions {
        plan: Some(plan.bytes()),
        replay: Some(&replay),
    };
    let board = microtome_board::find("sim").expect("there is a simulated board");
    let mut running =
        microtome_board::launch(board, image(), &options).unwrap_or_else(|error| panic!("{error}"));
    match running.take_serial() {
        Some(Serial::Device(path)) => (running, path),
        other => panic!("no serial device: {other:?}"),
    }
}

fn config(folder: &TempDir, path: PathBuf, acquisition: AcquisitionConfig) -> Config {
    let plans = folder.path().join("plans");
    std::fs::create_dir(&plans).unwrap();
    std::fs::write(plans.join("light.mtp"), light().bytes()).unwrap();
    std::fs::write(plans.join("heavy.mtp"), heavy().bytes()).unwrap();
    let baud = 921_600;
    let device = DeviceConfig {
        name: "scope".to_owned(),
        path,
        baud,
        elf: None,
        acquisition,
    };
    Config {
        journal: folder.path().join("results.jsonl"),
        plans: vec![plans],
        gpu: GpuPolicy::Off,
        queue: 4,
        devices: vec![device],
    }
}

fn lines(config: &Config) -> usize {
    std::fs::read_to_string(&config.journal)
        .unwrap_or_default()
        .lines()
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_a_simulated_board_is_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, path) = board();
    let acquisition = AcquisitionConfig {
        frames: 50,
        deadline_ms: 20_000,
        ..Default::default()
    };
    let config = config(&folder, path, acquisition);
    let (_stopper, stop) = stop();
    let summary = microtome_daemon::run(&config, stop).await.unwrap();
    assert_eq!(
        (summary.frames, summary.on_board, summary.offloaded),
        (50, 25, 25)
    );
    assert_eq!((summary.lost, lines(&config)), (0, 50));
    let text = std::fs::read_to_string(&config.journal).unwrap();
    assert!(
        text.contains("\"executor\":\"cpu (the GPU is switched off)\""),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_outlives_a_board_that_dies_and_keeps_its_results() {
    let folder = tempfile::tempdir().unwrap();
    let (running, path) = board();
    let acquisition = AcquisitionConfig {
        frames: 0,
        period_us: 2000,
        deadline_ms: 20_000,
        ..Default::default()
    };
    let config = config(&folder, path, acquisition);
    let (stopper, stop) = stop();
    let daemon = tokio::spawn({
        let config = config.clone();
        async move { microtome_daemon::run(&config, stop).await }
    });
    while lines(&config) < 10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(running);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(
        !daemon.is_finished(),
        "it waits for the device to come back"
    );
    stopper.stop();
    let summary = daemon.await.unwrap().unwrap();
    assert!(summary.frames >= 10, "{summary:?}");
    assert_eq!(lines(&config) as u64, summary.frames);
}

#[tokio::test]
async fn a_device_that_is_not_there_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(
        &folder,
        "/dev/no-such-tty".into(),
        AcquisitionConfig::default(),
    );
    let (stopper, stop) = stop();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        stopper.stop();
    });
    let summary = microtome_daemon::run(&config, stop).await.unwrap();
    assert_eq!(summary.frames, 0);
}

#[tokio::test]
async fn a_plan_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(
        &folder,
        "/dev/no-such-tty".into(),
        AcquisitionConfig::default(),
    );
    std::fs::write(folder.path().join("plans/zzz.mtp"), b"not a plan").unwrap();
    let (_stopper, stop) = stop();
    let error = microtome_daemon::run(&config, stop)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("zzz.mtp: this is not a plan"), "{error}");
}
