//! What things are called on the server: subjects, streams, headers.
//!
//! | what | name |
//! |---|---|
//! | results | `microtome.SITE.results.DAEMON.DEVICE`, in the stream `microtome-SITE-DAEMON` |
//! | questions | `microtome.SITE.run.PLAN`, PLAN being the plan's digest in hexadecimal |
//! | plans | objects named by their digest in the bucket `microtome-plans` |

use microtome_journal::Hash;
use microtome_plan::Digest;

/// The bucket of plans.
pub const PLANS_BUCKET: &str = "microtome-plans";
/// The queue group of those who answer questions.
pub const WORKERS: &str = "microtome-workers";

/// A result's place in its journal.
pub const INDEX: &str = "Microtome-Index";
/// A result's hash in its journal's chain.
pub const HASH: &str = "Microtome-Hash";
/// Microseconds for which the asker waits, from when the question arrives.
pub const WAIT_US: &str = "Microtome-Wait-Us";
/// What became of a question: [`crate::wire::Status`].
pub const STATUS: &str = "Microtome-Status";
/// The plan that gave an answer.
pub const PLAN: &str = "Microtome-Plan";
/// The daemon that gave an answer.
pub const WORKER: &str = "Microtome-Worker";
/// What ran the plan there.
pub const EXECUTOR: &str = "Microtome-Executor";

/// The longest token of a subject that people choose.
const TOKEN_LEN_MAX: usize = 64;

/// Whether `text` can stand between two dots of a subject as it is.
pub(crate) fn is_token(text: &str) -> bool {
    (1..=TOKEN_LEN_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// A device's name as a token: what can not stand in one becomes `_`. Which device it is says the
/// provenance.
pub(crate) fn token_of(device: &str) -> String {
    let plain = |char: char| match u8::try_from(char) {
        Ok(byte) if is_plain(byte) => char,
        _ => '_',
    };
    let token: String = device.chars().take(TOKEN_LEN_MAX).map(plain).collect();
    if token.is_empty() {
        "_".to_owned()
    } else {
        token
    }
}

/// Names at a site.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub site: String,
    pub daemon: String,
}

impl Names {
    pub fn stream(&self) -> String {
        format!("microtome-{}-{}", self.site, self.daemon)
    }

    /// Of the results of `device`; `*` means all of them.
    pub fn results(&self, device: &str) -> String {
        let Self { site, daemon } = self;
        format!("microtome.{site}.results.{daemon}.{device}")
    }

    pub fn run(&self, plan: &Digest) -> String {
        format!("microtome.{}.run.{}", self.site, Hash(*plan))
    }

    pub fn run_any(&self) -> String {
        format!("microtome.{}.run.*", self.site)
    }
}

/// The digest at the end of a subject of [`Names::run`].
pub(crate) fn plan_of(subject: &str) -> Option<Digest> {
    let digits = subject.rsplit('.').next()?;
    digits.parse().ok().map(|Hash(digest)| digest)
}

#[cfg(test)]
mod tests {
    use super::{Names, plan_of, token_of};

    #[test]
    fn a_subject_names_its_plan() {
        let names = Names {
            site: "lab".to_owned(),
            daemon: "a".to_owned(),
        };
        let digest = std::array::from_fn(|at| at as u8 * 7);
        assert_eq!(plan_of(&names.run(&digest)), Some(digest));
        assert_eq!(plan_of("microtome.lab.run.12"), None);
        assert_eq!(plan_of(&format!("a.{}", "g".repeat(64))), None);
    }

    #[test]
    fn any_device_has_a_token() {
        assert_eq!(token_of("stage-left 2.µ*>"), "stage-left_2____");
        assert_eq!(token_of(""), "_");
    }
}
