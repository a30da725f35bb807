"""Scores what a tool made of a model's test set, beside the float model and onnxruntime.

    python models/write_testsets.py raman
    microtome compile models/raman/raman.float.onnx -o target/raman.mtp \\
        --calibrate models/raman/calibration.npz
    microtome run target/raman.mtp --input target/testsets/raman/test.npz --output target/raman.npy
    python models/evaluate.py raman target/raman.npy [--data DIR]

Prints one JSON object: the scores, the fidelity to the float model's outputs, and, where quantizers
are compared by the model, the same of onnxruntime's quantizations that `baseline.json` calls its
best and its default, made anew. The
`advantage` is how much better the tool's headline score is, `advantage_95` the 95 % interval of
that over samples: where it holds 0, the two cannot be told apart on this test set.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from common import onnxfile, rival, suite
from common.samples import Samples


def main():
    """Reads the outputs, scores, compares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=[entry.name for entry in suite.ENTRIES])
    parser.add_argument("outputs", type=Path, help=".npy, or .npz with one array; samples first")
    parser.add_argument("--data", type=Path, default=suite.DEFAULT_DATA)
    args = parser.parse_args()
    print(json.dumps(judge(suite.entry(args.model), read(args.outputs), args.data)))


def read(path: Path) -> np.ndarray:
    """The outputs as float32; int8 outputs lack their scale and are refused."""
    outputs = np.load(path)
    if isinstance(outputs, np.lib.npyio.NpzFile):
        if len(outputs.files) != 1:
            raise SystemExit(f"{path}: {len(outputs.files)} arrays instead of one")
        outputs = outputs[outputs.files[0]]
    if outputs.dtype.kind != "f":
        raise SystemExit(f"{path}: {outputs.dtype} outputs; give the model's real numbers")
    return outputs.astype(np.float32)


def judge(entry: suite.Entry, outputs: np.ndarray, data: Path) -> dict:
    """The tool's scores beside those of the float model and of onnxruntime."""
    test = entry.test(data)
    if len(outputs) != len(test):
        raise SystemExit(f"{len(outputs)} outputs for {len(test)} samples of {entry.name}")
    reference = onnxfile.run(entry.float_path, test.inputs)
    outputs = outputs.reshape(reference.shape)
    report = {
        "model": entry.name,
        "headline": entry.headline,
        "scores": scored(entry, outputs, reference, test),
        "float": entry.score(reference, test),
    }
    if entry not in suite.QUANTIZED:
        return report
    known = json.loads((suite.MODELS / "baseline.json").read_text())["models"][entry.name]
    for kind in ("onnxruntime_best", "onnxruntime_default"):
        how = {key: known[kind][key] for key in ("calibration", "operators")}
        theirs = rival.quantized(entry, entry.calibration(data), test, *how.values())[0]
        scores = scored(entry, theirs, reference, test)
        gain = report["scores"][entry.headline] - scores[entry.headline]
        report[kind] = {
            "quantizer": how,
            "scores": scores,
            "advantage": round(gain if entry.rising else -gain, 5) + 0.0,
            "advantage_95": suite.advantage_95(entry, outputs, theirs, test),
        }
    return report


def scored(entry: suite.Entry, outputs, reference, test: Samples) -> dict[str, float]:
    """The model's scores and the fidelity to the float outputs."""
    return entry.score(outputs, test) | {"fidelity_db": suite.fidelity_db(outputs, reference)}


if __name__ == "__main__":
    main()
