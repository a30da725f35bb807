//! Questions and answers between daemons.
//!
//! A question's payload is the plan's inputs one after another, each as the arena has it; an
//! answer's is the outputs. Headers say the rest. Both must fit into one message of the server
//! (1 MB unless it is configured otherwise); a plan with more is answered by the daemon itself.
//!
//! Answers come from outside: their form is checked here, and whatever is wrong with one, the
//! daemon's own executor answers instead.

use crate::names::{EXECUTOR, PLAN, STATUS, WAIT_US, WORKER};
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use microtome_backend::{Inputs, Outputs};
use microtome_journal::Hash;
use microtome_plan::{Digest, Manifest, Port};
use std::time::Duration;

/// Bytes that a message's headers have at most.
pub(crate) const HEADERS_LEN_MAX: usize = 1024;
/// Characters of a name that are taken over from others.
const NAME_LEN_MAX: usize = 96;
/// The longest that a worker lets a question wait, whatever it says.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is answered.
    Done,
    /// The worker has no room for it, does not have the plan yet, or ends; another one may answer.
    Busy,
    /// Nobody waits for the answer any more.
    Late,
    /// The stored plan is missing or not what its name says.
    NoPlan,
    /// The question does not fit the plan, or the executor failed.
    Refused,
}

impl Status {
    const ALL: [Self; 5] = [
        Self::Done,
        Self::Busy,
        Self::Late,
        Self::NoPlan,
        Self::Refused,
    ];

    /// As messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Busy => "busy",
            Self::Late => "late",
            Self::NoPlan => "no-plan",
            Self::Refused => "refused",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAnswer {
    #[error("it has no status that is known")]
    Status,
    #[error("it is of another plan")]
    Plan,
    #[error("it has {found} bytes, the plan's outputs have {expected}")]
    Len { expected: usize, found: usize },
}

/// What a worker said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done {
        outputs: Outputs,
        /// Who gave it, and what ran it there.
        executor: String,
    },
    NotDone(Status),
}

/// Bytes of all of these ports together.
pub(crate) fn len_of(ports: &[Port<'_>]) -> usize {
    ports.iter().map(Port::len_bytes).sum()
}

/// Whether a plan's questions and answers fit into messages of `payload_max` bytes.
pub(crate) fn fits(manifest: &Manifest<'_>, payload_max: usize) -> bool {
    let len = len_of(&manifest.inputs).max(len_of(&manifest.outputs));
    len.saturating_add(HEADERS_LEN_MAX) <= payload_max
}

/// The payload of a question.
pub(crate) fn question(inputs: &Inputs<'_>) -> Bytes {
    inputs.concat().into()
}

/// The headers of a question.
pub(crate) fn question_headers(wait: Duration) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(WAIT_US, wait.as_micros().to_string());
    headers
}

/// How long the asker of a question waits.
pub(crate) fn wait_of(message: &Message) -> Option<Duration> {
    let wait = header(message, WAIT_US)?.parse().ok()?;
    Some(Duration::from_micros(wait).min(WAIT_MAX))
}

/// The headers of an answer.
pub(crate) fn answer_headers(
    status: Status,
    plan: &Digest,
    worker: &str,
    executor: &str,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(STATUS, status.name());
    headers.insert(PLAN, Hash(*plan).to_string());
    headers.insert(WORKER, worker);
    headers.insert(EXECUTOR, &*printable(executor));
    headers
}

/// Reads an answer of the plan `digest` with these outputs.
pub(crate) fn answer(
    message: &Message,
    digest: &Digest,
    outputs: &[usize],
) -> Result<Answer, BadAnswer> {
    let status = header(message, STATUS).and_then(Status::of_name);
    let status = status.ok_or(BadAnswer::Status)?;
    if status != Status::Done {
        return Ok(Answer::NotDone(status));
    }
    let plan = header(message, PLAN).and_then(|plan| plan.parse().ok());
    if plan != Some(Hash(*digest)) {
        return Err(BadAnswer::Plan);
    }
    let (expected, found) = (outputs.iter().sum(), message.payload.len());
    if expected != found {
        return Err(BadAnswer::Len { expected, found });
    }
    let name = |key| printable(header(message, key).unwrap_or_default());
    Ok(Answer::Done {
        outputs: split(&message.payload, outputs.iter().copied())
            .map(<[u8]>::to_vec)
            .collect(),
        executor: format!("fleet: {}: {}", name(WORKER), name(EXECUTOR)),
    })
}

/// `bytes` in parts of these lengths, which add up to its own.
pub(crate) fn split(
    mut bytes: &[u8],
    lens: impl Iterator<Item = usize>,
) -> impl Iterator<Item = &[u8]> {
    lens.map(move |len| {
        let (part, rest) = bytes.split_at(len.min(bytes.len()));
        bytes = rest;
        part
    })
}

fn header<'m>(message: &'m Message, name: &str) -> Option<&'m str> {
    let headers = message.headers.as_ref()?;
    headers.get(name).map(|value| value.as_str())
}

/// What others call themselves goes into journals and terminals.
fn printable(name: &str) -> String {
    let printed = name.chars().filter(|char| !char.is_control());
    printed.take(NAME_LEN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::{Answer, BadAnswer, HeaderMap, Status, answer, answer_headers, split, wait_of};
    use async_nats::Message;
    use std::time::Duration;

    const PLAN: [u8; 32] = [7; 32];

    fn message(headers: HeaderMap, payload: &'static [u8]) -> Message {
        Message {
            subject: "inbox".into(),
            reply: None,
            payload: payload.into(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn an_answer_says_what_was_answered_by_whom() {
        let headers = answer_headers(Status::Done, &PLAN, "bench", "gpu (some\nthing)");
        let read = answer(&message(headers, b"abcde"), &PLAN, &[2, 3]);
        let executor = "fleet: bench: gpu (something)".to_owned();
        let outputs = vec![b"ab".to_vec(), b"cde".to_vec()];
        assert_eq!(read, Ok(Answer::Done { outputs, executor }));
        for status in Status::ALL.into_iter().skip(1) {
            let headers = answer_headers(status, &PLAN, "bench", "");
            let read = answer(&message(headers, b""), &PLAN, &[2, 3]);
            assert_eq!(read, Ok(Answer::NotDone(status)));
        }
    }

    #[test]
    fn what_is_no_answer_to_the_question_is_refused() {
        let done = || answer_headers(Status::Done, &PLAN, "bench", "cpu");
        let read = |headers, payload| answer(&message(headers, payload), &PLAN, &[2, 3]);
        let len = |found| BadAnswer::Len { expected: 5, found };
        assert_eq!(read(done(), b"abcd"), Err(len(4)));
        assert_eq!(read(done(), b"abcdef"), Err(len(6)));
        assert_eq!(read(HeaderMap::new(), b"abcde"), Err(BadAnswer::Status));
        let other = answer_headers(Status::Done, &[8; 32], "bench", "cpu");
        assert_eq!(read(other, b"abcde"), Err(BadAnswer::Plan));
        let mut garbage = done();
        garbage.insert(super::PLAN, "zz");
        assert_eq!(read(garbage, b"abcde"), Err(BadAnswer::Plan));
        let mut unknown = done();
        unknown.insert(super::STATUS, "fine");
        assert_eq!(read(unknown, b"abcde"), Err(BadAnswer::Status));
    }

    #[test]
    fn a_question_without_a_time_is_none() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(super::WAIT_US, text);
            wait_of(&message(headers, b""))
        };
        assert_eq!(wait("1500"), Some(Duration::from_micros(1500)));
        assert_eq!(wait("99999999999999"), Some(super::WAIT_MAX));
        assert_eq!((wait("-1"), wait("soon")), (None, None));
    }

    #[test]
    fn no_length_splits_beyond_the_end() {
        let parts: Vec<_> = split(b"abc", [2, 5, 1].into_iter()).collect();
        assert_eq!(parts, [&b"ab"[..], b"c", b""]);
    }
}
