//! Text that is cut to what a message has room for.

use core::fmt::{self, Display, Write as _};
use heapless::String;

/// `text`, or as much of it as fits.
pub(crate) fn cut<const N: usize>(text: &dyn Display) -> String<N> {
    struct Cut<const N: usize>(String<N>);
    impl<const N: usize> fmt::Write for Cut<N> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            text.chars()
                .try_for_each(|char| self.0.push(char))
                .map_err(|_| fmt::Error)
        }
    }
    let mut cut = Cut(String::new());
    // An error says that the rest did not fit.
    let _ = write!(cut, "{text}");
    cut.0
}
