//! Frames as an array of NumPy: in the shape, the axes and the type of the model's input, so that
//! `microtome run --input` takes it; and the places of their records in the journal.

use super::{ExportError, Shown};
use crate::record::{Element, Input, Provenance};
use std::io::{self, Write};

/// Writes `count` frames, one after another, as one array whose first axis they are.
pub(super) fn write(
    out: &mut impl Write,
    provenance: &Provenance,
    count: usize,
    frames: &mut dyn Iterator<Item = Result<Vec<u8>, ExportError>>,
) -> Result<(), ExportError> {
    let no_array = |cause: String| ExportError::NoArray {
        device: provenance.device.clone(),
        cause,
    };
    let [input] = &provenance.inputs[..] else {
        let count = provenance.inputs.len();
        return Err(no_array(format!("its model has {count} inputs")));
    };
    let axes = Axes::of(input).ok_or_else(|| no_array("its axes make no sense".to_owned()))?;
    let kind = match (input.element, &*input.model_type) {
        (Element::I8, "u8") => "|u1",
        (Element::I8, "i8" | "bool") => "|i1",
        (Element::I8 | Element::F32, _) => "<f4",
        (Element::I16, _) => "<i2",
        (Element::I32, _) => "<i4",
    };
    let shape = [&[count][..], &axes.dims[1..]].concat();
    write_header(out, kind, &shape)?;
    for frame in frames {
        let frame = frame?;
        for element in axes.places() {
            let bytes = element * input.element.bytes()..(element + 1) * input.element.bytes();
            let bytes = frame.get(bytes).unwrap_or_default();
            match (kind, bytes) {
                ("|u1", &[byte]) => out.write_all(&[byte.wrapping_add(128)])?,
                ("<f4", &[byte]) => {
                    let steps = i32::from(byte.cast_signed()) - i32::from(input.zero);
                    out.write_all(&(input.scale * steps as f32).to_le_bytes())?;
                }
                _ => out.write_all(bytes)?,
            }
        }
    }
    Ok(())
}

/// Writes the places of the records, in the order of the frames.
pub(super) fn write_indexes(out: &mut impl Write, shown: &[Shown]) -> io::Result<()> {
    write_header(out, "<u8", &[shown.len()])?;
    let mut places = shown.iter().map(|shown| shown.index.to_le_bytes());
    places.try_for_each(|place| out.write_all(&place))
}

/// The header of version 1.0.
fn write_header(out: &mut impl Write, kind: &str, shape: &[usize]) -> io::Result<()> {
    let shape: String = shape.iter().map(|len| format!("{len}, ")).collect();
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // What comes before it and it take a multiple of 64 bytes.
    let len = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text = format!("{text:<width$}\n", width = len - 1);
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&u16::try_from(len).map_err(io::Error::other)?.to_le_bytes())?;
    out.write_all(text.as_bytes())
}

/// The model's own axes, and how the frame has them.
struct Axes {
    dims: Vec<usize>,
    /// Elements from one to the next along each axis, in the frame.
    strides: Vec<usize>,
}

impl Axes {
    /// `None` where `order` does not name each axis once, or the batch is not the first one.
    fn of(input: &Input) -> Option<Self> {
        let count = input.dims.len();
        input.bytes()?;
        let (mut dims, mut strides) = (vec![0; count], vec![0; count]);
        let mut stride = 1;
        for (&dim, &axis) in input.dims.iter().zip(&input.order).rev() {
            *dims.get_mut(usize::from(axis))? = dim;
            *strides.get_mut(usize::from(axis))? = stride;
            stride *= dim;
        }
        let is_whole = input.order.len() == count && !strides.contains(&0);
        (is_whole && dims.first() == Some(&1)).then_some(Self { dims, strides })
    }

    /// Where the frame has each element, in the model's order.
    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.dims.iter().product()).map(|mut element: usize| {
            let axes = self.dims.iter().zip(&self.strides).rev();
            let steps = axes.map(|(&dim, &stride)| {
                let step = element % dim;
                element /= dim;
                step * stride
            });
            steps.sum()
        })
    }
}
