"""What a search finds on one language pair of MLQE-PE, and what ending bad trials early saves.

    python benchmarks/search.py --corpus /path/to/mlqe-pe/en-de [--trials 20] [--epochs 4] [--workers 1] [--test]

Searches the options of config/nuqe.yaml with short trials, then trains the best of them and the default as long as each
other (--long epochs), and prints: the best trial; how many trials ended early, and which share of all validations, and of
the time of the search, that saved; both systems on dev, and with --test on test20. One thread a worker.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import kiwi
from kiwi.data.gold import Gold, read_gold
from kiwi.data.readers import read_lines
from kiwi.lib.search import search_from_configuration
from kiwi.lib.search_report import savings
from kiwi.lib.train import train_from_configuration
from kiwi.lib.utils import load_configuration

ROOT = Path(__file__).resolve().parent.parent
