//! A host that speaks the link over a board's serial line, one thing at a time.

use microtome_board::Serial;
use microtome_link::message::Channel;
use microtome_link::{Event, FRAME_LEN_MAX, Link, SendError, ToBoard, ToHost};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The board has not said what it should have by then.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// The longest time without a look at the link's own timeouts.
const TURN_MAX: Duration = Duration::from_millis(2);

/// The line is closed, or its board says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// The host's end of the line.
pub struct Wire {
    link: Link,
    tx: Box<dyn Write>,
    rx: Receiver<Vec<u8>>,
    begun: Instant,
    /// A session that ends is not waited for again.
    was_open: bool,
}

impl Wire {
    pub fn over(serial: Serial) -> Self {
        let (tx, rx): (Box<dyn Write>, Box<dyn Read + Send>) = match serial {
            Serial::Device(path) => {
                let open = || File::options().read(true).write(true).open(&path);
                (
                    Box::new(open().expect("a device")),
                    Box::new(open().expect("a device")),
                )
            }
            Serial::Socket(socket) => (
                Box::new(socket.try_clone().expect("a socket")),
                Box::new(socket),
            ),
        };
        Self {
            link: Link::host(1),
            tx,
            rx: follow(rx),
            begun: Instant::now(),
            was_open: false,
        }
    }

    /// Sends a message when there is room for it.
    pub fn say(&mut self, message: &ToBoard<'_>) -> Result<(), Gone> {
        let deadline = Instant::now() + WAIT_MAX;
        while Instant::now() < deadline {
            match self.link.send(message) {
                Ok(()) => return self.turn(),
                Err(SendError::Closed) if self.was_open => return Err(Gone),
                Err(SendError::Full | SendError::Closed) => self.turn()?,
                Err(error) => panic!("{error}"),
            }
        }
        Err(Gone)
    }

    /// Waits for what `take` takes of the messages; the board's log is passed over.
    pub fn hear<T>(&mut self, take: impl Fn(ToHost<'_>) -> Option<T>) -> Result<T, Gone> {
        let deadline = Instant::now() + WAIT_MAX;
        while Instant::now() < deadline {
            while let Some(event) = self.link.poll_event() {
                match event {
                    Event::Message(message) if message.channel == Channel::Log => {}
                    Event::Message(message) => {
                        let message = message.decode().expect("a message to the host");
                        if let Some(taken) = take(message) {
                            return Ok(taken);
                        }
                    }
                    Event::Opened => {}
                    Event::Closed | Event::OtherVersion(_) => return Err(Gone),
                }
            }
            self.turn()?;
        }
        Err(Gone)
    }

    /// Keeps the link going for a while.
    pub fn serve(&mut self, time: Duration) -> Result<(), Gone> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    /// Writes what the link has to write, and waits a little for bytes.
    fn turn(&mut self) -> Result<(), Gone> {
        let mut out = [0; FRAME_LEN_MAX];
        while let Some(frame) = self.link.poll_transmit(micros(self.begun), &mut out) {
            self.tx.write_all(frame).map_err(|_| Gone)?;
        }
        match self.rx.recv_timeout(TURN_MAX) {
            Ok(bytes) => {
                self.link.receive(&bytes, micros(self.begun));
                self.was_open |= self.link.is_open();
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(Gone),
        }
    }
}

fn micros(since: Instant) -> u64 {
    since.elapsed().as_micros() as u64
}

/// What is read, piece by piece, until the line is closed.
fn follow(mut line: Box<dyn Read + Send>) -> Receiver<Vec<u8>> {
    let (tx, rx) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 1024];
        while let Ok(len @ 1..) = line.read(&mut bytes) {
            if tx.send(bytes[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    rx
}
