#!/usr/bin/env python3
"""Median time of a float inference here and in onnxruntime, one thread each, in one run.

    benches/rivals/float.py MODEL.onnx [MODEL.onnx ...] [--rounds 7] [--runs 20]

Rounds alternate between the two, so that what else the machine does meets both; the figure of each is
the median of its rounds' medians, and beside it the best round's. Models of one float input;
models.py writes three. Needs target/release/microtome (built by the README's test command) and the
packages of requirements.txt:

    python3 -m venv target/rivals && target/rivals/bin/pip install -r benches/rivals/requirements.txt
    target/rivals/bin/python benches/rivals/models.py target/models
    target/rivals/bin/python benches/rivals/float.py target/models/*.onnx
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "target/release/microtome"


def ours(model, runs):
    """The median of a round, in milliseconds."""
    command = [COMMAND, "bench", model, "--backend", "cpu", "--runs", str(runs), "--json"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout)["latency_us"]["p50"] / 1000


class OnnxRuntime:
    """The model in onnxruntime, on one thread, with a random input."""

    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(model, options, providers=providers)
        wanted = self.session.get_inputs()[0]
        values = np.random.default_rng(1).standard_normal(wanted.shape)
        self.feed = {wanted.name: values.astype(np.float32)}

    def median(self, runs):
        times = []
        for index in range(runs + runs // 10):
            begin = time.perf_counter_ns()
            self.session.run(None, self.feed)
            took = time.perf_counter_ns() - begin
            if index >= runs // 10:
                times.append(took / 1e6)
        return statistics.median(times)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("models", nargs="+", type=Path)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--runs", type=int, default=20)
    given = arguments.parse_args()
    print(f"onnxruntime {onnxruntime.__version__}; ms, median of rounds (best round)")
    print(f"{'model':<20}{'microtome':>18}{'onnxruntime':>18}{'ratio':>16}")
    for model in given.models:
        rival = OnnxRuntime(model)
        rounds = [(ours(model, given.runs), rival.median(given.runs)) for _ in range(given.rounds)]
        columns = list(zip(*rounds))
        (mine, theirs), (my_best, their_best) = (
            [choose(column) for column in columns] for choose in (statistics.median, min)
        )
        cells = (f"{mine:.1f} ({my_best:.1f})", f"{theirs:.1f} ({their_best:.1f})")
        ratio = f"{mine / theirs:.2f} ({my_best / their_best:.2f})"
        print(f"{model.stem:<20}{cells[0]:>18}{cells[1]:>18}{ratio:>16}")


if __name__ == "__main__":
    main()
