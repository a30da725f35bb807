"""onnxruntime's static quantizer, as it is compared with ours.

Int8 weights (per channel) and activations, the calibration samples of the suite. Files run as
written, without onnxruntime's fused kernels, whose 8-bit sums can saturate on processors without
VNNI.
"""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from . import onnxfile, suite
from .samples import Samples

METHODS = {
    "minmax": (CalibrationMethod.MinMax, {}),
    "entropy": (CalibrationMethod.Entropy, {}),
    "percentile 99.999": (CalibrationMethod.Percentile, {"CalibPercentile": 99.999}),
    "percentile 99.9": (CalibrationMethod.Percentile, {"CalibPercentile": 99.9}),
}
SCOPES = {"all": None, "products": ["Conv", "Gemm", "MatMul"]}
"""Which operators are quantized: all that the quantizer knows, or the matrix products alone."""
INTEGER = {"QuantizeLinear", "DequantizeLinear"}


class Reader(CalibrationDataReader):
    """Hands out samples one at a time."""

    def __init__(self, inputs: np.ndarray):
        self.rest = iter(inputs)

    def get_next(self):
        """The next sample, or None."""
        sample = next(self.rest, None)
        return None if sample is None else {suite.INPUT: sample[None]}


def quantized(
    entry: suite.Entry,
    calibration: Samples,
    test: Samples,
    method: str,
    scope: str,
) -> tuple[np.ndarray, dict]:
    """One quantization: outputs over the test set; size and operators that it leaves in float."""
    calibrate_method, options = METHODS[method]
    with tempfile.TemporaryDirectory() as folder:
        prepared, path = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(str(entry.float_path), str(prepared), skip_symbolic_shape=True)
        with contextlib.redirect_stdout(io.StringIO()):
            quantize_static(
                str(prepared),
                str(path),
                Reader(calibration.inputs),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=SCOPES[scope],
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                calibrate_method=calibrate_method,
                extra_options={"ActivationSymmetric": False, "WeightSymmetric": True} | options,
            )
        facts = {"bytes": path.stat().st_size, "float_operators": float_operators(path)}
        return onnxfile.run(path, test.inputs), facts


def float_operators(path: Path) -> list[str]:
    """Kinds of operators that no quantized tensor goes into, beside those that only move data."""
    graph = onnx.load(path).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    moving = INTEGER | {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Gather"}
    return sorted(
        {
            node.op_type
            for node in graph.node
            if node.op_type not in moving
            and not any(made_by.get(name) == "DequantizeLinear" for name in node.input)
        }
    )
