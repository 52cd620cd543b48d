"""Fine-tune a pretrained encoder for sentence scores and tags, with options in Python.

    python examples/fine_tune_encoder.py [DIRECTORY]

So that this runs in seconds and without a network, the encoder is a tiny BERT with random weights, which the script
writes itself. For a real one, set ENCODER below to a folder, such as one that `kiwi encoder multilingual-e5-small
FOLDER` wrote, or to a name on the model hub, such as "FacebookAI/xlm-roberta-base"; the rest stays as it is, but for
more epochs and smaller learning rates (config/transformer-tags.yaml has good ones).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from transformers.utils import logging

import kiwi
from kiwi.lib.train import train_from_configuration

ENCODER: str | None = None  # a folder, or a name on the model hub; None makes a tiny one

SAMPLE = Path(kiwi.__file__).parent / "assets" / "sample"


def write_tiny_encoder(folder: Path) -> Path:
    """Write a BERT of two layers with random weights, and a tokenizer for the sample, as `save_pretrained` does."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    text = [str(SAMPLE / "train.src"), str(SAMPLE / "train.mt")]
    tokenizer.train(text, trainers.WordPieceTrainer(vocab_size=800, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
    )
    logging.disable_progress_bar()
    BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    return folder


def options(encoder: str | Path, directory: Path) -> dict[str, Any]:
    """Return the configuration that a YAML file for `kiwi train` would have."""

    def part(name: str) -> dict[str, Any]:
        return {
            "input": {"source": SAMPLE / f"{name}.src", "target": SAMPLE / f"{name}.mt"},
            "output": {"target_tags": SAMPLE / f"{name}.tags", "sentence_scores": SAMPLE / f"{name}.hter"},
        }

    return {
        "run": {"output_dir": directory},
        "trainer": {"epochs": 6, "main_metric": ["target_tags_MCC", "PEARSON"], "gradient_max_norm": 1.0},
        "data": {"source_language": "en", "target_language": "de", "train": part("train"), "valid": part("valid")},
        "system": {
            "class_name": "Transformer",
            "batch_size": {"train": 16, "valid": 32},
            "num_data_workers": 0,
            "optimizer": {
                "class_name": "adamw",
                "learning_rate": 0.003,  # decoder and outputs start from random weights and learn fast
                "encoder_learning_rate": 0.002,  # a real encoder knows much already: 0.00001 to 0.0002
                "warmup_steps": 0.1,
            },
            "model": {
                "encoder": {"model_name": str(encoder), "pooling": "mean", "use_mlp": False},
                "decoder": {"hidden_size": 64, "bottleneck_size": 32},
                "outputs": {
                    "word_level": {"target": True, "class_weights": {"target_tags": {"BAD": 4.0}}},
                    "sentence_level": {"hter": True},
                },
            },
        },
        "quiet": True,
    }


def main(directory: Path) -> None:
    """Train, and show the metrics of the best model; its checkpoint no longer needs the folder of the encoder."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = ENCODER or write_tiny_encoder(Path(folder, "tiny-bert"))
        info = train_from_configuration(options(encoder, directory))
    for name in ("val_target_tags_MCC", "val_PEARSON"):
        print(f"{name} {info.best_metrics[name]:.3f}")
    runner = kiwi.load_system(directory / "best_model")
    predictions = runner.predict(source=["Close the bank ."], target=["Schließen Sie die Bank ."])
    assert predictions.sentences_hter is not None
    print(f"predicted HTER {predictions.sentences_hter[0]:.3f}")
    print(f"wrote {directory / 'best_model'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/example-fine_tune_encoder"))
