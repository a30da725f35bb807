//! How the command comes by a board's image: the user gives it, or it is built from the checkout.
//!
//! A build runs Cargo in the board's own folder, so that its settings apply. It installs the Rust
//! target that the board needs if it is missing, and says so. Every line goes to `progress`.

use crate::Board;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Lines of a failed build that its error repeats.
const TAIL_LINES: usize = 12;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file that the user gave is none.
    #[error("{}: no such firmware image", path.display())]
    Absent {
        /// Path that was given.
        path: PathBuf,
    },
    /// There are no sources to build from.
    #[error("no microtome checkout here to build the image of {board} from: give --firmware PATH")]
    NoCheckout {
        /// Name of the board.
        board: String,
    },
    /// A tool of the build is not installed.
    #[error(
        "{tool} is needed to build the image of {board}: install it from https://rustup.rs, \
         or give --firmware PATH"
    )]
    NoTool {
        /// Name of the board.
        board: String,
        /// Name of the tool.
        tool: &'static str,
    },
    /// A tool of the build failed.
    #[error("`{command}` for {board} failed:\n{tail}")]
    Failed {
        /// Name of the board.
        board: String,
        /// What was run.
        command: String,
        /// The last lines that it printed.
        tail: String,
    },
}

/// The image of `board`: the file `given`, or else what the checkout builds.
///
/// # Errors
/// [`ImageError`] says what is missing, or repeats the end of a failed build.
pub fn locate(
    board: &Board,
    given: Option<&Path>,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, ImageError> {
    match given {
        Some(path) if path.is_file() => Ok(path.to_owned()),
        Some(path) => Err(ImageError::Absent {
            path: path.to_owned(),
        }),
        None => build(board, progress),
    }
}

/// Builds the image of `board` from the checkout around the current folder, or else from the one
/// that this program was built from.
///
/// # Errors
/// As [`locate`].
pub fn build(board: &Board, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, ImageError> {
    let root = checkout(board).ok_or_else(|| ImageError::NoCheckout {
        board: board.name.clone(),
    })?;
    let build = Build {
        board,
        folder: folder(&root, board),
    };
    let mut args = vec![
        "build",
        "--release",
        "--message-format",
        "json-render-diagnostics",
    ];
    let target_dir = root.join("target/firmware").display().to_string();
    if let Some(target) = &board.firmware.target {
        build.ensure_target(target, progress)?;
        args.extend(["--target", target, "--target-dir", &target_dir]);
    }
    progress(&format!(
        "building {} for {}",
        board.firmware.package, board.name
    ));
    let stdout = build.run("cargo", &args, progress)?;
    executable(&stdout, &board.firmware.package).ok_or_else(|| ImageError::Failed {
        board: board.name.clone(),
        command: "cargo build".to_owned(),
        tail: format!("it built no binary called {}", board.firmware.package),
    })
}

/// Root of the checkout that has the sources of `board`.
fn checkout(board: &Board) -> Option<PathBuf> {
    let has_sources = |root: &&Path| folder(root, board).join("Cargo.toml").is_file();
    let here = std::env::current_dir().unwrap_or_default();
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = here.ancestors().chain(built_from).find(has_sources)?;
    Some(root.to_owned())
}

fn folder(root: &Path, board: &Board) -> PathBuf {
    root.join("firmware/boards").join(&board.name)
}

/// Path of the binary of `package` in Cargo's messages.
fn executable(messages: &str, package: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_image = message["target"]["name"] == package;
        let path = message["executable"].as_str().filter(|_| is_image)?;
        Some(PathBuf::from(path))
    })
}

/// A build in the folder of a board.
struct Build<'a> {
    board: &'a Board,
    folder: PathBuf,
}

impl Build<'_> {
    /// Installs the standard library for `target` unless it is there.
    fn ensure_target(
        &self,
        target: &str,
        progress: &mut dyn FnMut(&str),
    ) -> Result<(), ImageError> {
        let args = ["--print", "target-libdir", "--target", target];
        let libdir = self.run("rustc", &args, &mut |_| ())?;
        if Path::new(libdir.trim()).is_dir() {
            return Ok(());
        }
        progress(&format!(
            "installing the Rust target {target}: rustup target add {target}"
        ));
        self.run("rustup", &["target", "add", target], progress)
            .map(drop)
    }

    /// Runs a tool to its end and returns what it wrote to stdout.
    fn run(
        &self,
        tool: &'static str,
        args: &[&str],
        progress: &mut dyn FnMut(&str),
    ) -> Result<String, ImageError> {
        let failed = |tail: String| ImageError::Failed {
            board: self.board.name.clone(),
            command: format!("{tool} {}", args.first().unwrap_or(&"")),
            tail,
        };
        let mut command = Command::new(tool);
        command.args(args).current_dir(&self.folder);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|_| ImageError::NoTool {
                board: self.board.name.clone(),
                tool,
            })?;
        let stdout = child.stdout.take().map(BufReader::new);
        let reader = thread::spawn(move || stdout.map(std::io::read_to_string));
        let mut tail = VecDeque::new();
        for line in child
            .stderr
            .take()
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufRead::lines)
        {
            let Ok(line) = line else { break };
            progress(&line);
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(line);
        }
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        let stdout = reader
            .join()
            .ok()
            .flatten()
            .and_then(Result::ok)
            .unwrap_or_default();
        if status.success() {
            Ok(stdout)
        } else {
            Err(failed(tail.make_contiguous().join("\n")))
        }
    }
}
