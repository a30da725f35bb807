//! Frames as images of a TIFF file.
//!
//! A pixel of an int8 input is its element plus 128, an unsigned byte: that is the value which a
//! model of uint8 is given, and for others `real = scale · (pixel − (zero + 128))`. A pixel of a
//! float input is the float. Both keep every bit.

use super::ExportError;
use crate::record::{Element, Provenance};
use std::io::{Seek, Write};
use tiff::encoder::colortype::{ColorType, Gray8, Gray32Float, RGB8, RGB32Float};
use tiff::encoder::compression::DeflateLevel;
use tiff::encoder::{Compression, TiffEncoder, TiffValue};
use tiff::tags::Tag;
use tiff::{TiffError, TiffResult};

/// The images that a frame is.
pub(super) struct Layout {
    pub rows: u32,
    pub columns: u32,
    pub channels: usize,
    pub pixels: Pixels,
}

/// The type of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pixels {
    /// int8 plus 128.
    Byte {
        scale: f32,
        /// The pixel that stands for 0.
        zero: i32,
    },
    /// 32-bit float.
    Float,
}

impl Layout {
    /// That of the frames with this provenance.
    pub fn of(provenance: &Provenance) -> Result<Self, ExportError> {
        let no_images = |cause: String| ExportError::NoImages {
            device: provenance.device.clone(),
            cause,
        };
        let [input] = &provenance.inputs[..] else {
            let count = provenance.inputs.len();
            return Err(no_images(format!("its model has {count} inputs")));
        };
        let pixels = match input.element {
            Element::I8 => Pixels::Byte {
                scale: input.scale,
                zero: i32::from(input.zero) + 128,
            },
            Element::F32 => Pixels::Float,
            Element::I16 | Element::I32 => {
                return Err(no_images(format!("they are of type {:?}", input.element)));
            }
        };
        let sides = |rows: usize, columns: usize| {
            let side = |len: usize| u32::try_from(len).ok().filter(|&len| len > 0);
            side(rows).zip(side(columns))
        };
        let layout = match input.dims[..] {
            [1, rows, columns, channels] if channels > 0 => {
                sides(rows, columns).map(|(rows, columns)| Self {
                    rows,
                    columns,
                    channels,
                    pixels,
                })
            }
            _ => None,
        };
        layout.ok_or_else(|| no_images(format!("they have the shape {:?}", input.dims)))
    }

    /// Whether the channels of a frame are the colours of one image; otherwise each is an image.
    pub fn is_rgb(&self) -> bool {
        self.channels == 3
    }

    /// Images of one frame.
    pub fn planes(&self) -> usize {
        if self.is_rgb() { 1 } else { self.channels }
    }

    /// Writes frames with `description` in the first image.
    pub fn write(
        &self,
        out: impl Write + Seek,
        description: &str,
        frames: &mut dyn Iterator<Item = Result<Vec<u8>, ExportError>>,
    ) -> Result<(), ExportError> {
        let mut encoder = TiffEncoder::new(out)
            .map_err(tiff_error)?
            .with_compression(Compression::Deflate(DeflateLevel::Balanced));
        let mut description = Some(description);
        for frame in frames {
            self.write_frame(&mut encoder, &frame?, description.take())
                .map_err(tiff_error)?;
        }
        Ok(())
    }

    fn write_frame<W: Write + Seek>(
        &self,
        encoder: &mut TiffEncoder<W>,
        frame: &[u8],
        description: Option<&str>,
    ) -> TiffResult<()> {
        match self.pixels {
            Pixels::Byte { .. } => {
                let pixels: Vec<u8> = frame.iter().map(|byte| byte.wrapping_add(128)).collect();
                self.write_pixels::<Gray8, RGB8, W>(encoder, &pixels, description)
            }
            Pixels::Float => {
                let (floats, _) = frame.as_chunks();
                let pixels: Vec<f32> = floats.iter().copied().map(f32::from_le_bytes).collect();
                self.write_pixels::<Gray32Float, RGB32Float, W>(encoder, &pixels, description)
            }
        }
    }

    fn write_pixels<Gray, Colour, W>(
        &self,
        encoder: &mut TiffEncoder<W>,
        pixels: &[Gray::Inner],
        mut description: Option<&str>,
    ) -> TiffResult<()>
    where
        Gray: ColorType,
        Colour: ColorType<Inner = Gray::Inner>,
        Gray::Inner: Copy,
        [Gray::Inner]: TiffValue,
        W: Write + Seek,
    {
        if self.is_rgb() {
            return self.write_image::<Colour, W>(encoder, pixels, description);
        }
        for channel in 0..self.channels {
            let plane = pixels.iter().skip(channel).step_by(self.channels);
            let plane: Vec<_> = plane.copied().collect();
            self.write_image::<Gray, W>(encoder, &plane, description.take())?;
        }
        Ok(())
    }

    fn write_image<C, W>(
        &self,
        encoder: &mut TiffEncoder<W>,
        pixels: &[C::Inner],
        description: Option<&str>,
    ) -> TiffResult<()>
    where
        C: ColorType,
        [C::Inner]: TiffValue,
        W: Write + Seek,
    {
        let mut image = encoder.new_image::<C>(self.columns, self.rows)?;
        if let Some(description) = description {
            image
                .encoder()
                .write_tag(Tag::ImageDescription, description)?;
        }
        image.write_data(pixels)
    }
}

fn tiff_error(error: TiffError) -> ExportError {
    ExportError::Write(match error {
        TiffError::IoError(error) => error,
        error => std::io::Error::other(error),
    })
}
