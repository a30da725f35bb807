//! Indices that come at run time: negative ones count from the end, those out of range are told.

use crate::operator::{Element, Fault, require};

/// `index` into `size` elements, where −1 is the last; `None` out of range.
pub fn wrap(index: i32, size: usize) -> Option<usize> {
    let index = index as i64;
    let from_start = if index < 0 {
        index + size as i64
    } else {
        index
    };
    usize::try_from(from_start).ok().filter(|&at| at < size)
}

/// The position, in a row-major block of `sizes`, of the element with the coordinates `indices`;
/// `None` if one is out of range.
pub fn position(indices: &[i32], sizes: &[usize]) -> Option<usize> {
    let mut axes = indices.iter().zip(sizes);
    axes.try_fold(0, |at, (&index, &size)| {
        Some(at * size + wrap(index, size)?)
    })
}

/// Types whose elements operators move: all but int16.
///
/// # Errors
/// [`Fault::Shape`] for that.
pub fn movable(element: Element) -> Result<(), Fault> {
    require(element != Element::I16, Fault::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_indices_count_from_the_end() {
        assert_eq!(wrap(-1, 3), Some(2));
        assert_eq!(wrap(-4, 3), None);
        assert_eq!(wrap(3, 3), None);
        assert_eq!(
            wrap(i32::MIN, usize::MAX / 2),
            Some(usize::MAX / 2 - (1 << 31))
        );
        assert_eq!(position(&[1, -1], &[2, 3]), Some(5));
        assert_eq!(position(&[1, 3], &[2, 3]), None);
    }
}
