#!/usr/bin/env python3
"""Median time of an inference here and in the rival that reads the file, one thread each, in one
run: LiteRT (XNNPACK) for TFLite files, onnxruntime for ONNX files.

    benches/rivals/rivals.py MODEL.tflite [MODEL.onnx ...] [--rounds 5] [--runs 2000]

Rounds alternate between the two, so that what else the machine does meets both; the figure of each
is the median of its rounds' medians. Needs target/release/microtome (built by the README's test
command) and the packages of requirements.txt:

    python3 -m venv target/rivals && target/rivals/bin/pip install -r benches/rivals/requirements.txt
    target/rivals/bin/python benches/rivals/rivals.py MODEL.tflite

int8.py makes an int8 model of a float one.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "target/release/microtome"


def ours(model, runs):
    """The median of a round, in microseconds."""
    command = [COMMAND, "bench", model, "--backend", "cpu", "--runs", str(runs), "--json"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout)["latency_us"]["p50"]


def median(run, runs):
    """The median time of `run`, after a tenth as many runs to warm up, in microseconds."""
    times = []
    for index in range(runs + runs // 10):
        begin = time.perf_counter_ns()
        run()
        took = time.perf_counter_ns() - begin
        if index >= runs // 10:
            times.append(took / 1000)
    return statistics.median(times)


def values(shape, dtype):
    """Random values of an input: any of int8, or of a normal distribution."""
    random = np.random.default_rng(1)
    if np.issubdtype(dtype, np.integer):
        return random.integers(-128, 128, shape).astype(dtype)
    return random.standard_normal(shape).astype(dtype)


class LiteRt:
    """A TFLite model in LiteRT, on one thread."""

    NAME = "LiteRT"

    def __init__(self, model):
        self.interpreter = Interpreter(model_path=str(model), num_threads=1)
        self.interpreter.allocate_tensors()
        wanted = self.interpreter.get_input_details()[0]
        self.interpreter.set_tensor(wanted["index"], values(wanted["shape"], wanted["dtype"]))

    def run(self):
        self.interpreter.invoke()


class OnnxRuntime:
    """An ONNX model in onnxruntime, on one thread."""

    NAME = "onnxruntime"
    DTYPES = {"tensor(float)": np.float32, "tensor(int8)": np.int8}

    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(str(model), options, providers)
        self.inputs = {
            # An axis without a number is the batch.
            wanted.name: values(
                [size if isinstance(size, int) else 1 for size in wanted.shape],
                self.DTYPES[wanted.type],
            )
            for wanted in self.session.get_inputs()
        }

    def run(self):
        self.session.run(None, self.inputs)


RIVALS = {".tflite": LiteRt, ".onnx": OnnxRuntime}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("models", nargs="+", type=Path)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--runs", type=int, default=2000)
    given = arguments.parse_args()
    print(f"{'model':<28}{'microtome, µs':>14}{'rival, µs':>12}{'ratio':>8}  rival")
    for model in given.models:
        rival = RIVALS[model.suffix](model)
        rounds = [
            (ours(model, given.runs), median(rival.run, given.runs)) for _ in range(given.rounds)
        ]
        mine, theirs = (statistics.median(column) for column in zip(*rounds))
        print(f"{model.stem:<28}{mine:>14.1f}{theirs:>12.1f}{mine / theirs:>8.2f}  {rival.NAME}")


if __name__ == "__main__":
    main()
