#!/usr/bin/env python3
"""Median time of an inference on the GPU here and in burn (wgpu backend), in one run: on the float
models of models.py. wonnx 0.5.1 loads none of them: it has no Gemm of transposed weights, no
ConvTranspose and no LayerNormalization.

    benches/rivals/gpu.py FOLDER [--rounds 3] [--runs 10] [--models unet encoder]

FOLDER holds the models. Rounds alternate between the two, so that what else the machine does meets
both; the figure of each is the median of its rounds' medians. Needs target/release/microtome (built by
the README's test command) and the rival:

    python3 benches/rivals/models.py FOLDER       # with the packages onnx and numpy
    (cd benches/rivals/burn && RIVALS_MODELS=FOLDER cargo build --release)
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMAND = HERE.parents[1] / "target/release/microtome"
MODELS = ["mobilenetv2", "unet", "encoder"]


def ours(folder, model, runs):
    """The median of a round, in milliseconds."""
    command = [COMMAND, "bench", folder / f"{model}.onnx", "--backend", "gpu", "--json"]
    ran = subprocess.run([*command, "--runs", str(runs)], check=True, capture_output=True, text=True)
    told = json.loads(ran.stdout)
    return told["latency_us"]["p50"] / 1000, told["executor"]


def burns(model, runs):
    """The same of burn."""
    program = HERE / "burn/target/release/rivals-burn"
    command = [program, model, str(runs)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return statistics.median(int(line) for line in ran.stdout.split()) / 1000


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--runs", type=int, default=10)
    arguments.add_argument("--models", nargs="+", default=MODELS)
    arguments = arguments.parse_args()
    print("| model | adapter | ours, ms | burn, ms | burn / ours |")
    print("|---|---|---|---|---|")
    for model in arguments.models:
        rounds = []
        for _ in range(arguments.rounds):
            took, adapter = ours(arguments.folder, model, arguments.runs)
            rounds.append((took, burns(model, arguments.runs)))
        ours_ms, burn_ms = (statistics.median(took) for took in zip(*rounds))
        ratio = burn_ms / ours_ms
        print(f"| {model} | {adapter} | {ours_ms:.1f} | {burn_ms:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
