//! FlatBuffers that nobody has checked: tables, vectors and strings, every offset bounded.
//!
//! A reader may not read more bytes of vectors and strings than a few times the file has, however
//! often tables share them: time and memory are linear in the file's length. Alignment does not
//! matter here, and is not asked for.

use std::cell::Cell;

/// Why bytes are no FlatBuffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// An offset leads out of the file.
    #[error("byte {at} is outside of its {len} bytes")]
    Outside {
        /// Where the offset leads.
        at: usize,
        /// The file's length.
        len: usize,
    },
    /// Tables share their parts so often that reading them all has no bound.
    #[error("its tables overlap")]
    Overlap,
}

/// The bytes of a file, and how many more may be read out of it.
#[derive(Debug)]
pub struct File<'a> {
    bytes: &'a [u8],
    budget: Cell<usize>,
}

impl<'a> File<'a> {
    /// Reads at most this many times the file's length.
    const READS_MAX: usize = 4;

    /// A file of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            budget: Cell::new(bytes.len().saturating_mul(Self::READS_MAX)),
        }
    }

    /// The table that the file is.
    pub fn root(&self) -> Result<Table<'_>, Fault> {
        Table::new(self, self.target(0)?)
    }

    fn outside(&self, at: usize) -> Fault {
        Fault::Outside {
            at,
            len: self.bytes.len(),
        }
    }

    fn span(&self, at: usize, len: usize) -> Result<&'a [u8], Fault> {
        let end = at.checked_add(len).ok_or_else(|| self.outside(at))?;
        self.bytes.get(at..end).ok_or_else(|| self.outside(end))
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Fault> {
        let span = self.span(at, N)?;
        span.try_into().map_err(|_| self.outside(at))
    }

    fn size(&self, at: usize) -> Result<usize, Fault> {
        Ok(u32::from_le_bytes(self.array(at)?) as usize)
    }

    /// Where the offset at `at` leads.
    fn target(&self, at: usize) -> Result<usize, Fault> {
        let offset = self.size(at)?;
        at.checked_add(offset).ok_or_else(|| self.outside(at))
    }

    /// The elements of the vector at `at`, each of `width` bytes.
    fn elements(&self, at: usize, width: usize) -> Result<&'a [u8], Fault> {
        let count = self.size(at)?;
        let len = count.checked_mul(width).ok_or_else(|| self.outside(at))?;
        self.span(at.saturating_add(4), len)
    }

    fn charge(&self, bytes: usize) -> Result<(), Fault> {
        let left = self.budget.get().checked_sub(bytes);
        self.budget.set(left.ok_or(Fault::Overlap)?);
        Ok(())
    }
}

/// A table: its fields are known by their index in the schema.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    file: &'a File<'a>,
    at: usize,
    /// Offset of each field, two bytes each; 0 where the field has its default.
    offsets: &'a [u8],
}

impl<'a> Table<'a> {
    /// Bytes of a vtable before the offsets: its own length, and the table's.
    const HEADER_LEN: usize = 4;

    fn new(file: &'a File<'a>, at: usize) -> Result<Self, Fault> {
        let back = i32::from_le_bytes(file.array(at)?);
        let vtable = (at as i64).checked_sub(back.into());
        let vtable = vtable.and_then(|it| usize::try_from(it).ok());
        let vtable = vtable.ok_or_else(|| file.outside(at))?;
        let len = usize::from(u16::from_le_bytes(file.array(vtable)?));
        let offsets = file.span(vtable, len)?.get(Self::HEADER_LEN..);
        Ok(Self {
            file,
            at,
            offsets: offsets.unwrap_or_default(),
        })
    }

    fn field(&self, field: usize) -> Option<usize> {
        let offset = self.offsets.get(2 * field..2 * field + 2)?;
        let offset = usize::from(u16::from_le_bytes([offset[0], offset[1]]));
        (offset != 0).then_some(self.at + offset)
    }

    /// A byte, an enumeration or a truth value.
    pub fn byte(&self, field: usize, default: u8) -> Result<u8, Fault> {
        match self.field(field) {
            Some(at) => Ok(self.file.array::<1>(at)?[0]),
            None => Ok(default),
        }
    }

    /// An integer.
    pub fn int(&self, field: usize, default: i32) -> Result<i32, Fault> {
        match self.field(field) {
            Some(at) => Ok(i32::from_le_bytes(self.file.array(at)?)),
            None => Ok(default),
        }
    }

    /// A long integer.
    pub fn long(&self, field: usize, default: u64) -> Result<u64, Fault> {
        match self.field(field) {
            Some(at) => Ok(u64::from_le_bytes(self.file.array(at)?)),
            None => Ok(default),
        }
    }

    /// A float.
    pub fn float(&self, field: usize, default: f32) -> Result<f32, Fault> {
        match self.field(field) {
            Some(at) => Ok(f32::from_le_bytes(self.file.array(at)?)),
            None => Ok(default),
        }
    }

    /// A table, if it is there.
    pub fn table(&self, field: usize) -> Result<Option<Self>, Fault> {
        match self.field(field) {
            Some(at) => Self::new(self.file, self.file.target(at)?).map(Some),
            None => Ok(None),
        }
    }

    /// A vector of bytes, as it lies in the file; empty if it is not there.
    pub fn bytes(&self, field: usize) -> Result<&'a [u8], Fault> {
        match self.field(field) {
            Some(at) => self.file.elements(self.file.target(at)?, 1),
            None => Ok(&[]),
        }
    }

    /// A string; empty if it is not there.
    pub fn text(&self, field: usize) -> Result<String, Fault> {
        let bytes = self.bytes(field)?;
        self.file.charge(bytes.len())?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A vector of integers; empty if it is not there.
    pub fn ints(&self, field: usize) -> Result<Vec<i32>, Fault> {
        self.vector(field, i32::from_le_bytes)
    }

    /// A vector of long integers; empty if it is not there.
    pub fn longs(&self, field: usize) -> Result<Vec<i64>, Fault> {
        self.vector(field, i64::from_le_bytes)
    }

    /// A vector of floats; empty if it is not there.
    pub fn floats(&self, field: usize) -> Result<Vec<f32>, Fault> {
        self.vector(field, f32::from_le_bytes)
    }

    /// A vector of tables; empty if it is not there.
    pub fn tables(&self, field: usize) -> Result<Vec<Self>, Fault> {
        let Some(at) = self.field(field) else {
            return Ok(Vec::new());
        };
        let first = self.file.target(at)?;
        let count = self.file.elements(first, 4)?.len() / 4;
        self.file.charge(4 * count)?;
        let table = |index: usize| Self::new(self.file, self.file.target(first + 4 + 4 * index)?);
        (0..count).map(table).collect()
    }

    fn vector<T, const N: usize>(
        &self,
        field: usize,
        element: fn([u8; N]) -> T,
    ) -> Result<Vec<T>, Fault> {
        let Some(at) = self.field(field) else {
            return Ok(Vec::new());
        };
        let bytes = self.file.elements(self.file.target(at)?, N)?;
        self.file.charge(bytes.len())?;
        let (elements, _) = bytes.as_chunks::<N>();
        Ok(elements.iter().map(|&it| element(it)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root table at 12 with two fields: 7 at 16, and a vector of the ints 1 and 2.
    const BYTES: [u8; 36] = [
        12, 0, 0, 0, // root
        8, 0, 12, 0, 4, 0, 8, 0, // vtable at 4
        8, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, // table at 12
        2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, // vector at 24
    ];

    #[test]
    fn fields_are_read_or_have_their_default() {
        let file = File::new(&BYTES);
        let table = file.root().unwrap();
        assert_eq!(table.int(0, 0), Ok(7));
        assert_eq!(table.ints(1), Ok(vec![1, 2]));
        assert_eq!(table.int(2, -3), Ok(-3));
        assert_eq!(table.ints(9), Ok(vec![]));
    }

    #[test]
    fn an_offset_out_of_the_file_is_a_fault() {
        for (at, byte) in [(0, 200), (12, 200), (4, 200), (8, 200), (24, 200)] {
            let mut bytes = BYTES;
            bytes[at] = byte;
            let file = File::new(&bytes);
            let read = file.root().and_then(|it| Ok((it.int(0, 0)?, it.ints(1)?)));
            assert!(
                matches!(read, Err(Fault::Outside { len: 36, .. })),
                "{at}: {read:?}"
            );
        }
    }

    #[test]
    fn reading_a_vector_again_and_again_ends() {
        let file = File::new(&BYTES);
        let table = file.root().unwrap();
        let reads = (0..100).map(|_| table.ints(1));
        assert_eq!(reads.filter(|read| read.is_ok()).count(), 4 * 36 / 8);
    }
}
