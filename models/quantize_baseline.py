"""What onnxruntime's static quantizer makes of each model: writes `baseline.json`.

    python models/quantize_baseline.py [--data DIR] [MODEL ...]

Every model is quantized with the calibration samples that microtome gets, by every calibration
method that onnxruntime has, over all operators that it quantizes by default and over the matrix
products alone, and scored on the same test set. `onnxruntime_best` is the run that scores best *on
the test set*: a choice in its favour that nobody could make in practice, and that may lie above
the float model by chance. `onnxruntime_default` is what the quantizer does unasked.
"""

import argparse
import itertools
import json
import platform
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from common import onnxfile, rival, suite

TABLE = suite.MODELS / "baseline.json"


def main():
    """Measures what the command line names, or all, and updates `baseline.json`."""
    names = [entry.name for entry in suite.QUANTIZED]
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=suite.DEFAULT_DATA)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(names))
    args = parser.parse_args()
    known = json.loads(TABLE.read_text())["models"] if TABLE.exists() else {}
    for name in args.models or names:
        known[name] = measure(suite.entry(name), args.data)
        print(name, json.dumps(known[name]["float"]), json.dumps(known[name]["onnxruntime_best"]))
    versions = {"onnxruntime": ort.__version__, "onnx": onnx.__version__, "numpy": np.__version__}
    whole = {
        "versions": versions | {"python": platform.python_version()},
        "models": {name: known[name] for name in names if name in known},
    }
    TABLE.write_text(json.dumps(whole, indent=1) + "\n")


def measure(entry: suite.Entry, data: Path) -> dict:
    """Scores of the float file and of all its quantizations."""
    test, calibration = entry.test(data), entry.calibration(data)
    reference = onnxfile.run(entry.float_path, test.inputs)
    runs = []
    for method, scope in itertools.product(rival.METHODS, rival.SCOPES):
        run = {"calibration": method, "operators": scope}
        runs.append(run)
        try:
            outputs, facts = rival.quantized(entry, calibration, test, method, scope)
        except Exception as error:  # whatever the quantizer raises is its result
            run["refused"] = f"{type(error).__name__}: {error}"[:200]
            continue
        run |= entry.score(outputs, test)
        run["fidelity_db"] = suite.fidelity_db(outputs, reference)
        run |= facts
    sign = 1 if entry.rising else -1
    scored = [run for run in runs if "refused" not in run]
    return {
        "samples": {"test": len(test), "calibration": len(calibration)},
        "headline": entry.headline,
        "float": entry.score(reference, test) | {"bytes": entry.float_path.stat().st_size},
        "onnxruntime_best": max(
            scored, key=lambda run: (sign * run[entry.headline], run["fidelity_db"])
        ),
        "onnxruntime_default": runs[0],
        "onnxruntime": runs,
    }


if __name__ == "__main__":
    main()
