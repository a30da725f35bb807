//! Two operands over one iteration space, each strided: numpy's broadcasting, and more.

use super::source::{Reads, Source};
use crate::operator::{Element, Extent, Fault, checked_len};
use crate::view::{AXES, Strides, for_each};
use serde::{Deserialize, Serialize};

/// Two strided operands. The result is row major over `dims`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Sizes of the iteration space.
    pub dims: [usize; AXES],
    /// How the first operand is read.
    pub a: Strides,
    /// How the second operand is read.
    pub b: Strides,
    /// Elements of the first operand.
    pub a_len: usize,
    /// Elements of the second operand.
    pub b_len: usize,
    /// Where the first operand is.
    pub a_source: Source,
    /// Where the second operand is.
    pub b_source: Source,
}

impl Pair {
    /// Two activations of `len` elements each, one beside the other.
    pub fn flat(len: usize) -> Self {
        let dims = [1, 1, 1, 1, 1, len];
        Self {
            dims,
            a: Strides::row_major(dims),
            b: Strides::row_major(dims),
            a_len: len,
            b_len: len,
            a_source: Source::Operand,
            b_source: Source::Operand,
        }
    }

    /// Elements of the result.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether there is no element, which no checked pair allows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every index lies within its operand.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn check(&self) -> Result<(), Fault> {
        self.a_source.needed()?;
        self.b_source.needed()?;
        checked_len(&[self.a_len])?;
        checked_len(&[self.b_len])?;
        self.a.check(self.dims, self.a_len)?;
        self.b.check(self.dims, self.b_len)
    }

    /// The operands, both of type `element`.
    pub fn reads(&self, element: Element) -> Reads {
        Reads::new(&[
            (self.a_source, Extent::new(element, self.a_len)),
            (self.b_source, Extent::new(element, self.b_len)),
        ])
    }

    /// Whether a result of the operands' type may lie on the first one: that is read in order.
    pub fn in_place(&self) -> bool {
        let whole = self.a_len == self.len() && self.a_source == Source::Operand;
        let flat = Strides::row_major(self.dims);
        let mut axes = 0..AXES;
        let in_order =
            axes.all(|axis| self.dims[axis] == 1 || self.a.strides[axis] == flat.strides[axis]);
        whole && in_order && self.a.offset == 0
    }

    /// Writes `f` of each pair of elements to `out`.
    #[inline(always)]
    pub fn zip<T: Copy, O>(&self, a: &[T], b: &[T], out: &mut [O], f: impl Fn(T, T) -> O) {
        let (dims, views) = coalesce(self.dims, [self.a, self.b]);
        let [a_step, b_step] = views.map(|view| view.strides[AXES - 1]);
        let mut rest = out.chunks_exact_mut(dims[AXES - 1]);
        for_each(outer(dims), |index| {
            let Some(out) = rest.next() else { return };
            let a = Run::new(a, views[0].at(index), a_step);
            let b = Run::new(b, views[1].at(index), b_step);
            zip_row(a, b, out, &f);
        });
    }

    /// Replaces each element of the first operand, which [`Pair::in_place`] allows, by `f` of the
    /// pair.
    #[inline(always)]
    pub fn update<T: Copy>(&self, a: &mut [T], b: &[T], f: impl Fn(T, T) -> T) {
        let (dims, [view]) = coalesce(self.dims, [self.b]);
        let step = view.strides[AXES - 1];
        let mut rest = a.chunks_exact_mut(dims[AXES - 1]);
        for_each(outer(dims), |index| {
            let Some(a) = rest.next() else { return };
            update_row(a, Run::new(b, view.at(index), step), &f);
        });
    }
}

/// `dims` without the last axis.
pub(super) fn outer(dims: [usize; AXES]) -> [usize; AXES] {
    let [a, b, c, d, e, _] = dims;
    [a, b, c, d, e, 1]
}

/// Joins neighbouring axes that every one of `views`, checked against `dims`, walks as one; the
/// order of the elements stays.
pub(super) fn coalesce<const N: usize>(
    dims: [usize; AXES],
    views: [Strides; N],
) -> ([usize; AXES], [Strides; N]) {
    let mut joined_dims = [1; AXES];
    let mut joined = views.map(|view| Strides {
        offset: view.offset,
        strides: [0; AXES],
    });
    let mut at = AXES;
    for axis in (0..AXES).rev().filter(|&axis| dims[axis] > 1) {
        let continues = |(view, joined): (&Strides, &Strides)| {
            view.strides[axis] == joined.strides[at] * joined_dims[at] as isize
        };
        if at < AXES && views.iter().zip(&joined).all(continues) {
            joined_dims[at] *= dims[axis];
            continue;
        }
        at -= 1;
        joined_dims[at] = dims[axis];
        for (view, joined) in views.iter().zip(&mut joined) {
            joined.strides[at] = view.strides[axis];
        }
    }
    (joined_dims, joined)
}

/// Elements at a constant distance from one another.
#[derive(Clone, Copy)]
struct Run<'a, T> {
    values: &'a [T],
    first: usize,
    step: isize,
}

impl<'a, T: Copy> Run<'a, T> {
    fn new(values: &'a [T], first: usize, step: isize) -> Self {
        Self {
            values,
            first,
            step,
        }
    }

    fn get(&self, index: usize) -> T {
        self.values[self.first.wrapping_add_signed(index as isize * self.step)]
    }

    /// The first `len` elements, which lie side by side.
    fn slice(&self, len: usize) -> &'a [T] {
        &self.values[self.first..][..len]
    }
}

#[inline(always)]
fn zip_row<T: Copy, O>(a: Run<'_, T>, b: Run<'_, T>, out: &mut [O], f: &impl Fn(T, T) -> O) {
    let len = out.len();
    match (a.step, b.step) {
        (1, 1) => {
            let pairs = a.slice(len).iter().zip(b.slice(len));
            out.iter_mut()
                .zip(pairs)
                .for_each(|(out, (&a, &b))| *out = f(a, b));
        }
        (1, 0) => {
            let b = b.get(0);
            out.iter_mut()
                .zip(a.slice(len))
                .for_each(|(out, &a)| *out = f(a, b));
        }
        (0, 1) => {
            let a = a.get(0);
            out.iter_mut()
                .zip(b.slice(len))
                .for_each(|(out, &b)| *out = f(a, b));
        }
        _ => {
            for (index, out) in out.iter_mut().enumerate() {
                *out = f(a.get(index), b.get(index));
            }
        }
    }
}

#[inline(always)]
fn update_row<T: Copy>(a: &mut [T], b: Run<'_, T>, f: &impl Fn(T, T) -> T) {
    match b.step {
        1 => {
            let b = b.slice(a.len());
            a.iter_mut().zip(b).for_each(|(a, &b)| *a = f(*a, b));
        }
        0 => {
            let b = b.get(0);
            a.iter_mut().for_each(|a| *a = f(*a, b));
        }
        _ => {
            for (index, a) in a.iter_mut().enumerate() {
                *a = f(*a, b.get(index));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contiguous_axes_are_one() {
        let dims = [1, 2, 3, 1, 4, 5];
        let (joined, [view]) = coalesce(dims, [Strides::row_major(dims)]);
        assert_eq!(joined, [1, 1, 1, 1, 1, 120]);
        assert_eq!(view.strides, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_broadcast_axis_stays_apart() {
        let dims = [1, 1, 2, 3, 4, 5];
        let mut row = Strides::row_major(dims);
        row.strides = [0, 0, 0, 0, 5, 1];
        let (joined, [_, row]) = coalesce(dims, [Strides::row_major(dims), row]);
        assert_eq!(joined, [1, 1, 1, 1, 6, 20]);
        assert_eq!(row.strides, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn only_operands_read_in_order_are_replaced() {
        let mut pair = Pair::flat(6);
        assert!(pair.in_place());
        pair.dims = [1, 1, 1, 1, 2, 3];
        pair.a.strides = [7, 0, 0, 0, 1, 2];
        assert!(!pair.in_place());
        pair.a.strides = [7, 0, 0, 0, 3, 1];
        assert!(pair.in_place());
        pair.a_source = Source::Constant;
        assert!(!pair.in_place());
    }
}
