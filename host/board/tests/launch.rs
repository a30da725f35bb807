//! Starting boards: what is refused, and how a board that misbehaves is reported. The boards are
//! shell commands in descriptors of this test.

use microtome_board::{Board, LaunchError, LaunchOptions, launch};
use std::path::Path;
use std::time::{Duration, Instant};

/// A board whose emulator is the shell.
fn board(kind: &str, serial: &str, program: &str, script: &str) -> &'static Board {
    let text = format!(
        r#"
        name = "test"
        description = "a shell script"
        arch = "host"
        firmware = {{ package = "none" }}
        memory = {{ arena_bytes = 0, plan = {{ address = 0, bytes = 8 }} }}
        clock = {{ ticks_hz = 1000, instructions_per_tick = 0.625 }}
        [launch]
        kind = "{kind}"
        serial = "{serial}"
        program = "{program}"
        args = ["-c", '''{script}''', "sh"]
        args_plan = ["{{plan}}"]
        args_replay = ["{{replay}}"]
        "#
    );
    Box::leak(Box::new(toml::from_str(&text).expect("a descriptor")))
}

fn start(
    board: &'static Board,
    plan: Option<&[u8]>,
) -> Result<microtome_board::Running, LaunchError> {
    launch(
        board,
        Path::new("sh"),
        &LaunchOptions {
            plan,
            replay: Some(b"MTRP"),
            pins: None,
            flash: None,
        },
    )
}

#[test]
fn a_board_that_announces_its_device_runs_until_it_is_dropped() {
    let board = board(
        "process",
        "pty",
        "{image}",
        "echo $$ noise; echo serial: /dev/$(cat $1); cat",
    );
    let mut running = start(board, Some(b"plan")).unwrap();
    assert_eq!(running.serial(), Path::new("/dev/plan"));
    running.check().unwrap();
    let begin = Instant::now();
    drop(running);
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_board_that_dies_early_is_reported_with_its_last_words() {
    for (serial, script) in [
        ("pty", "echo flash is on fire >&2; exit 3"),
        ("unix", "echo flash is on fire >&2; exit 3"),
    ] {
        let error = start(board("process", serial, "sh", script), None).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, LaunchError::Died { .. }), "{text}");
        assert!(
            text.contains("exit status: 3") && text.contains("flash is on fire"),
            "{text}"
        );
    }
}

#[test]
fn a_missing_emulator_is_named_with_its_package() {
    let error = start(board("qemu", "unix", "qemu-system-none", ""), None).unwrap_err();
    assert!(
        error.to_string().contains("apt install qemu-system-none"),
        "{error}"
    );
}

#[test]
fn a_plan_that_does_not_fit_is_refused() {
    let error = start(board("process", "pty", "sh", "cat"), Some(b"nine char")).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "the plan has 9 bytes, test has room for 8");
}

#[test]
fn instructions_are_counted_from_ticks_where_the_clock_counts_them() {
    assert_eq!(board("process", "pty", "sh", "").instructions(8), Some(5));
    for board in microtome_board::boards() {
        let counts = board.clock.instructions_per_tick.is_some();
        assert_eq!(board.instructions(0).is_some(), counts, "{}", board.name);
    }
}

#[test]
fn an_unknown_board_is_answered_with_the_known_ones() {
    let error = microtome_board::find("nonesuch").unwrap_err();
    for board in microtome_board::boards() {
        assert!(error.known.contains(&board.name));
    }
    assert!(error.to_string().contains("\"nonesuch\""));
}
