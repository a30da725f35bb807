//! One serial line between a board and the daemon: a thread that carries bytes both ways, notes
//! them, and then damages them.
//!
//! Like a serial line with flow control, it holds little: what one side does not take, the other
//! can not send. What is sent while nobody has the host's side open is lost.

use crate::damage::{Damage, Faults, Rates};
use crate::pty::Pty;
use crate::tap::Truth;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest burst that is carried at once.
const BURST_LEN_MAX: usize = 512;
/// Bytes of a direction from which on no more are taken.
const ROOM: usize = 4096;
/// How often a wire looks for commands, and a side that was closed is looked at again.
const GLANCE: Duration = Duration::from_millis(20);

/// A wire; it ends when this is dropped.
pub struct Wire {
    path: PathBuf,
    commands: Option<Sender<Command>>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

/// What a wire has seen.
#[derive(Default)]
pub struct Shared {
    /// What the ends said.
    pub truth: Truth,
    /// What was done to it.
    pub faults: Faults,
}

enum Command {
    Board(Option<OwnedFd>),
    Rates(Rates),
}

impl Wire {
    /// A wire whose host side is found at `path`, with no board yet.
    ///
    /// # Errors
    /// When there is no pseudo-terminal.
    pub fn new(path: &Path, rates: Rates, seed: u64) -> io::Result<Self> {
        let host = Pty::open(path)?;
        let (commands, inbox) = mpsc::channel();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let carrier = Carrier {
            path: path.to_owned(),
            shared: Arc::clone(&shared),
            inbox,
            host: Some(host),
            host_idle_until: None,
            board: None,
            to_host: Lane::new(rates, seed),
            to_board: Lane::new(rates, seed ^ 0x5555),
            reset: None,
        };
        let thread = std::thread::spawn(move || carrier.run());
        Ok(Self {
            path: path.to_owned(),
            commands: Some(commands),
            shared,
            thread: Some(thread),
        })
    }

    /// Where the daemon finds it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Solders the wire to a board, or to none.
    pub fn solder(&self, board: Option<OwnedFd>) {
        self.command(Command::Board(board));
    }

    /// Changes how often what happens from now on.
    pub fn set_rates(&self, rates: Rates) {
        self.command(Command::Rates(rates));
    }

    /// What it has seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, command: Command) {
        // The thread takes commands for as long as this lives.
        let _ = self.commands.as_ref().map(|inbox| inbox.send(command));
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// One direction.
struct Lane {
    damage: Damage,
    bytes: VecDeque<u8>,
    stalled_until: Option<Instant>,
}

impl Lane {
    fn new(rates: Rates, seed: u64) -> Self {
        Self {
            damage: Damage::new(rates, seed),
            bytes: VecDeque::new(),
            stalled_until: None,
        }
    }

    fn take(&mut self, burst: &[u8]) {
        if let Some(stall) = self.damage.apply(burst, &mut self.bytes) {
            self.stalled_until = Some(Instant::now() + stall);
        }
    }

    fn has_room(&self) -> bool {
        self.bytes.len() < ROOM
    }

    fn is_due(&self) -> bool {
        let is_stalled = self
            .stalled_until
            .is_some_and(|until| Instant::now() < until);
        !self.bytes.is_empty() && !is_stalled
    }

    /// Writes what `to` takes; an error is that its other end is gone.
    fn give(&mut self, to: &OwnedFd) -> Result<(), Errno> {
        match rustix::io::write(to, self.bytes.make_contiguous()) {
            Ok(len) => self.bytes.drain(..len),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(error) => return Err(error),
        };
        Ok(())
    }
}

struct Carrier {
    path: PathBuf,
    shared: Arc<Mutex<Shared>>,
    inbox: Receiver<Command>,
    host: Option<Pty>,
    /// Nobody had the host's side open when it was looked at.
    host_idle_until: Option<Instant>,
    board: Option<OwnedFd>,
    to_host: Lane,
    to_board: Lane,
    /// When the cable is pulled, and when it is plugged in again.
    reset: Option<(Instant, Instant)>,
}

impl Carrier {
    fn run(mut self) {
        self.plan_reset();
        while self.obey() {
            self.pull_or_plug();
            self.carry();
            let mut faults = self.to_host.damage.faults;
            faults += self.to_board.damage.faults;
            self.shared().faults = faults;
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is wished; `false` is that the wire is wished away.
    fn obey(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Board(board)) => {
                    self.board = board;
                    self.to_board.bytes.clear();
                    self.shared().truth.board_restarted();
                }
                Ok(Command::Rates(rates)) => {
                    self.to_host.damage.rates = rates;
                    self.to_board.damage.rates = rates;
                    if self.host.is_some() {
                        self.plan_reset();
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn plan_reset(&mut self) {
        self.reset = self.to_host.damage.next_reset().map(|(wait, out)| {
            let pulled = Instant::now() + wait;
            (pulled, pulled + out)
        });
    }

    fn pull_or_plug(&mut self) {
        let (Some((pulled, plugged)), now) = (self.reset, Instant::now()) else {
            return;
        };
        if self.host.is_some() && now >= pulled {
            self.host = None;
            self.to_host.bytes.clear();
            self.to_host.damage.faults.resets += 1;
        }
        if self.host.is_none() && now >= plugged {
            // Where there is no terminal today, there may be one at the next glance.
            self.host = Pty::open(&self.path).ok();
            if self.host.is_some() {
                self.plan_reset();
            }
        }
    }

    /// Waits for bytes, room or time, and carries a burst each way.
    fn carry(&mut self) {
        let idle = self
            .host_idle_until
            .take_if(|until| Instant::now() >= *until);
        let is_idle = idle.is_none() && self.host_idle_until.is_some();
        let host = self
            .host
            .as_ref()
            .filter(|_| !is_idle)
            .map(|pty| &pty.master);
        let board = self.board.as_ref();
        if host.is_none() {
            self.to_host.bytes.clear();
        }
        let wanted = |input: bool, output: bool| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, input);
            flags.set(PollFlags::OUT, output);
            flags
        };
        let of_host = wanted(self.to_board.has_room(), self.to_host.is_due());
        let of_board = wanted(self.to_host.has_room(), self.to_board.is_due());
        let ends = [(host, of_host), (board, of_board)];
        let mut fds: Vec<PollFd<'_>> = ends
            .iter()
            .filter_map(|(end, flags)| end.map(|end| PollFd::from_borrowed_fd(end.as_fd(), *flags)))
            .collect();
        let glance = Timespec {
            tv_sec: 0,
            tv_nsec: GLANCE.as_nanos() as i64,
        };
        // An error or a signal is as good as a glance.
        let _ = rustix::event::poll(&mut fds, Some(&glance));
        let mut events = fds.iter().map(PollFd::revents);
        let host_events = host
            .and_then(|_| events.next())
            .unwrap_or(PollFlags::empty());
        let board_events = board
            .and_then(|_| events.next())
            .unwrap_or(PollFlags::empty());
        drop(fds);
        self.serve_host(host_events);
        self.serve_board(board_events);
        if host_events.contains(PollFlags::HUP) {
            self.host_idle_until = Some(Instant::now() + GLANCE);
        }
    }

    fn serve_host(&mut self, events: PollFlags) {
        let Some(host) = self.host.as_ref().map(|pty| &pty.master) else {
            return;
        };
        if events.contains(PollFlags::IN) {
            let mut burst = [0; BURST_LEN_MAX];
            if let Ok(len @ 1..) = rustix::io::read(host, &mut burst) {
                self.shared().truth.host_said(&burst[..len]);
                self.to_board.take(&burst[..len]);
            }
        }
        let host = self.host.as_ref().map(|pty| &pty.master);
        if let Some(host) = host.filter(|_| events.contains(PollFlags::OUT)) {
            // A side that was closed says so by its events.
            let _ = self.to_host.give(host);
        }
    }

    fn serve_board(&mut self, events: PollFlags) {
        let Some(board) = &self.board else {
            return;
        };
        let mut is_gone = events.intersects(PollFlags::ERR | PollFlags::NVAL);
        if events.intersects(PollFlags::IN | PollFlags::HUP) {
            let mut burst = [0; BURST_LEN_MAX];
            match rustix::io::read(board, &mut burst) {
                Ok(len @ 1..) => {
                    self.shared().truth.board_said(&burst[..len]);
                    self.to_host.take(&burst[..len]);
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Ok(_) | Err(_) => is_gone = true,
            }
        }
        if let Some(board) = self
            .board
            .as_ref()
            .filter(|_| events.contains(PollFlags::OUT))
        {
            is_gone |= self.to_board.give(board).is_err();
        }
        if is_gone {
            self.board = None;
        }
    }
}
