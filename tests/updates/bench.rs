//! Boards whose flash is a file, and what the tests ask of them.

use crate::plans;
use microtome_board::{Board, LaunchOptions, Running, image, launch, replay};
use microtome_daemon::update::Port;
use microtome_daemon::{DeviceLog, RunInput, Session, SessionError};
use microtome_link::message::Identity;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// An emulated board with its flash, in a folder that is gone with it.
pub struct Bench {
    board: &'static Board,
    image: PathBuf,
    pub folder: TempDir,
    /// Plan that the board was flashed with.
    factory: Vec<u8>,
    running: Power,
}

/// What runs at present; without power it is nothing.
#[derive(Clone, Default)]
pub struct Power(Arc<Mutex<Option<Running>>>);

impl Power {
    /// Takes the power away, as `kill -9` does.
    pub fn cut(&self) {
        drop(self.put(None));
    }

    fn put(&self, running: Option<Running>) -> Option<Running> {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, running)
    }
}

impl Bench {
    /// The board called `board`, flashed with the plan that clamps to `limit`.
    pub fn new(board: &str, limit: i8) -> Self {
        let board = microtome_board::find(board).unwrap();
        Self {
            board,
            image: image_of(&board.name),
            folder: tempfile::tempdir().unwrap(),
            factory: plans::clamp(limit).bytes().to_vec(),
            running: Power::default(),
        }
    }

    /// The board's power, to be cut.
    pub fn power(&self) -> Power {
        self.running.clone()
    }

    /// The board's image.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// A file in the bench's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Turns the power on, off and on again where it is on; the path that the host opens comes back.
    pub fn start(&mut self) -> PathBuf {
        self.running.cut();
        let store = replay::encode(&[plans::input()]).unwrap();
        let options = LaunchOptions {
            plan: Some(&self.factory),
            replay: Some(&store),
            flash: Some(&self.file("flash.bin")),
            ..LaunchOptions::default()
        };
        let running = launch(self.board, &self.image, &options).unwrap();
        let serial = running.serial().to_owned();
        self.running.put(Some(running));
        serial
    }

    /// A session with the board, whose power is turned on for it.
    pub async fn session(&mut self) -> Result<Session, SessionError> {
        let log = DeviceLog::new(&self.board.name);
        Session::open(&self.start(), 921_600, log).await
    }
}

/// The image of the board called `board`, built once.
pub fn image_of(board: &str) -> PathBuf {
    static IMAGES: Mutex<BTreeMap<&str, PathBuf>> = Mutex::new(BTreeMap::new());
    let board = microtome_board::find(board).unwrap();
    let mut images = IMAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || image::build(board, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
    images.entry(&board.name).or_insert_with(build).clone()
}

/// Each session is one after a loss of power.
impl Port for Bench {
    async fn open(&mut self) -> Result<Session, SessionError> {
        self.session().await
    }
}

/// The limit of the plan that the board runs: it says which plan that is, and computes so.
pub async fn limit_of(session: &mut Session) -> i8 {
    let Identity {
        plan, plan_fault, ..
    } = session.identity();
    assert_eq!(*plan_fault, None);
    let mut limits = (1..=i8::MAX).filter(|&limit| plans::clamp(limit).digest() == *plan);
    let limit = limits.next().expect("a plan of this test");
    let input = plans::input();
    let ran = session.run(RunInput::Values(&input), false).await.unwrap();
    assert_eq!(ran.values, plans::output(limit), "clamp to {limit}");
    limit
}

/// The path as an argument of the command.
pub fn text(path: &Path) -> String {
    path.to_str().expect("a path of this test").to_owned()
}
