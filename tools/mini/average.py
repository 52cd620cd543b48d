"""Average the weights of two stages of kiwi-mini, which do better together than each alone (Wortsman et al. 2022).

    python tools/mini/average.py EARLIER LATER OUT [--share 0.33]

The figures of the later stage are not those of the average, which has none.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from kiwi.systems.checkpoint import read_checkpoint_info, read_weights, save_weights
from kiwi.systems.manifest.rewriting import rewrite


def main() -> None:
    """Write the later system with the average weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("earlier", type=Path, help="the checkpoint of the earlier stage")
    parser.add_argument("later", type=Path, help="that of the later stage")
    parser.add_argument("out", type=Path, help="the checkpoint to write")
    parser.add_argument("--share", type=float, default=1 / 3, help="how much the earlier stage counts, from 0 to 1")
    args = parser.parse_args()

    info = replace(read_checkpoint_info(args.later), metrics={})
    earlier, later = read_weights(args.earlier, read_checkpoint_info(args.earlier)), read_weights(args.later, info)
    averages = {
        name: weight.lerp(earlier[name], args.share) if weight.is_floating_point() else weight
        for name, weight in later.items()
    }
    rewrite(args.later, info, directory=args.out, write_weights=lambda file: save_weights(averages, file))


if __name__ == "__main__":
    main()
