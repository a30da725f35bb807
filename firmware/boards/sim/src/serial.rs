//! A pseudo-terminal as the board's serial line.
//!
//! Two threads do the blocking I/O; pipes join them to the executor. What the host does not read
//! stays in the terminal's buffer, then in the pipe, and then the application waits: as on a line
//! with flow control.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::{Pipe, Reader, Writer};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

const PIPE_LEN: usize = 4096;

type Line = Pipe<CriticalSectionRawMutex, PIPE_LEN>;
/// The receiving half of the line.
pub type LineRx = Reader<'static, CriticalSectionRawMutex, PIPE_LEN>;
/// The sending half.
pub type LineTx = Writer<'static, CriticalSectionRawMutex, PIPE_LEN>;

/// Opens a pseudo-terminal and returns the path that the host opens, and both halves of the line.
pub fn open() -> io::Result<(String, LineRx, LineTx)> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let path = rustix::pty::ptsname(&master, Vec::new())?;
    let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    let mut mode = rustix::termios::tcgetattr(&slave)?;
    mode.make_raw();
    rustix::termios::tcsetattr(&slave, OptionalActions::Now, &mode)?;

    let master = File::from(master);
    let (rx, from_host) = Box::leak(Box::new(Line::new())).split();
    let (to_host, tx) = Box::leak(Box::new(Line::new())).split();
    let reading = master.try_clone()?;
    thread::spawn(move || receive(reading, slave, from_host));
    thread::spawn(move || transmit(master, to_host));
    Ok((path.to_string_lossy().into_owned(), rx, tx))
}

/// Holds the host's side open, so that the terminal outlives hosts that come and go.
fn receive(mut master: File, _slave: OwnedFd, line: LineTx) {
    let mut bytes = [0; 1024];
    while let Ok(len @ 1..) = master.read(&mut bytes) {
        let mut rest = &bytes[..len];
        while !rest.is_empty() {
            let written = wait_for(line.write(rest));
            rest = &rest[written..];
        }
    }
}

fn transmit(mut master: File, line: LineRx) {
    let mut bytes = [0; 1024];
    loop {
        let len = wait_for(line.read(&mut bytes));
        if master.write_all(&bytes[..len]).is_err() {
            return;
        }
    }
}

/// Blocks this thread until `future` is ready.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
