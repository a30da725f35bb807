//! Arrays as users have them: NumPy files and pictures in, NumPy files out.

use anyhow::{Context, Result, bail};
use ndarray::{Array3, ArrayD, Axis};
use ndarray_npy::{NpzReader, NpzWriter, ReadNpyError, ReadNpyExt, ReadNpzError, ReadableElement};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

/// Makes [`Array`]: one variant an element type.
macro_rules! arrays {
    ($($(#[$doc:meta])* $name:ident($element:ty) $dtype:literal,)*) => {
        /// An array of one of the types that models speak.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Array {
            $($(#[$doc])* $name(ArrayD<$element>),)*
        }

        impl Array {
            /// NumPy's name of the element type.
            pub fn dtype(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $dtype,)*
                }
            }

            /// The axes.
            pub fn shape(&self) -> &[usize] {
                match self {
                    $(Self::$name(array) => array.shape(),)*
                }
            }

            /// The same numbers as float64; large int64 are rounded.
            pub fn to_f64(&self) -> ArrayD<f64> {
                match self {
                    $(Self::$name(array) => array.mapv(|value| value.to_f64()),)*
                }
            }

            /// The parts along the first axis.
            fn parts(&self) -> Vec<Self> {
                match self {
                    $(Self::$name(array) => array
                        .axis_iter(Axis(0))
                        .map(|part| Self::$name(part.to_owned()))
                        .collect(),)*
                }
            }

            /// The parts of `len` elements along `axis`.
            fn cut(&self, axis: usize, len: usize) -> Vec<Self> {
                match self {
                    $(Self::$name(array) => array
                        .axis_chunks_iter(Axis(axis), len)
                        .map(|part| Self::$name(part.to_owned()))
                        .collect(),)*
                }
            }

            /// Writes it to a `.npy` file.
            fn write_npy(&self, path: &Path) -> Result<()> {
                match self {
                    $(Self::$name(array) => ndarray_npy::write_npy(path, array)?,)*
                }
                Ok(())
            }

            /// Adds it to a `.npz` file.
            fn add_to(&self, file: &mut NpzWriter<BufWriter<File>>, name: &str) -> Result<()> {
                match self {
                    $(Self::$name(array) => file.add_array(name, array)?,)*
                }
                Ok(())
            }

            /// The array of that place, or `None` when its elements are of no type that models
            /// speak.
            fn of(source: &mut Source<'_>) -> Result<Option<Self>> {
                $(if let Some(array) = source.elements()? {
                    return Ok(Some(Self::$name(array)));
                })*
                Ok(None)
            }
        }
    };
}

arrays! {
    /// 32-bit float.
    F32(f32) "float32",
    /// int8.
    I8(i8) "int8",
    /// uint8.
    U8(u8) "uint8",
    /// int32.
    I32(i32) "int32",
    /// int64.
    I64(i64) "int64",
    /// Truth value.
    Bool(bool) "bool",
}

/// A number of an array as float64.
trait ToF64: Copy {
    fn to_f64(self) -> f64;
}

macro_rules! to_f64 {
    ($($element:ty),*) => {
        $(impl ToF64 for $element {
            fn to_f64(self) -> f64 {
                self as f64
            }
        })*
    };
}

to_f64!(f32, i8, u8, i32, i64);

impl ToF64 for bool {
    fn to_f64(self) -> f64 {
        u8::from(self).into()
    }
}

impl Array {
    /// The elements in row-major order.
    pub fn to_f64s(&self) -> Vec<f64> {
        self.to_f64().into_iter().collect()
    }

    /// The first `count` elements, for people.
    pub fn preview(&self, count: usize) -> String {
        let first = self.to_f64s().into_iter().take(count);
        let mut values: Vec<String> = match self {
            Self::F32(_) => first.map(|value| format!("{value:.4}")).collect(),
            _ => first.map(|value| value.to_string()).collect(),
        };
        if self.shape().iter().product::<usize>() > count {
            values.push("…".to_owned());
        }
        values.join(" ")
    }
}

/// One sample of a model: an array for each of its inputs.
pub type Sample = Vec<Array>;

/// Reads the samples in the file at `path` for a model's inputs, given by name and axes: one or a
/// batch. A model of several inputs takes a `.npz` file with an array for each. Where the model
/// `streams`, a sample of more frames than a run takes is cut into runs.
pub fn read_samples(
    path: &Path,
    inputs: &[(String, Vec<usize>)],
    streams: bool,
) -> Result<Vec<Sample>> {
    let mut batch: Vec<Sample> = Vec::new();
    for (index, (name, dims)) in inputs.iter().enumerate() {
        let array = read(path, name, inputs.len() == 1)?;
        let parts = match runs(&array, dims).filter(|_| streams) {
            Some(runs) => runs,
            None => samples(&array, dims).with_context(|| path.display().to_string())?,
        };
        if index == 0 {
            batch.resize(parts.len(), Sample::new());
        }
        if parts.len() != batch.len() {
            bail!(
                "{}: input {name:?} has {} samples, the one before it {}",
                path.display(),
                parts.len(),
                batch.len()
            );
        }
        for (sample, part) in batch.iter_mut().zip(parts) {
            sample.push(part);
        }
    }
    Ok(batch)
}

/// Reads the array for the model input called `port` from a `.npy`, `.npz`, `.png` or `.jpg`
/// file; `is_only` says that the model has no other. A picture becomes float `channels × height × width` with values from 0 to 1.
pub fn read(path: &Path, port: &str, is_only: bool) -> Result<Array> {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    let array = match extension.to_ascii_lowercase().as_str() {
        "npz" => read_npz(path, port, is_only),
        _ if !is_only => bail!("the model has several inputs: give a .npz file with each by name"),
        "npy" => read_npy(path),
        "png" | "jpg" | "jpeg" => read_picture(path),
        _ => bail!("{}: give a .npy, .npz, .png or .jpg file", path.display()),
    };
    array.with_context(|| format!("cannot read the input {}", path.display()))
}

/// The array in the `.npz` file at `path` that has one of `names`, if there is one.
pub fn read_named(path: &Path, names: &[&str]) -> Result<Option<Array>> {
    if path.extension().is_none_or(|extension| extension != "npz") {
        return Ok(None);
    }
    let mut file = NpzReader::new(BufReader::new(File::open(path)?))?;
    let wanted = |name: &String| names.contains(&name.strip_suffix(".npy").unwrap_or(name));
    match file.names()?.into_iter().find(wanted) {
        Some(name) => Source::Npz(file, name).array().map(Some),
        None => Ok(None),
    }
}

fn read_npy(path: &Path) -> Result<Array> {
    Source::Npy(path).array()
}

fn read_npz(path: &Path, port: &str, is_only: bool) -> Result<Array> {
    let mut file = NpzReader::new(BufReader::new(File::open(path)?))?;
    let names = file.names()?;
    let stem = |name: &str| name.strip_suffix(".npy").unwrap_or(name).to_owned();
    let called = |want: &str| names.iter().find(|name| stem(name) == want);
    let found = match (called(port), is_only, names.as_slice()) {
        (Some(name), ..) | (None, true, [name]) => Some(name),
        (None, true, _) => called("input"),
        (None, false, _) => None,
    };
    match found {
        Some(name) => Source::Npz(file, name.clone()).array(),
        None => bail!("no array is called {port:?}; it has {}", names.join(", ")),
    }
}

/// Where a NumPy array is.
enum Source<'a> {
    Npy(&'a Path),
    Npz(NpzReader<BufReader<File>>, String),
}

impl Source<'_> {
    fn array(mut self) -> Result<Array> {
        if let Some(array) = Array::of(&mut self)? {
            return Ok(array);
        }
        if let Some(array) = self.elements::<f64>()? {
            return Ok(Array::F32(array.mapv(|value| value as f32)));
        }
        bail!("its elements are of a type that models do not take: convert it with astype")
    }

    /// The array, or `None` when its elements are of another type.
    fn elements<T: ReadableElement>(&mut self) -> Result<Option<ArrayD<T>>> {
        let read = match self {
            Self::Npy(path) => ArrayD::read_npy(BufReader::new(File::open(path)?)),
            Self::Npz(file, name) => match file.by_name(name) {
                Err(ReadNpzError::Npy(error)) => Err(error),
                other => return Ok(other.map(Some)?),
            },
        };
        match read {
            Err(ReadNpyError::WrongDescriptor(_)) => Ok(None),
            other => Ok(other.map(Some)?),
        }
    }
}

fn read_picture(path: &Path) -> Result<Array> {
    decode_picture(&std::fs::read(path)?)
}

/// A PNG or JPEG picture as float `channels × height × width` with values from 0 to 1.
pub fn decode_picture(bytes: &[u8]) -> Result<Array> {
    let picture = image::load_from_memory(bytes)?;
    let is_gray = !picture.color().has_color();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (channels, bytes) = match is_gray {
        true => (1, picture.into_luma8().into_raw()),
        false => (3, picture.into_rgb8().into_raw()),
    };
    let pixels = Array3::from_shape_vec((height, width, channels), bytes)?;
    let planes = pixels
        .mapv(|value| f32::from(value) / 255.0)
        .permuted_axes([2, 0, 1]);
    Ok(Array::F32(
        planes.as_standard_layout().into_owned().into_dyn(),
    ))
}

/// Writes the named arrays to a `.npy` file (one array) or a `.npz` file.
pub fn write(path: &Path, arrays: &[(String, Array)]) -> Result<()> {
    let is_npz = path.extension().is_some_and(|extension| extension == "npz");
    let context = || format!("cannot write the output {}", path.display());
    if is_npz {
        return write_npz(path, arrays).with_context(context);
    }
    let [(_, array)] = arrays else {
        bail!(
            "the model has {} outputs: give --output a .npz file",
            arrays.len()
        );
    };
    array.write_npy(path).with_context(context)
}

fn write_npz(path: &Path, arrays: &[(String, Array)]) -> Result<()> {
    let mut file = NpzWriter::new(BufWriter::new(File::create(path)?));
    for (name, array) in arrays {
        array.add_to(&mut file, name)?;
    }
    file.finish()?;
    Ok(())
}

/// Cuts sequences, one or a batch, into runs of a model that takes fewer frames at a time: `None`
/// where `array` is not longer than `dims`, a whole number of times, along one axis.
fn runs(array: &Array, dims: &[usize]) -> Option<Vec<Array>> {
    let sample = dims.strip_prefix(&[1])?;
    let shape = array.shape();
    let (sequences, first) = match shape.len().checked_sub(sample.len())? {
        0 => (vec![array.clone()], 0),
        1 => (array.parts(), 1),
        _ => return None,
    };
    let own = &shape[first..];
    let longer: Vec<usize> = (0..sample.len())
        .filter(|&it| own[it] != sample[it])
        .collect();
    let &[axis] = &*longer else { return None };
    let is_whole = sample[axis] > 0 && own[axis].is_multiple_of(sample[axis]);
    is_whole.then(|| {
        let cut = sequences.iter().flat_map(|it| it.cut(axis, sample[axis]));
        cut.collect()
    })
}

/// Splits `array` into samples of a model whose input has the axes `dims`: the array is one
/// sample, with or without the batch axis, or a batch with the samples along its first axis.
pub fn samples(array: &Array, dims: &[usize]) -> Result<Vec<Array>> {
    let sample = dims
        .strip_prefix(&[1])
        .filter(|rest| !rest.is_empty())
        .unwrap_or(dims);
    let shape = array.shape();
    if shape == sample || shape == dims {
        return Ok(vec![array.clone()]);
    }
    if shape.get(1..) != Some(sample) {
        bail!("the input has shape {shape:?}, the model takes {dims:?} or a batch of {sample:?}");
    }
    if shape[0] == 0 {
        bail!("the input is a batch of no samples");
    }
    Ok(array.parts())
}
