//! The archive that `make_cases.py` makes: the ONNX backend node suite in one folder.

use microtome_compiler::{Tensor, Values};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of `onnx` that `requirements.txt` pins.
const ONNX: &str = "1.23.2";

/// A case: a model, its inputs, and the outputs that it has to give.
#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    pub rtol: f64,
    pub atol: f64,
    model: (usize, usize),
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
}

/// A tensor in the archive, or the name of a type that the archive does not hold.
#[derive(Debug, Deserialize)]
pub struct Value {
    pub name: String,
    #[serde(rename = "type")]
    type_name: String,
    dims: Option<Vec<usize>>,
    data: Option<(usize, usize)>,
}

#[derive(Deserialize)]
struct Index {
    onnx: String,
    cases: Vec<Case>,
}

/// All cases and the bytes that they name.
pub struct Archive {
    pub cases: Vec<Case>,
    data: Vec<u8>,
}

impl Archive {
    /// Opens the archive, and makes it first where it is not there yet and this machine can.
    ///
    /// # Errors
    /// Why it cannot be had here.
    pub fn open() -> Result<Self, String> {
        let folder = target().join(format!("onnx-{ONNX}"));
        if !folder.join("index.json").is_file() {
            make(&folder)?;
        }
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let index: Index = serde_json::from_slice(&read("index.json")?)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        if index.onnx != ONNX {
            return Err(format!("{} is of onnx {}", folder.display(), index.onnx));
        }
        Ok(Self {
            cases: index.cases,
            data: read("data.bin")?,
        })
    }

    /// The bytes of the case's model.
    pub fn model(&self, case: &Case) -> &[u8] {
        self.bytes(case.model)
    }

    /// Tensors of the values.
    ///
    /// # Errors
    /// The name of a type that is not held.
    pub fn tensors<'a>(&self, values: &'a [Value]) -> Result<Vec<Tensor>, &'a str> {
        values.iter().map(|value| self.tensor(value)).collect()
    }

    fn tensor<'a>(&self, value: &'a Value) -> Result<Tensor, &'a str> {
        let (Some(dims), Some(data)) = (&value.dims, value.data) else {
            return Err(&value.type_name);
        };
        let values = Values::from_le_bytes(&value.type_name, self.bytes(data));
        let tensor = Tensor::new(dims.clone(), values.ok_or(&*value.type_name)?);
        Ok(tensor.expect("the archive is whole"))
    }

    fn bytes(&self, (at, len): (usize, usize)) -> &[u8] {
        &self.data[at..at + len]
    }
}

/// Where everything lies that the suite makes.
pub fn target() -> PathBuf {
    super::support::root().join("target/conformance")
}

/// Makes the archive with the Python of `target/venv`, which `tests/run.sh` makes, or with one
/// that has `onnx` already.
fn make(folder: &Path) -> Result<(), String> {
    let script = super::support::root().join("tests/conformance/make_cases.py");
    let own = super::support::root().join("target/venv/bin/python");
    let python = if own.is_file() {
        own
    } else {
        PathBuf::from("python3")
    };
    let output = Command::new(&python).arg(script).arg(folder).output();
    let output = output.map_err(|error| format!("{}: {error}", python.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    Err(format!(
        "{} made no cases: {last}; tests/run.sh installs onnx {ONNX}",
        python.display()
    ))
}
