#!/usr/bin/env python3
"""Median time of an inference here and in LiteRT (XNNPACK), one thread each, in one run.

    benches/rivals/rivals.py MODEL.tflite [MODEL.tflite ...] [--rounds 5] [--runs 2000]

Rounds alternate between the two, so that what else the machine does meets both; the figure of each is
the median of its rounds' medians. Needs target/release/microtome (built by the README's test
command) and the packages of requirements.txt:

    python3 -m venv target/rivals && target/rivals/bin/pip install -r benches/rivals/requirements.txt
    target/rivals/bin/python benches/rivals/rivals.py MODEL.tflite
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "target/release/microtome"


def ours(model, runs):
    """The median of a round, in microseconds."""
    command = [COMMAND, "bench", model, "--backend", "cpu", "--runs", str(runs), "--json"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout)["latency_us"]["p50"]


class LiteRt:
    """The model in LiteRT, on one thread, with an input of random int8 values."""

    def __init__(self, model):
        self.interpreter = Interpreter(model_path=str(model), num_threads=1)
        self.interpreter.allocate_tensors()
        wanted = self.interpreter.get_input_details()[0]
        values = np.random.default_rng(1).integers(-128, 128, wanted["shape"])
        self.interpreter.set_tensor(wanted["index"], values.astype(wanted["dtype"]))

    def median(self, runs):
        times = []
        for index in range(runs + runs // 10):
            begin = time.perf_counter_ns()
            self.interpreter.invoke()
            took = time.perf_counter_ns() - begin
            if index >= runs // 10:
                times.append(took / 1000)
        return statistics.median(times)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("models", nargs="+", type=Path)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--runs", type=int, default=2000)
    given = arguments.parse_args()
    print(f"{'model':<28}{'microtome, µs':>14}{'LiteRT, µs':>12}{'ratio':>8}")
    for model in given.models:
        rival = LiteRt(model)
        rounds = [(ours(model, given.runs), rival.median(given.runs)) for _ in range(given.rounds)]
        mine, theirs = (statistics.median(column) for column in zip(*rounds))
        print(f"{model.stem:<28}{mine:>14.1f}{theirs:>12.1f}{mine / theirs:>8.2f}")


if __name__ == "__main__":
    main()
