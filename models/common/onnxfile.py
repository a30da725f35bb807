"""Running and checking ONNX files; knows onnx, onnxruntime and NumPy, and no model of ours."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator


def session(path: Path) -> ort.InferenceSession:
    """A one-thread session.

    Without graph optimizations a QDQ file runs as written, in float between its roundings.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])


def run(path: Path, inputs: np.ndarray) -> np.ndarray:
    """The file's first output [N, ...] for `inputs` [N, ...], one sample at a time."""
    running = session(path)
    name = running.get_inputs()[0].name
    return np.concatenate([running.run(None, {name: sample[None]})[0] for sample in inputs])


def fold_constants(path: Path):
    """Puts its result in the place of every node that asks for constants or fixed shapes alone."""
    model = onnx.load(path)
    known = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    shapes = _fixed_shapes(model)
    rest = []
    for node in model.graph.node:
        if node.op_type == "Shape" and not node.attribute and node.input[0] in shapes:
            known[node.output[0]] = shapes[node.input[0]]
            continue
        if not all(name in known or not name for name in node.input):
            rest.append(node)
            continue
        given = {name: known[name] for name in node.input if name}
        known |= dict(zip(node.output, ReferenceEvaluator(node).run(None, given)))
    used = {name for node in rest for name in node.input}
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(rest)
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), name)
        for name, value in known.items()
        if name in used
    )
    onnx.save(model, path)


def _fixed_shapes(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The shapes of those tensors whose every dimension is a number."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    sizes = {
        value.name: value.type.tensor_type.shape.dim
        for value in (*graph.input, *graph.value_info)
        if value.type.tensor_type.HasField("shape")
    }
    return {
        name: np.array([size.dim_value for size in dims], np.int64)
        for name, dims in sizes.items()
        if all(size.HasField("dim_value") for size in dims)
    }


def check(path: Path, bytes_max: int = 4_000_000):
    """Raises unless the file is valid, closed, of one operator set and small."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    if [entry.domain for entry in model.opset_import] != [""]:
        raise ValueError(f"{path.name}: operators outside of ONNX's own set")
    if path.stat().st_size > bytes_max:
        raise ValueError(f"{path.name}: more than {bytes_max} bytes")


def operators(path: Path) -> dict[str, int]:
    """How many nodes of each operator the file has."""
    nodes = onnx.load(path).graph.node
    kinds = sorted({node.op_type for node in nodes})
    return {kind: sum(node.op_type == kind for node in nodes) for kind in kinds}
