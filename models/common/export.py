"""Float ONNX, QDQ int8 ONNX, and running either with onnxruntime.

The int8 file's edges are fixed: input scale 1/255 and zero point -128 (int8 = pixel - 128),
output scale 1/256 and zero point -128 (int8 = 256 p - 128).
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .data import HEIGHT, WIDTH

OPSET = 17
INPUT, OUTPUT = "input", "probabilities"
INPUT_SCALE, OUTPUT_SCALE, ZERO_POINT = np.float32(1 / 255), np.float32(1 / 256), -128
OPS = {"Conv", "Relu", "Add", "Softmax", "QuantizeLinear", "DequantizeLinear"}
"""Every operator that an exported file may hold."""


def fold(net: nn.Module) -> nn.Module:
    """Folds each pair of a convolution and a BatchNorm of a trained net, in place."""
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    for name, child in net.named_children():
        if isinstance(child, nn.Sequential) and isinstance(child[-1], norms):
            transposed = isinstance(child[0], nn.ConvTranspose2d)
            setattr(net, name, fuse_conv_bn_eval(child[0], child[1], transposed))
        else:
            fold(child)
    return net


def write_float(net: nn.Module, path: Path):
    """Exports a folded net with a channel softmax behind it."""
    whole = nn.Sequential(net, nn.Softmax(1)).eval()
    torch.onnx.export(
        whole,
        (torch.zeros(1, 3, HEIGHT, WIDTH),),
        str(path),
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset_version=OPSET,
        dynamo=False,
    )


class _Samples(CalibrationDataReader):
    def __init__(self, inputs: np.ndarray):
        self.rest = iter(inputs)

    def get_next(self):
        sample = next(self.rest, None)
        return None if sample is None else {INPUT: sample[None]}


def write_int8(source: Path, path: Path, samples: np.ndarray):
    """Quantizes a float file, each edge's range the extremes seen on `samples`.

    Weights keep to 7 bits, so that onnxruntime's fused kernels cannot saturate on machines
    without VNNI and give what the file says.
    """
    fixed = [(INPUT, INPUT_SCALE), (OUTPUT, OUTPUT_SCALE)]
    overrides = {
        name: [{"scale": np.array(scale), "zero_point": np.array(ZERO_POINT, np.int8)}]
        for name, scale in fixed
    }
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            _Samples(samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": False,
                "WeightSymmetric": True,
                "TensorQuantOverrides": overrides,
            },
        )
    _drop_unused_domains(path)
    check(path)


def _drop_unused_domains(path: Path):
    """Leaves the one operator set that the file uses."""
    model = onnx.load(path)
    used = [entry for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend(used)
    onnx.save(model, path)


def check(path: Path):
    """Raises unless the int8 file keeps the contract of this module."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    stray = {node.op_type for node in model.graph.node} - OPS
    if stray:
        raise ValueError(f"{path.name}: operators outside the contract: {sorted(stray)}")
    values = {i.name: onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    nodes = model.graph.node
    first = next(node for node in nodes if node.input[0] == INPUT)
    last = next(node for node in nodes if node.output[0] == OUTPUT)
    for node, scale in ((first, INPUT_SCALE), (last, OUTPUT_SCALE)):
        if values[node.input[1]] != scale or values[node.input[2]] != ZERO_POINT:
            raise ValueError(f"{path.name}: {node.name} has another scale or zero point")


def run(path: Path, inputs: np.ndarray) -> np.ndarray:
    """The file's float outputs [N, 4, rows, columns], one sample at a time.

    Without graph optimizations a QDQ file runs as written, in float between its roundings.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {INPUT: sample[None]})[0] for sample in inputs])


def quantize_input(inputs: np.ndarray) -> np.ndarray:
    """The int8 input: pixel - 128."""
    return (np.rint(inputs / INPUT_SCALE) + ZERO_POINT).astype(np.int8)


def quantize_output(outputs: np.ndarray) -> np.ndarray:
    """Probabilities to int8, as the int8 file's last QuantizeLinear does."""
    q = np.rint(outputs / OUTPUT_SCALE) + ZERO_POINT
    return np.clip(q, -128, 127).astype(np.int8)
