"""Trains `vowels-lstm`, which tells nine speakers by an utterance, and writes its files.

    python models/vowels-lstm/train.py [--data DIR] [--epochs N] [--threads N]

DIR holds `sequences-japanesevowels`. Needs `models/requirements.txt`.
"""

import sys
from pathlib import Path

from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import learn, recurrent  # noqa: E402

RECIPE = learn.Recipe(epochs=200, rate=8e-3, seed=33, batch=27)

if __name__ == "__main__":
    recurrent.build(FOLDER, __doc__, nn.LSTM, RECIPE)
