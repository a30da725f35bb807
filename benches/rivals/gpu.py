#!/usr/bin/env python3
"""Median time of an inference on the GPU here, in burn (wgpu backend) and in wonnx, in one run: on the
float models of models.py.

    benches/rivals/gpu.py FOLDER [--rounds 3] [--runs 10] [--models unet encoder]

FOLDER holds the models. Rounds alternate between the three, so that what else the machine does meets
all; the figure of each is the median of its rounds' medians. Needs target/release/microtome (built by
the README's test command) and the rivals:

    python3 benches/rivals/models.py FOLDER       # with the packages onnx and numpy
    for rival in burn wonnx; do
        (cd benches/rivals/$rival && RIVALS_MODELS=FOLDER cargo build --release)
    done

A rival that was not built, or does not take a model, has no figure.
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


def rival(name, folder, model, runs):
    """The same of a rival; None where it gives none."""
    program = HERE / name / f"target/release/rivals-{name}"
    if not program.is_file():
        return None
    ran = subprocess.run([program, model, folder, str(runs)], capture_output=True, text=True)
    times = [int(line) for line in ran.stdout.split()]
    return statistics.median(times) / 1000 if ran.returncode == 0 and times else None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--runs", type=int, default=10)
    arguments.add_argument("--models", nargs="+", default=MODELS)
    arguments = arguments.parse_args()
    print("| model | adapter | ours, ms | burn, ms | wonnx, ms | best rival / ours |")
    print("|---|---|---|---|---|---|")
    for model in arguments.models:
        rounds = {"ours": [], "burn": [], "wonnx": []}
        for _ in range(arguments.rounds):
            took, adapter = ours(arguments.folder, model, arguments.runs)
            rounds["ours"].append(took)
            for name in ("burn", "wonnx"):
                took = rival(name, arguments.folder, model, arguments.runs)
                if took is not None:
                    rounds[name].append(took)
        medians = {name: statistics.median(took) for name, took in rounds.items() if took}
        cells = [f"{medians[name]:.1f}" if name in medians else "–" for name in rounds]
        best = min((took for name, took in medians.items() if name != "ours"), default=None)
        ratio = f"{best / medians['ours']:.2f}" if best else "–"
        print(f"| {model} | {adapter} | {' | '.join(cells)} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
