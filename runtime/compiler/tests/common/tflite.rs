//! TFLite models made on the spot, by a writer of FlatBuffers that is only as good as tests need.
#![allow(dead_code, reason = "each test binary uses its own part")]

/// A field of a table.
#[derive(Clone)]
pub enum Field {
    Byte(u8),
    Int(i32),
    Float(f32),
    Bytes(Vec<u8>),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Floats(Vec<f32>),
    Table(Table),
    Tables(Vec<Table>),
}

/// Fields by their index in the schema; those that are not there have their default.
pub type Table = Vec<(usize, Field)>;

/// The file of a root table.
fn file(root: &Table) -> Vec<u8> {
    let mut bytes = b"\0\0\0\0TFL3".to_vec();
    let at = write_table(&mut bytes, root);
    patch(&mut bytes, 0, at);
    bytes
}

fn patch(bytes: &mut [u8], at: usize, target: usize) {
    bytes[at..at + 4].copy_from_slice(&((target - at) as u32).to_le_bytes());
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Vtable, table, then what the table refers to; every field has four bytes.
fn write_table(bytes: &mut Vec<u8>, table: &Table) -> usize {
    align(bytes);
    let vtable = bytes.len();
    let slots = table.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0);
    let mut offsets = vec![0_u16; slots];
    for (index, (slot, _)) in table.iter().enumerate() {
        offsets[*slot] = 4 + 4 * index as u16;
    }
    let lens = [4 + 2 * slots as u16, 4 + 4 * table.len() as u16];
    for half in lens.iter().chain(&offsets) {
        bytes.extend(half.to_le_bytes());
    }
    align(bytes);
    let at = bytes.len();
    bytes.extend(((at - vtable) as i32).to_le_bytes());
    for (_, field) in table {
        match field {
            Field::Byte(value) => bytes.extend([*value, 0, 0, 0]),
            Field::Int(value) => bytes.extend(value.to_le_bytes()),
            Field::Float(value) => bytes.extend(value.to_le_bytes()),
            _ => bytes.extend([0; 4]),
        }
    }
    for (index, (_, field)) in table.iter().enumerate() {
        let target = match field {
            Field::Byte(_) | Field::Int(_) | Field::Float(_) => continue,
            Field::Table(table) => write_table(bytes, table),
            Field::Tables(tables) => write_tables(bytes, tables),
            Field::Bytes(values) => write_vector(bytes, values.iter().map(|&it| [it])),
            Field::Ints(values) => write_vector(bytes, values.iter().map(|it| it.to_le_bytes())),
            Field::Longs(values) => write_vector(bytes, values.iter().map(|it| it.to_le_bytes())),
            Field::Floats(values) => write_vector(bytes, values.iter().map(|it| it.to_le_bytes())),
        };
        patch(bytes, at + 4 + 4 * index, target);
    }
    at
}

fn write_tables(bytes: &mut Vec<u8>, tables: &[Table]) -> usize {
    let at = write_vector(bytes, tables.iter().map(|_| [0; 4]));
    for (index, table) in tables.iter().enumerate() {
        let target = write_table(bytes, table);
        patch(bytes, at + 4 + 4 * index, target);
    }
    at
}

fn write_vector<const N: usize>(
    bytes: &mut Vec<u8>,
    elements: impl ExactSizeIterator<Item = [u8; N]>,
) -> usize {
    align(bytes);
    let at = bytes.len();
    bytes.extend((elements.len() as u32).to_le_bytes());
    elements.for_each(|element| bytes.extend(element));
    at
}

/// Types of elements.
pub const F32: u8 = 0;
pub const I32: u8 = 2;
pub const U8: u8 = 3;
pub const I8: u8 = 9;

/// A model under construction.
#[derive(Default)]
pub struct Model {
    codes: Vec<Table>,
    tensors: Vec<Table>,
    buffers: Vec<Table>,
    operators: Vec<Table>,
}

impl Model {
    pub fn new() -> Self {
        Self {
            buffers: vec![vec![]],
            ..Self::default()
        }
    }

    /// Adds a tensor; a constant has data.
    pub fn tensor(
        &mut self,
        name: &str,
        kind: u8,
        dims: &[i32],
        quantization: Option<(&[f32], &[i64], i32)>,
        data: Option<Vec<u8>>,
    ) -> i32 {
        let mut tensor = vec![
            (0, Field::Ints(dims.to_vec())),
            (1, Field::Byte(kind)),
            (3, Field::Bytes(name.as_bytes().to_vec())),
        ];
        if let Some((scales, zeros, axis)) = quantization {
            let quantization = vec![
                (2, Field::Floats(scales.to_vec())),
                (3, Field::Longs(zeros.to_vec())),
                (6, Field::Int(axis)),
            ];
            tensor.push((4, Field::Table(quantization)));
        }
        if let Some(data) = data {
            tensor.push((2, Field::Int(self.buffers.len() as i32)));
            self.buffers.push(vec![(0, Field::Bytes(data))]);
        }
        self.tensors.push(tensor);
        self.tensors.len() as i32 - 1
    }

    /// A float activation.
    pub fn float(&mut self, name: &str, dims: &[i32]) -> i32 {
        self.tensor(name, F32, dims, None, None)
    }

    /// An int8 activation.
    pub fn int8(&mut self, name: &str, dims: &[i32], scale: f32, zero: i64) -> i32 {
        self.tensor(name, I8, dims, Some((&[scale], &[zero], 0)), None)
    }

    /// Constant int8 weights.
    pub fn weights(
        &mut self,
        name: &str,
        dims: &[i32],
        values: &[i8],
        scales: &[f32],
        axis: i32,
    ) -> i32 {
        let zeros = vec![0; scales.len()];
        let data = values.iter().map(|&it| it as u8).collect();
        self.tensor(name, I8, dims, Some((scales, &zeros, axis)), Some(data))
    }

    /// Constant integers.
    pub fn i32s(&mut self, name: &str, dims: &[i32], values: &[i32]) -> i32 {
        let data = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        self.tensor(name, I32, dims, None, Some(data))
    }

    /// Constant floats.
    pub fn f32s(&mut self, name: &str, dims: &[i32], values: &[f32]) -> i32 {
        let data = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        self.tensor(name, F32, dims, None, Some(data))
    }

    /// Adds an operator with its options: their index in the union, and their fields.
    pub fn op(&mut self, code: i32, options: (u8, Table), inputs: &[i32], outputs: &[i32]) {
        let byte = code.min(127) as u8;
        self.codes
            .push(vec![(0, Field::Byte(byte)), (3, Field::Int(code))]);
        self.operators.push(vec![
            (0, Field::Int(self.codes.len() as i32 - 1)),
            (1, Field::Ints(inputs.to_vec())),
            (2, Field::Ints(outputs.to_vec())),
            (3, Field::Byte(options.0)),
            (4, Field::Table(options.1)),
        ]);
    }

    /// The file; its last bytes are those of the last constant.
    pub fn bytes(&self, inputs: &[i32], outputs: &[i32]) -> Vec<u8> {
        let main = vec![
            (0, Field::Tables(self.tensors.clone())),
            (1, Field::Ints(inputs.to_vec())),
            (2, Field::Ints(outputs.to_vec())),
            (3, Field::Tables(self.operators.clone())),
        ];
        file(&vec![
            (0, Field::Int(3)),
            (1, Field::Tables(self.codes.clone())),
            (2, Field::Tables(vec![main])),
            (4, Field::Tables(self.buffers.clone())),
        ])
    }
}
