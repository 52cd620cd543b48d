"""How long a single very long segment takes, which must grow with its number of words and no faster.

    python benchmarks/long_segments.py [--model CHECKPOINT] [--layers 2] [--hidden 64] [--positions 512]

Without a model, a system with random weights on a random encoder is built. Each length is measured in a process of its
own with one thread; a line has the seconds, those of collating, and the peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory import peak_mb


def write_system(place: Path, layers: int, hidden: int, positions: int) -> Path:
    """Write a checkpoint with random weights on a random BERT, and return its directory."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from kiwi.systems.qe_system import QESystem

    letters = [chr(97 + index) for index in range(26)]
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = Tokenizer(models.WordPiece({entry: i for i, entry in enumerate(entries)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = transformers.BertConfig(
        vocab_size=len(entries),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 32),
        intermediate_size=4 * hidden,
        max_position_embeddings=positions,
    )
    encoder = place / "encoder"
    transformers.BertModel(config).save_pretrained(encoder)
    fast: Any = transformers.PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer).save_pretrained(encoder)
    options = {
        "class_name": "Bert",
        "model": {
            "encoder": {"model_name": str(encoder)},
            "outputs": {
                "word_level": {"target": True, "gaps": True, "source": True},
                "sentence_level": {"hter": True},
            },
        },
    }
    columns = {
        "source": ["a b"],
        "target": ["a b"],
        "target_tags": ["OK BAD"],
        "gap_tags": ["OK OK OK"],
        "source_tags": ["OK BAD"],
        "sentence_scores": ["0.5"],
    }
    QESystem.build(QESystem.resolve(QESystem.Config(**options)), columns).save(place / "system")
    return place / "system"


def child(model: Path, n_words: int) -> dict[str, Any]:
    """Score one segment of so many words on both sides."""
    import kiwi

    runner = kiwi.load_system(model, threads=1)
    draw = random.Random(1)
    text = " ".join("".join(draw.choices("abcdefgh", k=draw.randint(1, 4))) for _ in range(n_words))
    row = {"source": text, "target": text} | {"alignments": " ".join(f"{i}-{i}" for i in range(n_words))}
    row = {field: row[field] for field in runner.about.input_fields}
    start = time.perf_counter()
    runner.engine.collate([row])
    collating = time.perf_counter() - start
    start = time.perf_counter()
    runner.predict(**{field: [text] for field, text in row.items()})  # type: ignore[arg-type]
    return {"seconds": time.perf_counter() - start, "collating": collating, "peak_mb": peak_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--words", type=int, nargs="+", default=[2500, 5000, 10000, 20000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        model = options.model or write_system(Path(place), options.layers, options.hidden, options.positions)
        for n_words in options.words:
            done = subprocess.run(
                [sys.executable, __file__, "child", str(model), str(n_words)],
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{n_words} words: {found['seconds']:.1f} s ({1000 * found['seconds'] / n_words:.2f} ms a word), "
                f"collating {found['collating']:.2f} s, peak {found['peak_mb']:.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        print(json.dumps(child(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
