//! Writing elements, or slices, where int32 indices say, into a copy of the first operand. What is
//! out of range is left out.

use super::gather::{Places, check_dims};
use super::index::{movable, wrap};
use super::source::{Reads, Source};
use crate::operator::{Args, Element, Extent, Extents, Fault, Operator, one, require};
use crate::set::KernelSet;
use crate::view::{AXES, Strides, for_each};
use bytemuck::Pod;
use serde::{Deserialize, Serialize};

/// What becomes of the element that is there, and the one that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reduction {
    /// It is replaced.
    None,
    /// Their sum; wraps.
    Add,
    /// Their product; wraps.
    Mul,
    /// The larger.
    Max,
    /// The smaller.
    Min,
}

/// An element that can be reduced.
trait Reduced: Pod {
    fn reduce(reduction: Reduction, old: Self, new: Self) -> Self;
}

impl Reduced for f32 {
    fn reduce(reduction: Reduction, old: Self, new: Self) -> Self {
        match reduction {
            Reduction::None => new,
            Reduction::Add => old + new,
            Reduction::Mul => old * new,
            // NaN wins.
            Reduction::Max if new > old || new.is_nan() => new,
            Reduction::Min if new < old || new.is_nan() => new,
            Reduction::Max | Reduction::Min => old,
        }
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Reduced for $integer {
            fn reduce(reduction: Reduction, old: Self, new: Self) -> Self {
                match reduction {
                    Reduction::None => new,
                    Reduction::Add => old.wrapping_add(new),
                    Reduction::Mul => old.wrapping_mul(new),
                    Reduction::Max => old.max(new),
                    Reduction::Min => old.min(new),
                }
            }
        })*
    };
}

integers!(i8 i32);

/// Int8 have a scale that sums and products would change.
fn check_reduction(element: Element, reduction: Reduction) -> Result<(), Fault> {
    let scaled = matches!(reduction, Reduction::Add | Reduction::Mul);
    movable(element)?;
    require(!(scaled && element == Element::I8), Fault::Shape)
}

/// Parameters of ONNX's `ScatterElements`: the element of the updates at an index goes there, but
/// for the coordinate along `axis`, which the element of the indices there replaces. It reads the
/// data, the indices and the updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScatterElements {
    /// Type of the elements.
    pub element: Element,
    /// Sizes of the data and the output.
    pub dims: [usize; AXES],
    /// Sizes of indices and updates: none is larger, except along the axis.
    pub index_dims: [usize; AXES],
    /// The axis.
    pub axis: usize,
    /// What becomes of the element that is there.
    pub reduction: Reduction,
    /// Where the indices are.
    pub indices: Source,
    /// Where the updates are.
    pub updates: Source,
}

impl ScatterElements {
    fn reads(&self) -> Reads {
        let indices = self.index_dims.iter().product();
        Reads::new(&[
            (Source::Operand, one_extent(self.element, &self.dims)),
            (self.indices, Extent::new(Element::I32, indices)),
            (self.updates, Extent::new(self.element, indices)),
        ])
    }

    fn scatter<T: Reduced>(&self, mut args: Args<'_>) {
        let reads = self.reads();
        let (indices, updates): (&[i32], &[T]) = (reads.get(&args, 1), reads.get(&args, 2));
        let out = args.replace_input::<T>();
        let view = Strides::row_major(self.dims);
        let mut pairs = indices.iter().zip(updates);
        for_each(self.index_dims, |mut at| {
            let Some((&index, &update)) = pairs.next() else {
                return;
            };
            if let Some(place) = wrap(index, self.dims[self.axis]) {
                at[self.axis] = place;
                let old = &mut out[view.at(at)];
                *old = T::reduce(self.reduction, *old, update);
            }
        });
    }
}

fn one_extent(element: Element, dims: &[usize]) -> Extent {
    Extent::new(element, dims.iter().product())
}

impl Operator for ScatterElements {
    fn kind(&self) -> &'static str {
        "scatter_elements"
    }

    fn check(&self) -> Result<(), Fault> {
        check_reduction(self.element, self.reduction)?;
        self.indices.needed()?;
        self.updates.needed()?;
        check_dims(self.dims, self.index_dims, self.axis)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.dims.iter().product())
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, _: &KernelSet, args: Args<'_>) {
        match self.element {
            Element::F32 => self.scatter::<f32>(args),
            Element::I8 => self.scatter::<i8>(args),
            _ => self.scatter::<i32>(args),
        }
    }
}

/// Parameters of ONNX's `ScatterND`: data of one block, int32 indices `[count][depth]`, updates
/// `[count][slice]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScatterNd {
    /// Type of the elements.
    pub element: Element,
    /// The places.
    pub places: Places,
    /// What becomes of the elements that are there.
    pub reduction: Reduction,
    /// Where the indices are.
    pub indices: Source,
    /// Where the updates are.
    pub updates: Source,
}

impl ScatterNd {
    fn reads(&self) -> Reads {
        let Places {
            slice,
            depth,
            count,
            ..
        } = self.places;
        Reads::new(&[
            (
                Source::Operand,
                Extent::new(self.element, self.places.block()),
            ),
            (self.indices, Extent::new(Element::I32, count * depth)),
            (self.updates, Extent::new(self.element, count * slice)),
        ])
    }

    fn scatter<T: Reduced>(&self, mut args: Args<'_>) {
        let reads = self.reads();
        let (indices, updates): (&[i32], &[T]) = (reads.get(&args, 1), reads.get(&args, 2));
        let Places { slice, depth, .. } = self.places;
        let out = args.replace_input::<T>();
        for (coordinates, updates) in indices.chunks_exact(depth).zip(updates.chunks_exact(slice)) {
            let Some(first) = self.places.at(coordinates) else {
                continue;
            };
            for (old, &update) in out[first..first + slice].iter_mut().zip(updates) {
                *old = T::reduce(self.reduction, *old, update);
            }
        }
    }
}

impl Operator for ScatterNd {
    fn kind(&self) -> &'static str {
        "scatter_nd"
    }

    fn check(&self) -> Result<(), Fault> {
        check_reduction(self.element, self.reduction)?;
        self.indices.needed()?;
        self.updates.needed()?;
        self.places.check(1)
    }

    fn inputs(&self) -> Extents {
        self.reads().inputs()
    }

    fn outputs(&self) -> Extents {
        one(self.element, self.places.block())
    }

    fn constants(&self) -> Extents {
        self.reads().constants()
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, _: &KernelSet, args: Args<'_>) {
        match self.element {
            Element::F32 => self.scatter::<f32>(args),
            Element::I8 => self.scatter::<i8>(args),
            _ => self.scatter::<i32>(args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{floats, hostile, ints, run};
    use super::*;

    const ELEMENTS: ScatterElements = ScatterElements {
        element: Element::F32,
        dims: [1, 1, 1, 1, 2, 3],
        index_dims: [1, 1, 1, 1, 2, 2],
        axis: 5,
        reduction: Reduction::None,
        indices: Source::Constant,
        updates: Source::Operand,
    };
    const ND: ScatterNd = ScatterNd {
        element: Element::I32,
        places: Places {
            sizes: [3, 0, 0, 0, 0, 0],
            depth: 1,
            slice: 2,
            count: 4,
        },
        reduction: Reduction::Add,
        indices: Source::Operand,
        updates: Source::Constant,
    };

    #[test]
    fn elements_along_an_axis() {
        let expected = [
            (Reduction::None, [1.0, 2.0, 20.0, 30.0, 5.0, 6.0]),
            (Reduction::Add, [1.0, 2.0, 33.0, 34.0, 5.0, 6.0]),
            (Reduction::Mul, [1.0, 2.0, 600.0, 120.0, 5.0, 6.0]),
            (Reduction::Max, [1.0, 2.0, 20.0, 30.0, 5.0, 6.0]),
            (Reduction::Min, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        ];
        for (reduction, expected) in expected {
            let params = ScatterElements {
                reduction,
                ..ELEMENTS
            };
            let data = floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            let updates = floats(&[10.0, 20.0, 30.0, 40.0]);
            let got = run(&params, &[data, updates], &[ints(&[-1, 2, 0, 7])]);
            assert_eq!(got[0], floats(&expected), "{reduction:?}");
        }
    }

    #[test]
    fn slices_add_up() {
        let updates = ints(&[10, 20, 30, 40, 50, 60, 70, 80]);
        let inputs = [ints(&[1, 2, 3, 4, 5, 6]), ints(&[2, 0, -1, 3])];
        let got = run(&ND, &inputs, &[updates]);
        assert_eq!(got[0], ints(&[31, 42, 3, 4, 65, 86]));
    }

    #[test]
    fn int8_has_no_sums() {
        let params = ScatterNd {
            element: Element::I8,
            ..ND
        };
        assert_eq!(params.check(), Err(Fault::Shape));
    }

    #[test]
    fn hostile_parameters_do_no_harm() {
        hostile(&[ELEMENTS]);
        hostile(&[ND]);
    }
}
