//! Where in its journal a publisher goes on: what the stream has decides, not what was noted.
//!
//! A stream has one publisher, which lets the server check of each message that it comes right
//! after the one before. So the stream is, without gap or repetition, a stretch of the journal; its
//! last message tells where that ends. This holds however long the server or the publisher was
//! away, and when the server has lost what it had acknowledged.

use crate::feed::Known;
use microtome_journal::{Cursor, Hash};
use serde::{Deserialize, Serialize};

/// The end of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// When the stream was made: what tells it from one of the same name.
    pub created: String,
    /// Number of its last message; 0 where there was none.
    pub sequence: u64,
    /// Which result that is; `None` where the stream does not keep it any more.
    pub last: Option<(u64, Hash)>,
}

/// What is noted with the cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Of the stream.
    pub created: String,
    /// Number of the last message that was acknowledged.
    pub sequence: u64,
    /// The result's hash.
    pub hash: Hash,
}

/// Somebody else has published after this journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

/// Index of the result that follows the end of the stream. `known` is what the journal has of the
/// stream's last result.
pub(crate) fn next(tail: &Tail, cursor: &Cursor, known: &Known) -> Result<u64, Foreign> {
    let first = known.indexes.start;
    let mark: Option<Mark> = serde_json::from_str(&cursor.mark).ok();
    let mark = mark.filter(|mark| mark.created == tail.created);
    let Some((index, hash)) = tail.last else {
        let Some(mark) = mark else {
            return Ok(first);
        };
        // What came after the mark was ours, one message a result.
        let next = match tail.sequence.checked_sub(mark.sequence) {
            Some(since) => cursor.next + since,
            None => cursor.next.saturating_sub(mark.sequence - tail.sequence),
        };
        return Ok(next.max(first));
    };
    let is_removed = index.saturating_add(1) == first && known.anchor == hash;
    let is_marked = mark.as_ref().is_some_and(|mark| mark.hash == hash);
    if known.hash == Some(hash) || is_removed || is_marked {
        return Ok(index.saturating_add(1).max(first));
    }
    match mark {
        // The journal is a new one, or the stream is.
        None => Ok(first),
        // The server went back to a result that the journal does not keep any more.
        Some(mark) if tail.sequence < mark.sequence && index < first => Ok(first),
        Some(_) => Err(Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::{Foreign, Mark, Tail, next};
    use crate::feed::Known;
    use microtome_journal::{Cursor, Hash};

    fn hash(index: u64) -> Hash {
        Hash::of(&index.to_le_bytes())
    }

    fn tail(sequence: u64, last: Option<u64>) -> Tail {
        Tail {
            created: "today".to_owned(),
            sequence,
            last: last.map(|index| (index, hash(index))),
        }
    }

    /// Results before `next` were acknowledged, as messages of the same number and one.
    fn cursor(next: u64) -> Cursor {
        let mark = Mark {
            created: "today".to_owned(),
            sequence: next,
            hash: hash(next - 1),
        };
        let mark = serde_json::to_string(&mark).unwrap();
        Cursor { next, mark }
    }

    /// A journal of 100 results from `first` on.
    fn known(first: u64, index: u64) -> Known {
        Known {
            indexes: first..100,
            anchor: first.checked_sub(1).map_or(Hash::default(), hash),
            hash: (first..100).contains(&index).then(|| hash(index)),
        }
    }

    #[test]
    fn the_last_message_tells_what_comes_next() {
        // Acknowledgements were lost, or the server has lost messages.
        for cursor in [Cursor::default(), cursor(10), cursor(41), cursor(60)] {
            assert_eq!(next(&tail(41, Some(40)), &cursor, &known(0, 40)), Ok(41));
        }
    }

    #[test]
    fn an_empty_stream_gets_all_unless_it_was_emptied() {
        assert_eq!(
            next(&tail(0, None), &Cursor::default(), &known(5, 0)),
            Ok(5)
        );
        let mut other = tail(0, None);
        other.created = "yesterday".to_owned();
        assert_eq!(next(&other, &cursor(50), &known(5, 0)), Ok(5));
        assert_eq!(next(&tail(50, None), &cursor(50), &known(5, 0)), Ok(50));
        assert_eq!(next(&tail(53, None), &cursor(50), &known(5, 0)), Ok(53));
        assert_eq!(next(&tail(47, None), &cursor(50), &known(5, 0)), Ok(47));
        assert_eq!(next(&tail(2, None), &cursor(50), &known(5, 0)), Ok(5));
    }

    #[test]
    fn results_that_were_removed_before_they_were_published_are_passed_over() {
        assert_eq!(
            next(&tail(41, Some(40)), &cursor(41), &known(41, 40)),
            Ok(41)
        );
        assert_eq!(
            next(&tail(41, Some(40)), &cursor(41), &known(70, 40)),
            Ok(70)
        );
        assert_eq!(
            next(&tail(31, Some(30)), &cursor(41), &known(70, 30)),
            Ok(70)
        );
    }

    #[test]
    fn another_journal_begins_but_two_do_not_take_turns() {
        let foreign = Tail {
            last: Some((7, Hash::of(b"another journal"))),
            ..tail(200, None)
        };
        assert_eq!(next(&foreign, &Cursor::default(), &known(0, 7)), Ok(0));
        assert_eq!(next(&foreign, &cursor(50), &known(0, 7)), Err(Foreign));
    }
}
