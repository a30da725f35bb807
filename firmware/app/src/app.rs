//! Answers the host's requests, one at a time, with the plan that runs.

use crate::Clock;
use crate::engine::Engine;
use crate::held::Held;
use crate::log::{info, warning};
use crate::pins::Signals;
use crate::port::{Ended, Port};
use crate::replay::Replay;
use crate::sensor::Sensor;
use crate::update::Step;
use microtome_answer::Reading;
use microtome_link::message::{
    Acquisition, Answerer, Identity, InputSource, PIECE_LEN_MAX, Piece, Received, Refusal,
};
use microtome_link::{Event, Message, PROTOCOL, ToBoard, ToHost};

pub(crate) struct App<'b, 'p, S> {
    pub identity: &'b mut Identity,
    pub clock: Clock,
    pub port: &'b Port,
    /// The session whose requests are being answered.
    pub session: u32,
    /// `None` where there is no plan to run, and while a request uses it.
    pub engine: Option<Engine<'b, 'b>>,
    /// Bytes at the beginning of the engine's frame that came over the link.
    pub staged: usize,
    pub held: &'b mut Held,
    pub replay: Replay<'b>,
    pub sensor: &'b mut S,
    pub signals: &'b mut Signals<'p>,
}

/// What the host wants, or what became of it.
#[allow(
    clippy::large_enum_variant,
    reason = "there is no allocator to box with"
)]
pub(crate) enum Request {
    Opened,
    Closed,
    Hello {
        protocol: u16,
    },
    Start(Acquisition),
    Stop,
    Run {
        run: u32,
        input: InputSource,
        profile: bool,
    },
    /// A piece of input, which has been staged.
    Input,
    /// `None` is that there is no answer.
    Answer {
        frame: u32,
        answer: Option<(Reading, Answerer)>,
    },
    /// A name for the board's start.
    Boot(u64),
    /// Results that the host has stored, up to this number.
    Stored(u64),
    Clock {
        host_us: u64,
    },
    /// Whether the board may ask.
    Offload {
        allowed: bool,
    },
    /// A step of an update, which is not for the plan that runs.
    Update(Step),
    /// Nothing that this version knows.
    Foreign,
}

impl<S: Sensor> App<'_, '_, S> {
    /// Answers requests until one is a step of an update.
    pub async fn serve(&mut self) -> Step {
        loop {
            while let Some(request) = self.poll() {
                if let Request::Update(step) = request {
                    return step;
                }
                // A session that ends takes what was done for it along; the next one begins with
                // a request of its own.
                let _: Result<(), Ended> = self.answer(request).await;
            }
            self.port.news().await;
        }
    }

    async fn answer(&mut self, request: Request) -> Result<(), Ended> {
        match request {
            Request::Hello { protocol } => self.hello(protocol).await,
            Request::Start(how) => self.acquire(how).await,
            Request::Run {
                run,
                input,
                profile,
            } => self.run(run, input, profile).await,
            Request::Clock { host_us } => self.tell_clock(host_us).await,
            Request::Opened
            | Request::Closed
            | Request::Stop
            | Request::Input
            | Request::Answer { .. }
            | Request::Boot(_)
            | Request::Stored(_)
            | Request::Offload { .. }
            | Request::Update(_)
            | Request::Foreign => Ok(()),
        }
    }

    /// The next request, if there is one. What needs no more than to be noted is noted.
    pub fn poll(&mut self) -> Option<Request> {
        let (engine, staged) = (&mut self.engine, &mut self.staged);
        let request = self.port.poll(|event| match event {
            Event::Opened => Request::Opened,
            Event::Closed => Request::Closed,
            Event::OtherVersion(_) => Request::Foreign,
            Event::Message(message) => take(message, engine.as_mut(), staged),
        })?;
        match request {
            Request::Opened => {
                self.session = self.port.session().unwrap_or(0);
                self.staged = 0;
                info!("session {}", self.session);
            }
            Request::Boot(boot) if self.identity.boot == 0 => self.identity.boot = boot,
            Request::Stored(through) => self.held.stored(through),
            Request::Foreign => warning!("a message of another version"),
            _ => {}
        }
        Some(request)
    }

    pub async fn hello(&mut self, protocol: u16) -> Result<(), Ended> {
        if protocol != PROTOCOL {
            return self.refuse(Refusal::Protocol { board: PROTOCOL }).await;
        }
        self.send(&ToHost::Hello(self.identity.clone())).await
    }

    pub async fn tell_clock(&self, host_us: u64) -> Result<(), Ended> {
        let ticks = (self.clock.now)();
        self.send(&ToHost::Clock { host_us, ticks }).await
    }

    pub async fn refuse(&self, refusal: Refusal) -> Result<(), Ended> {
        self.send(&ToHost::Refused(refusal)).await
    }

    pub async fn send(&self, message: &impl Message) -> Result<(), Ended> {
        self.port.send(self.session, message).await
    }

    /// Sends `bytes` in pieces; the first has the given offset.
    pub async fn send_pieces<'p>(
        &self,
        offset: usize,
        bytes: &'p [u8],
        message: impl Fn(Piece<'p>) -> ToHost<'p>,
    ) -> Result<(), Ended> {
        for (index, data) in bytes.chunks(PIECE_LEN_MAX).enumerate() {
            let offset = (offset + index * PIECE_LEN_MAX) as u32;
            self.send(&message(Piece { offset, data })).await?;
        }
        Ok(())
    }
}

/// Takes a message apart. A piece of input is staged at once: it is borrowed from the link.
fn take(message: Received<'_>, engine: Option<&mut Engine<'_, '_>>, staged: &mut usize) -> Request {
    match message.decode() {
        Ok(ToBoard::Hello { protocol }) => Request::Hello { protocol },
        Ok(ToBoard::Start(how)) => Request::Start(how),
        Ok(ToBoard::Stop) => Request::Stop,
        Ok(ToBoard::Run {
            run,
            input,
            profile,
        }) => Request::Run {
            run,
            input,
            profile,
        },
        Ok(ToBoard::Answer {
            frame,
            reading,
            answerer,
        }) => Request::Answer {
            frame,
            answer: Some((reading, answerer)),
        },
        Ok(ToBoard::NoAnswer { frame }) => Request::Answer {
            frame,
            answer: None,
        },
        Ok(ToBoard::Input(piece)) => {
            let frame = engine.map_or(&mut [] as &mut [u8], Engine::frame_mut);
            *staged = stage(piece, frame, *staged);
            Request::Input
        }
        Ok(ToBoard::Boot { boot }) => Request::Boot(boot),
        Ok(ToBoard::Stored { through }) => Request::Stored(through),
        Ok(ToBoard::Clock { host_us }) => Request::Clock { host_us },
        Ok(ToBoard::Offload { allowed }) => Request::Offload { allowed },
        Ok(ToBoard::Update(update)) => Request::Update(update.into()),
        Err(_) => Request::Foreign,
    }
}

/// Puts a piece into the frame and returns the bytes that are there; none where the piece does
/// not continue what was there before, or lies outside.
fn stage(piece: Piece<'_>, frame: &mut [u8], staged: usize) -> usize {
    let begin = piece.offset as usize;
    if begin != 0 && begin != staged {
        return 0;
    }
    let end = begin.saturating_add(piece.data.len());
    match frame.get_mut(begin..end) {
        Some(room) => {
            room.copy_from_slice(piece.data);
            end
        }
        None => 0,
    }
}
