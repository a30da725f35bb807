#!/usr/bin/env python3
"""Quantizes a float ONNX model to int8 by onnxruntime's static quantizer: Q/DQ, weights a channel.

    benches/rivals/int8.py FLOAT.onnx INT8.onnx

It is calibrated on seeded noise: a model to time, not to use. The same file gives the same one.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

SAMPLES = 4


class Noise(CalibrationDataReader):
    """Samples of a normal distribution for the model's one input."""

    def __init__(self, model):
        wanted = onnx.load(model).graph.input[0]
        dims = [dim.dim_value or 1 for dim in wanted.type.tensor_type.shape.dim]
        random = np.random.default_rng(1)
        samples = random.standard_normal((SAMPLES, *dims)).astype(np.float32)
        self.samples = iter({wanted.name: sample} for sample in samples)

    def get_next(self):
        return next(self.samples, None)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("model", type=Path)
    arguments.add_argument("output", type=Path)
    given = arguments.parse_args()
    quantize_static(
        given.model,
        given.output,
        Noise(given.model),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )


if __name__ == "__main__":
    main()
