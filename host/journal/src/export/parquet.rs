//! Parquet: columns of optional values, a row group after another.

use super::columns::{COLUMNS, Column, Kind, Row, Value};
use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows that are held in memory and make one row group.
const GROUP_LEN: usize = 1 << 14;

/// A file that is being written.
pub(super) struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The values of the rows of the group at hand, column by column.
    columns: Vec<Vec<Value>>,
}

impl<W: Write + Send> Table<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let properties = Arc::new(WriterProperties::builder().build());
        let file = schema()
            .and_then(|schema| SerializedFileWriter::new(out, schema, properties))
            .map_err(io_error)?;
        let columns = COLUMNS.iter().map(|_| Vec::new()).collect();
        Ok(Self { file, columns })
    }

    pub fn push(&mut self, row: &Row<'_>) -> io::Result<()> {
        for (values, column) in self.columns.iter_mut().zip(&COLUMNS) {
            values.push((column.value)(row));
        }
        if self.columns[0].len() == GROUP_LEN {
            self.write_group().map_err(io_error)?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<()> {
        if !self.columns[0].is_empty() {
            self.write_group().map_err(io_error)?;
        }
        self.file.close().map_err(io_error)?;
        Ok(())
    }

    fn write_group(&mut self) -> ParquetResult<()> {
        let mut group = self.file.next_row_group()?;
        for values in &mut self.columns {
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            write_column(writer.untyped(), &std::mem::take(values))?;
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

fn write_column(writer: &mut ColumnWriter<'_>, values: &[Value]) -> ParquetResult<()> {
    let is_there = |value: &Value| i16::from(*value != Value::Null);
    let levels: Vec<i16> = values.iter().map(is_there).collect();
    let levels = Some(&levels[..]);
    match writer {
        ColumnWriter::Int64ColumnWriter(writer) => {
            let numbers = values.iter().filter_map(|value| match value {
                Value::Integer(number) => Some(*number),
                _ => None,
            });
            writer.write_batch(&numbers.collect::<Vec<_>>(), levels, None)?;
        }
        ColumnWriter::DoubleColumnWriter(writer) => {
            let numbers = values.iter().filter_map(|value| match value {
                Value::Real(number) => Some(*number),
                _ => None,
            });
            writer.write_batch(&numbers.collect::<Vec<_>>(), levels, None)?;
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let texts = values.iter().filter_map(|value| match value {
                Value::Text(text) => Some(ByteArray::from(text.as_str())),
                _ => None,
            });
            writer.write_batch(&texts.collect::<Vec<_>>(), levels, None)?;
        }
        _ => return Err(ParquetError::General("a column of another type".to_owned())),
    }
    Ok(())
}

fn schema() -> ParquetResult<Arc<Type>> {
    let fields: ParquetResult<Vec<_>> = COLUMNS.iter().map(field).collect();
    let group = Type::group_type_builder("result").with_fields(fields?);
    Ok(Arc::new(group.build()?))
}

fn field(column: &Column) -> ParquetResult<Arc<Type>> {
    let (physical, converted) = match column.kind {
        Kind::Text => (PhysicalType::BYTE_ARRAY, ConvertedType::UTF8),
        Kind::Integer => (PhysicalType::INT64, ConvertedType::NONE),
        Kind::Real => (PhysicalType::DOUBLE, ConvertedType::NONE),
    };
    let field = Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_converted_type(converted);
    Ok(Arc::new(field.build()?))
}

fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
