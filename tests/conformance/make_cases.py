"""Writes the ONNX backend node suite into one folder: `index.json` and `data.bin`.

`python make_cases.py FOLDER`. The cases come from the installed `onnx` package, which makes them
in memory. The folder appears whole or not at all, and is left alone where it is.

`index.json`: `{"onnx": version, "cases": [{"name", "rtol", "atol", "model": [at, len], "inputs":
[VALUE], "outputs": [VALUE]}]}`. A VALUE is `{"name", "type", "dims", "data": [at, len]}`: little
endian elements, row major, in `data.bin`. A value that is no tensor of a type in `HELD` has its
type's name alone, so that its case is counted and not run.
"""

import json
import os
import shutil
import sys
import tempfile
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

HELD = {
    "bool", "float16", "float32", "float64",
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip


class Blob:
    """Bytes at offsets that any element type may have."""

    ALIGN = 8

    def __init__(self, file):
        self.file = file
        self.len = 0

    def put(self, data):
        """Writes `data` and says where it is."""
        pad = -self.len % self.ALIGN
        self.file.write(b"\0" * pad + data)
        at = self.len + pad
        self.len = at + len(data)
        return [at, len(data)]


def kind(value):
    """The type's name of a value that is no plain tensor, or `None`."""
    if value is None:
        return "optional"
    if isinstance(value, (list, tuple)):
        return "sequence"
    if value.dtype == object or value.dtype.kind in "SU":
        return "string"
    return None if value.dtype.name in HELD else value.dtype.name


def describe(blob, name, value):
    """The index's entry of a value."""
    if isinstance(value, onnx.TensorProto):
        value = numpy_helper.to_array(value)
    other = kind(value)
    if other:
        return {"name": name, "type": other}
    # `ascontiguousarray` would make a vector of a scalar.
    dims = list(np.shape(value))
    little = np.asarray(value).astype(value.dtype.newbyteorder("<"))
    data = blob.put(little.tobytes())
    return {"name": name, "type": value.dtype.name, "dims": dims, "data": data}


def case_entry(blob, case):
    """The index's entry of a case."""
    [(inputs, outputs)] = case.data_sets
    graph = case.model.graph
    named = lambda infos, values: [
        describe(blob, info.name, value) for info, value in zip(infos, values, strict=True)
    ]
    return {
        "name": case.name,
        "rtol": case.rtol,
        "atol": case.atol,
        "model": blob.put(case.model.SerializeToString()),
        "inputs": named(graph.input, inputs),
        "outputs": named(graph.output, outputs),
    }


def main():
    folder = sys.argv[1]
    if os.path.exists(os.path.join(folder, "index.json")):
        return
    # Some cases are drawn by NumPy's global generator when they are made.
    np.random.seed(0)
    warnings.filterwarnings("ignore")
    cases = sorted(load_model_tests(kind="node"), key=lambda case: case.name)
    parent = os.path.dirname(os.path.abspath(folder))
    os.makedirs(parent, exist_ok=True)
    made = tempfile.mkdtemp(dir=parent)
    with open(os.path.join(made, "data.bin"), "wb") as data:
        blob = Blob(data)
        entries = [case_entry(blob, case) for case in cases]
    with open(os.path.join(made, "index.json"), "w") as index:
        json.dump({"onnx": onnx.__version__, "cases": entries}, index)
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(made, folder)
    print(f"{len(entries)} cases in {folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
