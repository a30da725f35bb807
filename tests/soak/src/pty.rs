//! A pseudo-terminal whose host side is found under a path that stays, as udev's are.

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The board's side of a pseudo-terminal; the cable is pulled when this is dropped.
#[derive(Debug)]
pub struct Pty {
    /// What the daemon does not see.
    pub master: OwnedFd,
    link: PathBuf,
}

impl Pty {
    /// Makes a terminal that is found at `link`.
    ///
    /// # Errors
    /// When the system has none, or the link can not be made.
    pub fn open(link: &Path) -> io::Result<Self> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let path = rustix::pty::ptsname(&master, Vec::new())?;
        // Nothing may be echoed before the daemon makes its settings.
        raw(&open(Path::new(path.to_str().map_err(io::Error::other)?))?)?;
        unblock(&master)?;
        std::os::unix::fs::symlink(path.to_str().map_err(io::Error::other)?, link)?;
        let link = link.to_owned();
        Ok(Self { master, link })
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Where it is gone already, there is nothing to do.
        let _ = std::fs::remove_file(&self.link);
    }
}

/// Opens the terminal of a board, which has made its settings.
///
/// # Errors
/// When it can not be opened.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Makes reads and writes return at once.
///
/// # Errors
/// When the system refuses.
pub fn unblock(fd: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

fn raw(slave: &OwnedFd) -> io::Result<()> {
    let mut mode = rustix::termios::tcgetattr(slave)?;
    mode.make_raw();
    Ok(rustix::termios::tcsetattr(
        slave,
        OptionalActions::Now,
        &mode,
    )?)
}
