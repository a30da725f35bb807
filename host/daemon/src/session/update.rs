//! Requests of an update, each with its answer.
//!
//! The order of the steps, and what is done when one fails, is left to `update`.

use super::{Event, Fault, HANDSHAKE_TIMEOUT, Session, SessionError};
use microtome_link::ToBoard;
use microtome_link::message::{Identity, PROTOCOL, Piece, Refusal};
use microtome_link::update::{UPDATE_PIECE_LEN, Update, UpdateRefusal, UpdateState, Updated};
use std::time::Duration;
use tokio::time::timeout;

/// A step of an update that has not ended by then is given up: a slot is erased, or all golden
/// vectors are run.
pub const UPDATE_TIMEOUT: Duration = Duration::from_secs(300);

const OTHER_ANSWER: Fault = Fault::Violation("it answers another step of the update");

/// What has become of a step.
pub(crate) type Step<T> = Result<Result<T, UpdateRefusal>, SessionError>;

impl Session {
    /// Opens the board's free slot for the package with this header, and says how many of its
    /// bytes are there already.
    pub(crate) async fn begin(&mut self, header: &[u8], allow_downgrade: bool) -> Step<usize> {
        let begin = Update::Begin {
            header,
            allow_downgrade,
        };
        Ok(match self.step(&begin).await? {
            Ok(Updated::Written { bytes }) => Ok(bytes as usize),
            Ok(_) => return Err(self.error(OTHER_ANSWER)),
            Err(refusal) => Err(refusal),
        })
    }

    /// Sends `package` from byte `from` on, which is less than all, and tells `sent` of each piece
    /// that is on its way.
    pub(crate) async fn send_package(
        &mut self,
        package: &[u8],
        from: usize,
        sent: &mut (dyn FnMut(usize) + Send),
    ) -> Step<()> {
        let mut at = from;
        for data in package[from..].chunks(UPDATE_PIECE_LEN) {
            let offset = at as u32;
            let piece = Update::Piece(Piece { offset, data });
            self.send(&ToBoard::Update(piece)).await?;
            at += data.len();
            sent(at);
            if let Some(Err(refusal)) = self.poll_step()? {
                return Ok(Err(refusal));
            }
        }
        Ok(match self.end_of_step().await? {
            Ok(Updated::Written { bytes }) if bytes as usize == package.len() => Ok(()),
            Ok(_) => return Err(self.error(OTHER_ANSWER)),
            Err(refusal) => Err(refusal),
        })
    }

    /// Has the board run the package against its golden vectors, and says how many there are and
    /// what ticks of its clock they took.
    pub(crate) async fn try_package(&mut self) -> Step<(u32, u64)> {
        Ok(match self.step(&Update::Trial).await? {
            Ok(Updated::Tried { vectors, ticks }) => Ok((vectors, ticks)),
            Ok(_) => return Err(self.error(OTHER_ANSWER)),
            Err(refusal) => Err(refusal),
        })
    }

    /// Asks for a step that is answered with how the board stands then.
    pub(crate) async fn change(&mut self, step: &Update<'_>) -> Step<UpdateState> {
        Ok(match self.step(step).await? {
            Ok(Updated::State(state)) => Ok(state),
            Ok(_) => return Err(self.error(OTHER_ANSWER)),
            Err(refusal) => Err(refusal),
        })
    }

    /// Has the board introduce itself anew: its plan may be another than when the session began.
    pub(crate) async fn introduce(&mut self) -> Result<&Identity, SessionError> {
        self.send(&ToBoard::Hello { protocol: PROTOCOL }).await?;
        let introduced = async {
            loop {
                if let Some(identity) = self.line.inbound.identity() {
                    return Ok(identity);
                }
                self.line.turn().await?;
            }
        };
        let introduced = timeout(HANDSHAKE_TIMEOUT, introduced).await;
        self.identity = introduced
            .unwrap_or(Err(Fault::Silent))
            .map_err(|fault| self.error(fault))?;
        Ok(&self.identity)
    }

    async fn step(&mut self, step: &Update<'_>) -> Step<Updated> {
        self.send(&ToBoard::Update(*step)).await?;
        self.end_of_step().await
    }

    async fn end_of_step(&mut self) -> Step<Updated> {
        let answered = async {
            loop {
                if let Some(answer) = self.poll_step()? {
                    return Ok(answer);
                }
                self.turn().await?;
            }
        };
        let answered = timeout(UPDATE_TIMEOUT, answered).await;
        answered.unwrap_or_else(|_| Err(self.error(Fault::UpdateTimeout)))
    }

    /// What has become of a step, if that has been said.
    fn poll_step(&mut self) -> Result<Option<Result<Updated, UpdateRefusal>>, SessionError> {
        while let Some(event) = self.line.inbound.pop() {
            match event {
                Event::Updated(updated) => return Ok(Some(Ok(updated))),
                Event::Refused(Refusal::Update(refusal)) => return Ok(Some(Err(refusal))),
                Event::Refused(refusal) => return Err(self.refused(refusal)),
                other => tracing::debug!(device = self.device, ?other, "not of this update"),
            }
        }
        Ok(None)
    }
}
