"""Average the weights of several stages of kiwi-mini, which do better together than each alone (Wortsman et al. 2022).

    python tools/mini/average.py OUT SYSTEM SYSTEM ... [--shares 0.3 0.7 ...]

All stages start from the same weights or from one another. The configuration of the average is that of the last one,
whose figures are not those of the average.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from kiwi.systems.checkpoint import read_checkpoint_info, read_weights, save_weights
from kiwi.systems.manifest.rewriting import rewrite


def main() -> None:
    """Write the last system with the average weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=Path, help="the checkpoint to write")
    parser.add_argument("systems", type=Path, nargs="+", help="the checkpoints of the stages")
    parser.add_argument("--shares", type=float, nargs="+", help="how much each stage counts; equally by default")
    args = parser.parse_args()
    shares = args.shares or [1.0] * len(args.systems)
    if len(shares) != len(args.systems) or min(shares) < 0 or sum(shares) == 0:
        parser.error(f"--shares needs {len(args.systems)} numbers that are not negative, one for each system")

    last = args.systems[-1]
    info = replace(read_checkpoint_info(last), metrics={})
    stages = [read_weights(system, read_checkpoint_info(system)) for system in args.systems]
    averages = dict(stages[-1])
    for name, weight in averages.items():
        if weight.is_floating_point():
            total = sum(stage[name].double() * share for stage, share in zip(stages, shares, strict=True))
            averages[name] = torch.as_tensor(total / sum(shares), dtype=weight.dtype)
    rewrite(last, info, directory=args.out, write_weights=lambda file: save_weights(averages, file))


if __name__ == "__main__":
    main()
