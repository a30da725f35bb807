//! When it is better not to ask: an instrument whose questions are hardly ever answered in time
//! only waits for nothing, and its frames come more slowly for it.
//!
//! Where of the last [`QUESTIONS`] no more than [`ANSWERS_MIN`] were answered, the board is told not
//! to ask, for [`PAUSE_MIN`] at first; then it asks so many questions again. Each time that this is
//! of no use the pause is twice as long, up to [`PAUSE_MAX`].

use std::time::Duration;
use tokio::time::Instant;

/// Questions that are judged together.
const QUESTIONS: usize = 20;
/// Answers among them that are not enough.
const ANSWERS_MIN: usize = 2;
/// The first pause.
const PAUSE_MIN: Duration = Duration::from_secs(30);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// The patience of one instrument.
#[derive(Debug)]
pub(crate) struct Patience {
    questions: usize,
    answers: usize,
    /// The next pause.
    pause: Duration,
    /// When the pause at hand ends.
    ends: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            questions: 0,
            answers: 0,
            pause: PAUSE_MIN,
            ends: None,
        }
    }
}

impl Patience {
    /// Takes note of what became of a question.
    pub fn answered(&mut self, in_time: bool, now: Instant, device: &str) {
        if self.ends.is_some() {
            // It was asked before the pause.
            return;
        }
        self.questions += 1;
        self.answers += usize::from(in_time);
        if self.questions < QUESTIONS {
            return;
        }
        let answers = std::mem::take(&mut self.answers);
        self.questions = 0;
        if answers > ANSWERS_MIN {
            self.pause = PAUSE_MIN;
            return;
        }
        let pause_s = self.pause.as_secs();
        tracing::warn!(
            device,
            "of {QUESTIONS} questions {answers} were answered in time: none for {pause_s} s"
        );
        self.ends = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// Whether the board may ask.
    pub fn lasts(&mut self, now: Instant) -> bool {
        self.ends = self.ends.filter(|&ends| now < ends);
        self.ends.is_none()
    }

    /// When it may ask again, where it may not.
    pub fn ends(&self) -> Option<Instant> {
        self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::{PAUSE_MAX, PAUSE_MIN, Patience, QUESTIONS};
    use std::time::Duration;
    use tokio::time::Instant;

    /// So many questions, of which every `every`th is answered in time.
    fn ask(patience: &mut Patience, every: usize, now: Instant) {
        for question in 1..=QUESTIONS {
            patience.answered(question % every == 0, now, "scope");
        }
    }

    #[test]
    fn one_answer_in_five_is_enough() {
        let (mut patience, now) = (Patience::default(), Instant::now());
        for _ in 0..10 {
            ask(&mut patience, 5, now);
            assert!(patience.lasts(now));
        }
    }

    #[test]
    fn pauses_are_longer_each_time_and_short_again_after_answers() {
        let (mut patience, mut now) = (Patience::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            ask(&mut patience, 10, now);
            assert!(!patience.lasts(now));
            let ends = patience.ends().unwrap();
            pauses.push((ends - now).as_secs());
            // Answers to what was asked before do not count.
            ask(&mut patience, 1, now);
            assert!(!patience.lasts(ends - Duration::from_millis(1)));
            now = ends;
            assert!(patience.lasts(now));
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 600, PAUSE_MAX.as_secs()]);
        ask(&mut patience, 1, now);
        ask(&mut patience, 10, now);
        assert_eq!(patience.ends(), Some(now + PAUSE_MIN));
    }
}
