"""How fast prediction is, against the bare model; memory; and how long it takes to start.

    python benchmarks/predict.py --model CHECKPOINT --corpus DIR [--exported DIR] [--int8 DIR] [--peer COMMAND]
    python benchmarks/predict.py --model CHECKPOINT --corpus DIR --memory
    python benchmarks/predict.py --model CHECKPOINT --corpus DIR --start [--int8 DIR]

CHECKPOINT has a pretrained encoder, scores and target tags; the corpus has dev.src, dev.mt, dev.hter and dev.tags
(interleaved). `bare` is the encoder's own forward pass in torch over batches of 32, sorted by length and tokenized
before. Each measurement is a process of its own with one thread, all of them by turns; figures are medians, ratios are
of the same turn. `around` is the share of the time outside of the engine (tokenization, sorting, batches, lists), and
`limit` is what the engine alone would reach. --peer is a command that scores {source} and {target}, files of one
segment a line.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory import peak_mb

ROOT = Path(__file__).resolve().parent.parent

BATCH = 32


def read(corpus: Path, n_segments: int) -> dict[str, list[str]]:
    from kiwi.data.files.lines import read_lines

    return {
        side: read_lines(corpus / f"dev.{name}")[:n_segments] for side, name in (("source", "src"), ("target", "mt"))
    }


def child_bare(model: Path, corpus: Path, n_segments: int) -> dict[str, Any]:
    """The encoder's forward pass, and nothing else."""
    import torch

    torch.set_num_threads(1)
    from kiwi.data.sampling import longest_first
    from kiwi.systems.qe_system import QESystem

    system = QESystem.load(model).eval()
    columns = read(corpus, n_segments)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    inputs = []
    for batch in longest_first(system.lengths(columns), BATCH):
        arrays = system.collate([rows[index] for index in batch])
        assert arrays.pieces is not None
        assert arrays.piece_mask is not None
        inputs.append((torch.from_numpy(arrays.pieces), torch.from_numpy(arrays.piece_mask).long()))
    body: Any = system.encoder.get_submodule("body")
    with torch.inference_mode():
        body(input_ids=inputs[-1][0], attention_mask=inputs[-1][1])
        start = time.perf_counter()
        for ids, mask in inputs:
            body(input_ids=ids, attention_mask=mask)
        seconds = time.perf_counter() - start
    return {"segments_per_second": n_segments / seconds, "peak_mb": peak_mb()}


def child_kiwi(model: Path, corpus: Path, n_segments: int) -> dict[str, Any]:
    """Everything between texts and predictions, for a checkpoint or an exported system."""
    import kiwi

    runner = kiwi.load_system(model, threads=1)
    columns = read(corpus, n_segments)
    compute, in_engine = type(runner.engine).__call__, [0.0]

    def timed(self: Any, batch: Any) -> Any:
        start = time.perf_counter()
        values = compute(self, batch)
        in_engine[0] += time.perf_counter() - start
        return values

    runner.predict(columns["source"][-4:], columns["target"][-4:])
    pieces = runner.engine.collate.pieces
    assert pieces is not None
    pieces.words.forget()  # words are new in the first pass over a text
    type(runner.engine).__call__ = timed  # type: ignore[method-assign]
    start = time.perf_counter()
    from kiwi.runner.options import PredictOptions

    found = runner.predict_columns(columns, PredictOptions(deduplicate=False))
    seconds = time.perf_counter() - start
    return {
        "segments_per_second": n_segments / seconds,
        "limit": n_segments / in_engine[0],
        "around": 1 - in_engine[0] / seconds,
        "peak_mb": peak_mb(),
        **quality(found, corpus, n_segments),
    }


def quality(found: Any, corpus: Path, n_segments: int) -> dict[str, float]:
    """Pearson's r of the scores and MCC of target words and gaps, as far as they are predicted."""
    import numpy as np

    from kiwi.data.files.lines import read_lines

    figures: dict[str, float] = {}
    if found.sentences_hter is not None:
        gold = [float(line) for line in read_lines(corpus / "dev.hter")[:n_segments]]
        figures["PEARSON"] = float(np.corrcoef(gold, found.sentences_hter)[0, 1])
    tags = [line.split() for line in read_lines(corpus / "dev.tags")[:n_segments]]
    for name, labels, first in (
        ("target_MCC", found.target_tags_labels, 1),
        ("gap_MCC", found.gap_tags_labels, 0),
    ):
        if labels is not None:
            gold_bad = np.array([tag == "BAD" for row in tags for tag in row[first::2]])
            bad = np.array([tag == "BAD" for row in labels for tag in row])
            figures[name] = float(np.corrcoef(gold_bad, bad)[0, 1])  # of two classes, Pearson's r is MCC
    return figures


def child_peer(command: str, corpus: Path, n_segments: int) -> dict[str, Any]:
    """Another program, from its start to its end."""
    with tempfile.TemporaryDirectory() as place:
        files = {}
        for side, texts in read(corpus, n_segments).items():
            files[side] = Path(place, side)
            files[side].write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        start = time.perf_counter()
        subprocess.run(shlex.split(command.format(**files)), check=True, stdout=subprocess.DEVNULL)
        return {"segments_per_second": n_segments / (time.perf_counter() - start)}


def in_a_process(kind: str, subject: object, corpus: Path, n_segments: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "child", kind, str(subject), str(corpus), str(n_segments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def speed(options: argparse.Namespace) -> None:
    subjects: dict[str, tuple[str, object]] = {"bare": ("bare", options.model), "torch": ("kiwi", options.model)}
    for name in ("exported", "int8"):
        if getattr(options, name) is not None:
            subjects[name] = ("kiwi", getattr(options, name))
    if options.peer:
        subjects["peer"] = ("peer", options.peer)
    turns: list[dict[str, dict[str, Any]]] = []
    for number in range(options.repeats):
        turns.append(
            {name: in_a_process(*subject, options.corpus, options.segments) for name, subject in subjects.items()}
        )
        shown = ", ".join(f"{name} {found['segments_per_second']:.1f}" for name, found in turns[-1].items())
        print(f"turn {number + 1}: {shown} segments/s", flush=True)
    for name in subjects:
        found = {key: statistics.median(turn[name][key] for turn in turns) for key in turns[0][name]}
        ratio = statistics.median(
            turn[name]["segments_per_second"] / turn["bare"]["segments_per_second"] for turn in turns
        )
        figures = ", ".join(f"{key} {value:.4g}" for key, value in found.items() if key != "segments_per_second")
        print(f"{name}: {found['segments_per_second']:.1f} segments/s, {ratio:.3f} of bare; {figures}")
        if "PEARSON" in found and name != "torch":
            changes = {
                key: found[key] - turns[0]["torch"][key] for key in found if key in ("PEARSON", "target_MCC", "gap_MCC")
            }
            print("   against torch: " + ", ".join(f"{key} {value:+.4f}" for key, value in changes.items()))


def configuration(model: Path, place: Path, n_segments: int, texts: dict[str, list[str]]) -> list[str]:
    """Arguments of ``kiwi predict`` for so many segments, the given ones again and again."""
    arguments = [f"system.load={model}", f"run.output_dir={place / 'out'}"]
    for side, lines in texts.items():
        repeated = (lines[index % len(lines)] for index in range(n_segments))
        (place / side).write_text("".join(f"{line}\n" for line in repeated), encoding="utf-8")
        arguments.append(f"data.test.input.{side}={place / side}")
    return [sys.executable, "-m", "kiwi", "predict", str(ROOT / "config" / "predict.yaml"), *arguments, "threads=1"]


PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)
"""


def memory(options: argparse.Namespace) -> None:
    """Peak memory of ``kiwi predict`` on files of different size, of few short segments, each computed once a chunk."""
    texts = {side: [" ".join(line.split()[:4]) for line in lines] for side, lines in read(options.corpus, 50).items()}
    for name in ("model", "exported", "int8"):
        for n_segments in (10_000, 200_000) if getattr(options, name) is not None else ():
            with tempfile.TemporaryDirectory() as place:
                command = configuration(getattr(options, name), Path(place), n_segments, texts)
                done = subprocess.run(
                    [sys.executable, "-c", PEAK, *command],
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                    check=True,
                    capture_output=True,
                    text=True,
                )
                print(f"{name}, {n_segments} segments: {float(done.stdout.splitlines()[-1]):.0f} MB", flush=True)


BY_HAND = """
import sys
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoConfig
import transformers
config = AutoConfig.from_pretrained(sys.argv[1])
model = AutoModel.from_config(config)
load_file(sys.argv[2])
"""


def start(options: argparse.Namespace) -> None:
    """Seconds from the shell to the end and peak memory, for few segments; what is not measured is warm."""
    texts = read(options.corpus, 10)
    with tempfile.TemporaryDirectory() as place:
        encoder = Path(place, "encoder")
        encoder.mkdir()
        (encoder / "config.json").write_bytes((options.model / "encoder.json").read_bytes())
        commands = {
            "by hand": [sys.executable, "-c", BY_HAND, str(encoder), str(options.model / "model.safetensors")],
            "kiwi predict, 10 segments": configuration(options.model, Path(place), 10, texts),
        }
        for name in ("exported", "int8"):
            if (exported := getattr(options, name)) is not None:
                files = [f"--{side}={Path(place) / f'one.{side}'}" for side in texts]
                for side, lines in texts.items():
                    Path(place, f"one.{side}").write_text(lines[0] + "\n", encoding="utf-8")
                command = [str(Path(sys.executable).with_name("kiwi")), "score", "-m", str(exported), *files]
                commands[f"kiwi score, {name}, 1 segment"] = command
        # Modules of kiwi that are compiled once, as they are in an installed package.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"OMP_NUM_THREADS": "1"}
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        busy: dict[str, list[float]] = {name: [] for name in commands}
        peak: dict[str, float] = {}
        for _ in range(options.repeats + 1):
            for name, command in commands.items():
                begun = time.perf_counter()
                process = subprocess.Popen(
                    command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                if process.returncode:
                    raise subprocess.CalledProcessError(process.returncode, command)
                seconds[name].append(time.perf_counter() - begun)
                busy[name].append(usage.ru_utime + usage.ru_stime)
                peak[name] = max(peak.get(name, 0.0), usage.ru_maxrss / 1024)
    for name, each in seconds.items():
        print(
            f"{name}: {statistics.median(each[1:]):.2f} s (first {each[0]:.2f}), of the processor "
            f"{min(busy[name]):.2f} s; peak {peak[name]:.0f} MB"
        )


def main() -> None:
    if sys.argv[1:2] == ["child"]:
        kind, subject, corpus, n_segments = sys.argv[2:]
        children: dict[str, Any] = {"bare": child_bare, "kiwi": child_kiwi, "peer": child_peer}
        print(json.dumps(children[kind](subject if kind == "peer" else Path(subject), Path(corpus), int(n_segments))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="checkpoint")
    parser.add_argument("--corpus", type=Path, required=True, help="directory of a language pair of MLQE-PE")
    parser.add_argument("--exported", type=Path, help="the same system, exported")
    parser.add_argument("--int8", type=Path, help="the same system, exported in 8 bits")
    parser.add_argument("--peer", help="command with {source} and {target}")
    parser.add_argument("--segments", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="peak memory of 10,000 and 200,000 segments")
    parser.add_argument("--start", action="store_true", help="seconds to start")
    options = parser.parse_args()
    (memory if options.memory else start if options.start else speed)(options)


if __name__ == "__main__":
    main()
