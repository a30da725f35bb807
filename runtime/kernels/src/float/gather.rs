//! Reading elements, or slices, where int32 indices say. What is out of range reads as 0.

use super::index::{movable, position, wrap};
use super::source::{Reads, Source};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, checked_len, one, require};
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each};
use bytemuck::Pod;
use serde::{Deserialize, Serialize};

/// Parameters of ONNX's `GatherElements`: the output at an index is the input there, but for the
/// coordinate along `axis`, which the element of the indices there replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherElements {
    /// Type of the elements.
    pub element: Element,
    /// Sizes of the input.
    pub dims: [usize; AXES],
    /// Sizes of the indices and the output: none is larger, except along the axis.
    pub index_dims: [usize; AXES],
    /// The axis.
    pub axis: usize,
    /// Where the indices are.
    pub indices: Source,
}

impl GatherElements {
    fn reads(&self) -> Reads {
        Reads::new(&[
            (
                Source::Operand,
                Extent::new(self.element, self.dims.iter().product()),
            ),
            (self.indices, Extent::new(Element::I32, self.len())),
        ])
    }

    fn len(&self) -> usize {
        self.index_dims.iter().product()
    }

    fn gather<T: Pod>(&self, args: &mut Args<'_>) {
        let reads = self.reads();
        let (input, indices): (&[T], &[i32]) = (reads.get(args, 0), reads.get(args, 1));
        let view = Strides::row_major(self.dims);
        let mut outs = args.output(0).iter_mut().zip(indices);
        for_each(self.index_dims, |mut at| {
            let Some((out, &index)) = outs.next() else {
                return;
            };
            let place = wrap(index, self.dims[self.axis]).map(|place| {
                at[self.axis] = place;
                view.at(at)
            });
            *out = place.map_or(T::zeroed(), |place| input[place]);
        });
    }
}

/// The rules of dims, indices and axis, which scattering shares.
pub(super) fn check_dims(
    dims: [usize; AXES],
    index_dims: [usize; AXES],
    axis: usize,
) -> Result<(), Fault> {
    checked_len(&dims)?;
    checked_len(&index_dims)?;
    let mut axes = 0..AXES;
    let fits = axes.all(|other| other == axis || index_dims[other] <= dims[other]);
    require(fits && axis < AXES, Fault::Shape)
}

impl Operator for GatherElements {
    fn kind(&self) -> &'static str {
        "gather_elements"
    }

    fn check(&self) -> Result<(), Fault> {
        movable(self.element)?;
        self.indices.needed()?;
        check_dims(self.dims, self.index_dims, self.axis)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.len())
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        match self.element {
            Element::I8 => self.gather::<i8>(&mut args),
            _ => self.gather::<u32>(&mut args),
        }
    }
}

/// Coordinates into the leading axes of a block, and the slices that they lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// Sizes of the block's leading axes; only the first `depth` count.
    pub sizes: [usize; AXES],
    /// Coordinates of one place.
    pub depth: usize,
    /// Elements of the slice at one place.
    pub slice: usize,
    /// Places.
    pub count: usize,
}

impl Places {
    /// Sizes are bounded, and so are their products.
    pub(super) fn check(&self, batch: usize) -> Result<(), Fault> {
        require(self.depth > 0 && self.depth <= AXES, Fault::Shape)?;
        let block = checked_len(&self.sizes[..self.depth])?;
        checked_len(&[batch, block, self.slice])?;
        checked_len(&[batch, self.count, self.depth])?;
        checked_len(&[batch, self.count, self.slice]).map(drop)
    }

    /// Elements of a block.
    pub(super) fn block(&self) -> usize {
        self.sizes[..self.depth].iter().product::<usize>() * self.slice
    }

    /// The first element of the slice at a place; `None` out of range.
    pub(super) fn at(&self, coordinates: &[i32]) -> Option<usize> {
        position(coordinates, &self.sizes[..self.depth]).map(|place| place * self.slice)
    }
}

/// Parameters of ONNX's `GatherND`: input `[batch][block]`, int32 indices
/// `[batch][count][depth]`, output `[batch][count][slice]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatherNd {
    /// Type of the elements.
    pub element: Element,
    /// Blocks, each with indices of its own.
    pub batch: usize,
    /// The places.
    pub places: Places,
    /// Where the indices are.
    pub indices: Source,
}

impl GatherNd {
    fn reads(&self) -> Reads {
        let indices = self.batch * self.places.count * self.places.depth;
        Reads::new(&[
            (
                Source::Operand,
                Extent::new(self.element, self.batch * self.places.block()),
            ),
            (self.indices, Extent::new(Element::I32, indices)),
        ])
    }

    fn gather<T: Pod>(&self, args: &mut Args<'_>) {
        let reads = self.reads();
        let (input, indices): (&[T], &[i32]) = (reads.get(args, 0), reads.get(args, 1));
        let Places {
            slice,
            depth,
            count,
            ..
        } = self.places;
        let outs = args.output::<T>(0).chunks_exact_mut(slice);
        for (at, (out, coordinates)) in outs.zip(indices.chunks_exact(depth)).enumerate() {
            let block = &input[at / count * self.places.block()..];
            match self.places.at(coordinates) {
                Some(first) => out.copy_from_slice(&block[first..first + slice]),
                None => out.fill(T::zeroed()),
            }
        }
    }
}

impl Operator for GatherNd {
    fn kind(&self) -> &'static str {
        "gather_nd"
    }

    fn check(&self) -> Result<(), Fault> {
        movable(self.element)?;
        self.indices.needed()?;
        self.places.check(self.batch)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        one(
            self.element,
            self.batch * self.places.count * self.places.slice,
        )
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        match self.element {
            Element::I8 => self.gather::<i8>(&mut args),
            _ => self.gather::<u32>(&mut args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bytes, floats, hostile, ints, run};
    use super::*;

    const ELEMENTS: GatherElements = GatherElements {
        element: Element::F32,
        dims: [1, 1, 1, 1, 3, 3],
        index_dims: [1, 1, 1, 1, 2, 3],
        axis: 4,
        indices: Source::Operand,
    };
    const ND: GatherNd = GatherNd {
        element: Element::I8,
        batch: 2,
        places: Places {
            sizes: [2, 2, 0, 0, 0, 0],
            depth: 2,
            slice: 3,
            count: 2,
        },
        indices: Source::Constant,
    };

    #[test]
    fn elements_along_an_axis() {
        let input = floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let got = run(&ELEMENTS, &[input, ints(&[1, 2, 0, 2, -3, 9])], &[]);
        assert_eq!(got[0], floats(&[4.0, 8.0, 3.0, 7.0, 2.0, 0.0]));
    }

    #[test]
    fn slices_of_each_block() {
        let input: [i8; 24] = core::array::from_fn(|at| at as i8);
        let indices = ints(&[0, 1, 1, 0, -1, -1, 2, 0]);
        let got = run(&ND, &[bytes(&input)], &[indices]);
        assert_eq!(got[0], bytes(&[3, 4, 5, 6, 7, 8, 21, 22, 23, 0, 0, 0]));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[ELEMENTS]);
        hostile(&[ND]);
    }
}
