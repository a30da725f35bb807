//! Strided views: operands whose axes are broadcast, transposed or cut, without a copy.

use crate::operator::{Fault, LEN_MAX, checked_len, require};
use serde::{Deserialize, Serialize};

/// Axes of a view. One with fewer begins with axes of size 1.
pub const AXES: usize = 6;

/// How an operand is read (or written) along the axes of an iteration space: element
/// `offset + Σ index[axis] · strides[axis]`. A stride of 0 broadcasts; a negative one reads
/// backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strides {
    /// The first element.
    pub offset: usize,
    /// Elements between neighbours along each axis.
    pub strides: [isize; AXES],
}

impl Strides {
    /// The first element alone, along every axis.
    pub const SCALAR: Self = Self {
        offset: 0,
        strides: [0; AXES],
    };

    /// Row-major strides of `dims`.
    pub fn row_major(dims: [usize; AXES]) -> Self {
        let mut strides = [0; AXES];
        let mut stride = 1;
        for axis in (0..AXES).rev() {
            strides[axis] = stride as isize;
            stride *= dims[axis];
        }
        Self { offset: 0, strides }
    }

    /// Strides of an operand of `of` elements along each axis, row major, over dims that it is
    /// broadcast to: an axis of one element has the stride 0.
    pub fn broadcast(of: [usize; AXES]) -> Self {
        let mut view = Self::row_major(of);
        for (stride, dim) in view.strides.iter_mut().zip(of) {
            if dim == 1 {
                *stride = 0;
            }
        }
        view
    }

    /// Whether the elements of `dims` lie one after another from the first on.
    pub fn is_row_major(&self, dims: [usize; AXES]) -> bool {
        let row_major = Self::row_major(dims);
        let mut axes = 0..AXES;
        let same = |axis: usize| dims[axis] == 1 || self.strides[axis] == row_major.strides[axis];
        self.offset == 0 && axes.all(same)
    }

    /// Whether the elements of `dims` are, in some order of the axes, all of an operand.
    pub fn is_permutation(&self, dims: [usize; AXES]) -> bool {
        let mut dims = dims;
        let mut len = 1;
        for _ in 0..AXES {
            let next = (0..AXES).find(|&axis| dims[axis] > 1 && self.strides[axis] == len);
            if let Some(axis) = next {
                len *= dims[axis] as isize;
                dims[axis] = 1;
            }
        }
        self.offset == 0 && dims == [1; AXES]
    }

    /// Elements from the start of the operand to the last one that `dims` reach. Saturates, so
    /// that it can be asked of an unchecked view.
    pub fn reach(&self, dims: [usize; AXES]) -> usize {
        let last = dims.iter().zip(&self.strides).map(|(&dim, &stride)| {
            (dim.saturating_sub(1)).saturating_mul(stride.max(0).unsigned_abs())
        });
        let last = last.fold(self.offset, usize::saturating_add);
        last.saturating_add(1)
    }

    /// Checks that every index of `dims` lies within as many elements as [`Strides::reach`] has,
    /// which are at most [`LEN_MAX`].
    ///
    /// # Errors
    /// [`Fault::Shape`] or [`Fault::Size`] if not.
    pub fn check_reach(&self, dims: [usize; AXES]) -> Result<(), Fault> {
        let reach = self.reach(dims);
        checked_len(&[reach])?;
        self.check(dims, reach)
    }

    /// Where the element of `index` lies. In range for every index of a checked view.
    pub fn at(&self, index: [usize; AXES]) -> usize {
        let steps = index.iter().zip(&self.strides);
        // An axis of one element may have any stride.
        steps.fold(self.offset, |at, (&index, &stride)| {
            at.wrapping_add_signed((index as isize).wrapping_mul(stride))
        })
    }

    /// Checks that every index of `dims`, none of which is 0, lies within `len` elements.
    ///
    /// # Errors
    /// [`Fault::Shape`] if one does not; [`Fault::Size`] for dims without elements.
    pub fn check(&self, dims: [usize; AXES], len: usize) -> Result<(), Fault> {
        checked_len(&dims)?;
        require(self.offset <= LEN_MAX && len <= LEN_MAX, Fault::Size)?;
        let (mut low, mut high) = (self.offset as i64, self.offset as i64);
        for (&dim, &stride) in dims.iter().zip(&self.strides) {
            if dim > 1 {
                require(stride.unsigned_abs() <= LEN_MAX, Fault::Shape)?;
                let last = (dim as i64 - 1) * stride as i64;
                low += last.min(0);
                high += last.max(0);
            }
        }
        require(low >= 0 && high < len as i64, Fault::Shape)
    }
}

/// Calls `each` with every index of `dims`, the last axis fastest.
pub fn for_each(dims: [usize; AXES], mut each: impl FnMut([usize; AXES])) {
    let mut index = [0; AXES];
    if dims.contains(&0) {
        return;
    }
    loop {
        each(index);
        let mut axis = AXES;
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < dims[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

/// Calls `each` for every row of `dims`, a run along the last axis, with where it begins in each
/// of `views`. What walks along a row adds the views' last strides.
pub fn for_each_row<const N: usize>(
    dims: [usize; AXES],
    views: [&Strides; N],
    mut each: impl FnMut([usize; N]),
) {
    let mut rows = dims;
    rows[AXES - 1] = dims[AXES - 1].min(1);
    for_each(rows, |index| each(views.map(|view| view.at(index))));
}

/// Two operands over one iteration space; the result is row major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broadcast {
    /// Elements of the result along each axis.
    pub dims: [usize; AXES],
    /// How the first operand is read.
    pub a: Strides,
    /// How the second operand is read.
    pub b: Strides,
}

impl Broadcast {
    /// Two operands of `len` elements each, element by element.
    pub fn flat(len: usize) -> Self {
        Self::of([1, 1, 1, 1, 1, len], [[1, 1, 1, 1, 1, len]; 2])
    }

    /// Row-major operands whose axes are those of `dims` or have one element, which is repeated.
    /// Neighbouring axes that nothing keeps apart become one, so that rows are long.
    pub fn of(dims: [usize; AXES], operands: [[usize; AXES]; 2]) -> Self {
        let mut dims = dims;
        let mut views = operands.map(Strides::broadcast);
        merge(&mut dims, &mut views);
        let [a, b] = views;
        Self { dims, a, b }
    }

    /// Whether both operands are read one element after another.
    pub fn is_flat(&self) -> bool {
        self.a.is_row_major(self.dims) && self.b.is_row_major(self.dims)
    }

    /// Whether the result may replace the first operand.
    pub fn in_place(&self) -> bool {
        self.a.is_row_major(self.dims)
    }

    /// Elements of the result. It does not overflow for checked dims.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.dims.contains(&0)
    }

    /// Elements that each operand has.
    pub fn operands(&self) -> [usize; 2] {
        [self.a.reach(self.dims), self.b.reach(self.dims)]
    }

    /// Checks that dims and operands are within the limits.
    ///
    /// # Errors
    /// [`Fault::Size`] or [`Fault::Shape`] if not.
    pub fn check(&self) -> Result<(), Fault> {
        self.a.check_reach(self.dims)?;
        self.b.check_reach(self.dims)
    }

    /// Writes `f` of each pair of elements.
    pub fn zip<A: Copy, B: Copy, O>(
        &self,
        a: &[A],
        b: &[B],
        output: &mut [O],
        f: impl Fn(A, B) -> O,
    ) {
        if self.is_flat() {
            for (out, (&a, &b)) in output.iter_mut().zip(a.iter().zip(b)) {
                *out = f(a, b);
            }
            return;
        }
        let mut rows = output.chunks_exact_mut(self.dims[AXES - 1]);
        let [step_a, step_b] = self.steps();
        for_each_row(self.dims, [&self.a, &self.b], |[mut at_a, mut at_b]| {
            for out in rows.next().into_iter().flatten() {
                *out = f(a[at_a], b[at_b]);
                at_a = at_a.wrapping_add_signed(step_a);
                at_b = at_b.wrapping_add_signed(step_b);
            }
        });
    }

    /// Replaces the first operand, which is row major, by `f` of each pair of elements.
    pub fn zip_in_place<A: Copy, B: Copy>(&self, a: &mut [A], b: &[B], f: impl Fn(A, B) -> A) {
        if self.is_flat() {
            for (a, &b) in a.iter_mut().zip(b) {
                *a = f(*a, b);
            }
            return;
        }
        let mut rows = a.chunks_exact_mut(self.dims[AXES - 1]);
        let [_, step] = self.steps();
        for_each_row(self.dims, [&self.b], |[mut at]| {
            for a in rows.next().into_iter().flatten() {
                *a = f(*a, b[at]);
                at = at.wrapping_add_signed(step);
            }
        });
    }

    fn steps(&self) -> [isize; 2] {
        [self.a, self.b].map(|view| view.strides[AXES - 1])
    }
}

/// Makes one axis of neighbours along which all `views` go on with the same stride, and moves the
/// axes that remain to the end. Iteration and results stay as they are.
pub fn merge(dims: &mut [usize; AXES], views: &mut [Strides]) {
    let mut to = AXES;
    for from in (0..AXES).rev() {
        let (dim, single) = (dims[from], dims[from] == 1);
        let goes_on = |view: &Strides| {
            let whole = view.strides[to % AXES].checked_mul(dims[to % AXES] as isize);
            whole == Some(view.strides[from])
        };
        if single {
            continue;
        }
        if to < AXES && views.iter().all(goes_on) {
            dims[to] *= dim;
        } else {
            to -= 1;
            dims[to] = dim;
            for view in &mut *views {
                view.strides[to] = view.strides[from];
            }
        }
    }
    dims[..to].fill(1);
    for view in views {
        view.strides[..to].fill(0);
    }
}
