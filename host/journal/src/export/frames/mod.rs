//! The frames that are kept, as files that other programs read: one for each acquisition of a
//! device, and more where that would be too long.
//!
//! What a file holds is chosen first, by the indexes of the records; then it is written, frame by
//! frame. So the memory that it takes is that of one frame, of the records of one file, and of an
//! index for each frame of the acquisitions.

mod image;
mod npy;
mod ome;

use super::{ExportError, Filter, Row, each};
use crate::hash::Hash;
use crate::reader::Reader;
use crate::record::{Input, Provenance, Record};
use image::Layout;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Frames of one file at most.
const FILE_FRAMES_MAX: usize = 4096;
/// Bytes of the frames of one file, but for its last one; a TIFF file ends at 4 GiB.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Longest part of a file's name that is the device's.
const NAME_LEN_MAX: usize = 64;

/// A format of files of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFormat {
    /// OME-TIFF; frames that are images.
    OmeTiff,
    /// NumPy's, in the shape and type of the model's input; all frames.
    Npy,
}

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportedFrames {
    /// Files that were written.
    pub files: u64,
    /// Frames that they have.
    pub frames: u64,
    /// Frames that retention had removed, but not their records.
    pub removed: u64,
}

/// Writes the frames of the records that `filter` takes to files in `folder`, none of which may be
/// there.
///
/// # Errors
/// [`ExportError`]; files that were begun stay.
pub fn export_frames(
    reader: &Reader,
    filter: &Filter,
    format: FrameFormat,
    folder: &Path,
) -> Result<ExportedFrames, ExportError> {
    std::fs::create_dir_all(folder)?;
    let mut done = ExportedFrames::default();
    let mut open = BTreeMap::<(String, u32), Part>::new();
    each(reader, filter, &mut |row, _| {
        let Some(kept) = &row.record.kept_frame else {
            return Ok(());
        };
        if row.index < reader.frames_first() {
            done.removed += 1;
            return Ok(());
        }
        let key = (row.record.boot.clone(), row.record.acquisition);
        let part = open.entry(key).or_insert_with(|| Part::new(row, 0));
        let is_full = part.indexes.len() == FILE_FRAMES_MAX || part.bytes >= FILE_BYTES_MAX;
        if is_full || part.provenance != row.record.provenance {
            let next = Part::new(row, part.number + 1);
            std::mem::replace(part, next).write(reader, format, folder, &mut done)?;
        }
        part.indexes.push(row.index);
        part.bytes = part.bytes.saturating_add(kept.bytes);
        Ok::<_, ExportError>(())
    })?;
    for part in open.into_values() {
        part.write(reader, format, folder, &mut done)?;
    }
    Ok(done)
}

/// What one file will have.
struct Part {
    /// Its place among the files of its acquisition.
    number: u32,
    provenance: Hash,
    /// Of the records.
    indexes: Vec<u64>,
    bytes: u64,
}

/// A record whose frame a file has.
struct Shown {
    index: u64,
    hash: Hash,
    record: Record,
}

impl Shown {
    fn row<'r>(&'r self, provenance: &'r Provenance) -> Row<'r> {
        Row {
            index: self.index,
            hash: self.hash,
            record: &self.record,
            provenance,
        }
    }
}

impl Part {
    fn new(row: &Row<'_>, number: u32) -> Self {
        Self {
            number,
            provenance: row.record.provenance,
            indexes: Vec::new(),
            bytes: 0,
        }
    }

    fn write(
        self,
        reader: &Reader,
        format: FrameFormat,
        folder: &Path,
        done: &mut ExportedFrames,
    ) -> Result<(), ExportError> {
        let shown = self.shown(reader)?;
        let Some(first) = shown.first() else {
            return Ok(());
        };
        let unreadable = ExportError::Record { index: first.index };
        let provenance = reader.provenance(&self.provenance)?.ok_or(unreadable)?;
        let name = self.name(&provenance, &first.record);
        let len = provenance
            .inputs
            .iter()
            .map(Input::bytes)
            .sum::<Option<usize>>();
        let frame = |shown: &Shown| {
            let index = shown.index;
            let kept = shown.record.kept_frame.as_ref();
            let kept = kept.filter(|kept| len.is_some_and(|len| len as u64 == kept.bytes));
            let frame = kept.map(|kept| reader.frame(index, kept)).transpose()?;
            frame.flatten().ok_or(ExportError::Frame { index })
        };
        let mut frames = shown.iter().map(frame);
        match format {
            FrameFormat::OmeTiff => {
                let layout = Layout::of(&provenance)?;
                let text = ome::describe(&name, &layout, &provenance, &shown)?;
                let mut file = create(folder, &name, "ome.tiff")?;
                layout.write(&mut file, &text, &mut frames)?;
                file.flush()?;
            }
            FrameFormat::Npy => {
                let mut file = create(folder, &name, "npy")?;
                npy::write(&mut file, &provenance, shown.len(), &mut frames)?;
                file.flush()?;
                let mut file = create(folder, &name, "index.npy")?;
                npy::write_indexes(&mut file, &shown)?;
                file.flush()?;
            }
        }
        done.files += 1;
        done.frames += shown.len() as u64;
        Ok(())
    }

    /// The records in the order in which their frames were exposed: results come as they are
    /// answered.
    fn shown(&self, reader: &Reader) -> Result<Vec<Shown>, ExportError> {
        let records = self.indexes.iter().map(|&index| {
            let stored = reader.record(index)?;
            let stored = stored.ok_or(ExportError::Record { index })?;
            let record = serde_json::from_slice(&stored.record);
            Ok(Shown {
                index,
                hash: stored.hash,
                record: record.map_err(|_| ExportError::Record { index })?,
            })
        });
        let mut shown = records.collect::<Result<Vec<_>, ExportError>>()?;
        shown.sort_by_key(|shown| shown.record.frame);
        Ok(shown)
    }

    /// The file's name without its ending.
    fn name(&self, provenance: &Provenance, record: &Record) -> String {
        let fit = |char: char| match char {
            '-' | '_' => char,
            _ if char.is_alphanumeric() => char,
            _ => '_',
        };
        let device = provenance.device.chars().map(fit).take(NAME_LEN_MAX);
        let device: String = device.collect();
        let (boot, acquisition) = (&record.boot, record.acquisition);
        format!("{device}-{boot}-{acquisition:05}-{:03}", self.number)
    }
}

fn create(folder: &Path, name: &str, ending: &str) -> Result<BufWriter<File>, ExportError> {
    let path: PathBuf = folder.join(format!("{name}.{ending}"));
    match File::create_new(&path) {
        Ok(file) => Ok(BufWriter::new(file)),
        Err(source) => Err(ExportError::Create { path, source }),
    }
}
