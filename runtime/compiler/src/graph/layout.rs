//! How the axes that the model speaks of lie in memory.

/// An activation's axes and their order in memory.
///
/// The model's row-major index over `dims` is what a reshape keeps; memory is row major over
/// `dims` in the order `order`. Axes of size 1 have no place in memory: layouts that differ only
/// in them are the same ([`Layout::same_memory`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Sizes of the axes, in the model's order.
    pub dims: Vec<usize>,
    /// The axes in memory, outermost first.
    pub order: Vec<usize>,
}

impl Layout {
    /// Memory in the model's order.
    pub fn row_major(dims: &[usize]) -> Self {
        Self {
            dims: dims.into(),
            order: (0..dims.len()).collect(),
        }
    }

    /// `[batch, channels, …]` with the channels innermost in memory.
    pub fn channels_last(dims: &[usize]) -> Self {
        let mut order: Vec<_> = (0..dims.len()).collect();
        if dims.len() > 2 {
            order[1..].rotate_left(1);
        }
        Self {
            dims: dims.into(),
            order,
        }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// The same memory after the model reshapes it to `dims`.
    ///
    /// Where memory is not in the model's order and `dims` splits or joins axes, the layout keeps
    /// its old axes: its index over them is still the model's.
    pub fn reshape(&self, dims: &[usize]) -> Self {
        if self.same_memory(&Self::row_major(&self.dims)) {
            return Self::row_major(dims);
        }
        self.on(dims).unwrap_or_else(|| self.clone())
    }

    /// The layout with axes `dims`, when they are its own but for axes of size 1.
    pub fn on(&self, dims: &[usize]) -> Option<Self> {
        let kept: Vec<_> = axes_in_memory(dims, 0..dims.len());
        let own: Vec<_> = axes_in_memory(&self.dims, 0..self.dims.len());
        let same = kept.len() == own.len()
            && kept
                .iter()
                .zip(&own)
                .all(|(&a, &b)| dims[a] == self.dims[b]);
        if !same {
            return None;
        }
        let moved = |axis: usize| {
            let rank = own.iter().position(|&it| it == axis);
            rank.map(|rank| kept[rank])
        };
        let ones = (0..dims.len()).filter(|&axis| dims[axis] == 1);
        let order = ones.chain(self.order.iter().filter_map(|&axis| moved(axis)));
        Some(Self {
            dims: dims.into(),
            order: order.collect(),
        })
    }

    /// The same memory after the model transposes it: axis `i` was axis `perm[i]`.
    pub fn transpose(&self, perm: &[usize]) -> Self {
        let now = |was: usize| perm.iter().position(|&it| it == was);
        Self {
            dims: perm.iter().map(|&axis| self.dims[axis]).collect(),
            order: self.order.iter().filter_map(|&axis| now(axis)).collect(),
        }
    }

    /// Elements in memory between neighbours along each axis, in the model's order of the axes.
    pub fn strides(&self) -> Vec<isize> {
        let mut strides = vec![0; self.dims.len()];
        let mut stride = 1;
        for &axis in self.order.iter().rev() {
            strides[axis] = stride as isize;
            stride *= self.dims[axis];
        }
        strides
    }

    /// Whether memory is in the model's order.
    pub fn is_row_major(&self) -> bool {
        self.same_memory(&Self::row_major(&self.dims))
    }

    /// Whether the same elements lie in the same places.
    pub fn same_memory(&self, other: &Self) -> bool {
        match other.on(&self.dims) {
            Some(other) => {
                axes_in_memory(&self.dims, self.order.iter().copied())
                    == axes_in_memory(&other.dims, other.order.iter().copied())
            }
            None => false,
        }
    }

    /// For each place in memory, the model's row-major index of what lies there.
    pub fn model_indices(&self) -> Vec<usize> {
        let mut strides = vec![1; self.dims.len()];
        for axis in (1..self.dims.len()).rev() {
            strides[axis - 1] = strides[axis] * self.dims[axis];
        }
        let mut indices = vec![0];
        for &axis in &self.order {
            let step = |&base: &usize| {
                let (size, stride) = (self.dims[axis], strides[axis]);
                (0..size).map(move |at| base + at * stride)
            };
            indices = indices.iter().flat_map(step).collect();
        }
        indices
    }
}

fn axes_in_memory(dims: &[usize], order: impl IntoIterator<Item = usize>) -> Vec<usize> {
    order.into_iter().filter(|&axis| dims[axis] != 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_to_nchw_of_row_major_nhwc_is_channels_last() {
        let nhwc = Layout::row_major(&[1, 8, 6, 3]);
        let nchw = nhwc.transpose(&[0, 3, 1, 2]);
        assert_eq!(nchw, Layout::channels_last(&[1, 3, 8, 6]));
    }

    #[test]
    fn axes_of_size_1_do_not_matter() {
        let image = Layout::row_major(&[1, 490]).reshape(&[1, 1, 49, 10]);
        assert!(image.same_memory(&Layout::channels_last(&[1, 1, 49, 10])));
        let pooled = Layout::channels_last(&[1, 64, 1, 1]).reshape(&[1, 64]);
        assert_eq!(pooled, Layout::row_major(&[1, 64]));
    }

    #[test]
    fn squeezing_keeps_the_order() {
        let layout = Layout::channels_last(&[1, 4, 7, 1]).reshape(&[1, 4, 7]);
        assert_eq!(layout, Layout::channels_last(&[1, 4, 7]));
    }

    #[test]
    fn flattening_channels_last_keeps_the_models_index() {
        let layout = Layout::channels_last(&[1, 2, 1, 3]).reshape(&[1, 6]);
        // Memory is (w0 c0) (w0 c1) (w1 c0) …; the model counts c0 w0, c0 w1, c0 w2, c1 w0, …
        assert_eq!(layout.model_indices(), [0, 3, 1, 4, 2, 5]);
        assert!(!layout.same_memory(&Layout::row_major(&[1, 6])));
    }
}
