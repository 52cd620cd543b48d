"""Tiny random models of Hugging Face, one of each family, written to a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

TEXT = [
    "Close the bank .",
    "Schließen Sie die Bank .",
    "The house is small and old .",
    "Das Haus ist klein und alt .",
    "Open 12 windows , please !",
]

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "initializer_range": 0.3,
}

FAMILIES = ["bert", "xlm-roberta", "xlm", "modernbert", "deberta-v2", "rembert"]


# Pieces are listed here, because the trainers of tokenizers break ties at random: systems that are trained on other
# pieces find other errors.
LETTERS = sorted({letter for line in TEXT for letter in line} - {" "})


def _wordpiece() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = "12 Bank Cl Da Ha Op Sc Sie The al and bank die is kle ol sm the und ##al ##an ##ase ##en ##lie ##nd ##ose"
    vocabulary = [*special, *LETTERS, *(f"##{letter}" for letter in LETTERS), *pieces.split()]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _unigram() -> Tokenizer:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = ["al", "an", "as", "ie", "in", "le", "nd", "us", "▁S", "▁is"]
    scores = {"▁": -1.5, **dict.fromkeys(pieces, -4.0), **dict.fromkeys(LETTERS, -4.5)}
    tokenizer = Tokenizer(models.Unigram([*((piece, 0.0) for piece in special), *scores.items()], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer


def _byte_level() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pairs = "Ġ .|a n|i e|s e|e n|h e|i s|l e|Ġ is|an k|1 2|B ank|C l|D a|H a|O p|S c|S ie|T he|b ank|d ie|k le"
    merges = [(first, second) for first, second in (pair.split(" ") for pair in pairs.split("|"))]
    vocabulary = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(first + second for first, second in merges)]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _write_xlm_vocabulary(folder: Path) -> int:
    letters = sorted({letter for line in TEXT for letter in line.lower() if letter != " "} - {"ß"})
    pieces = ["<s>", "</s>", "<pad>", "<unk>", "<special0>", "<special1>", *letters, *(f"{c}</w>" for c in letters)]
    pieces += ["th", "the</w>"]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}), encoding="utf-8")
    (folder / "merges.txt").write_text("t h 10\nth e</w> 5\n", encoding="utf-8")
    return len(pieces)


def write_model(family: str, folder: Path, *, head: bool = False, **changes: Any) -> Path:
    """A model with random weights and its tokenizer, as ``save_pretrained`` leaves them.

    Args:
        family: its ``model_type``.
        folder: to write.
        head: whether it has a language-modelling head.
        changes: of its configuration.
    """
    folder.mkdir(parents=True)
    torch.manual_seed(1)
    if family == "xlm":
        config = transformers.XLMConfig(
            vocab_size=_write_xlm_vocabulary(folder),
            emb_dim=16,
            n_heads=2,
            max_position_embeddings=64,
            n_langs=2,
            init_std=0.3,
            embed_init_std=0.3,
            lang2id={"en": 0, "de": 1},
            id2lang={0: "en", 1: "de"},
            **{"n_layers": 3, **changes},
        )
        (transformers.XLMWithLMHeadModel if head else transformers.XLMModel)(config).save_pretrained(folder)
        return folder
    tokenizer = {"bert": _wordpiece, "modernbert": _byte_level}.get(family, _unigram)()
    ids: dict[str, Any] = {}
    for name, tokens in {"pad": ("<pad>", "[PAD]"), "bos": ("<s>", "[CLS]"), "eos": ("</s>", "[SEP]")}.items():
        ids[f"{name}_token_id"] = next(i for t in tokens if (i := tokenizer.token_to_id(t)) is not None)
    options: dict[str, Any] = {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 64, **SIZES, **ids}
    if family == "modernbert":
        options |= {"cls_token_id": 2, "sep_token_id": 3}
    if family == "rembert":
        options |= {"input_embedding_size": 8}
    config = transformers.AutoConfig.for_model(family, **(options | changes))
    (transformers.AutoModelForMaskedLM if head else transformers.AutoModel).from_config(config).save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.save_pretrained(folder)
    return folder


def write_any_model(family: str, folder: Path, *, model_class: Any = transformers.AutoModel, **changes: Any) -> Path:
    """A model of any family of Transformers, with pieces of subwords; sizes that its configuration has are tiny.

    Args:
        family: its ``model_type``.
        folder: to write.
        model_class: the class that is saved.
        changes: of its configuration.
    """
    torch.manual_seed(1)
    tokenizer = _unigram()
    default = transformers.AutoConfig.for_model(family)
    known = {*default.to_dict(), *default.attribute_map}
    options = {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 64, **SIZES}
    options |= {"num_key_value_heads": 2, "init_std": 0.3, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    options = {name: value for name, value in options.items() if name in known}
    if "layer_types" in known and default.layer_types:
        options["layer_types"] = default.layer_types[: SIZES["num_hidden_layers"]]
    config = transformers.AutoConfig.for_model(family, **(options | changes))
    (model_class.from_config if hasattr(model_class, "from_config") else model_class)(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


def change_config(folder: Path, changes: dict[str, Any]) -> None:
    """Change values in the configuration of a model; None is null."""
    file = folder / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | changes), encoding="utf-8")
