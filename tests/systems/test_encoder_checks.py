"""What a model must do to serve as an encoder is probed, whatever its class is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.pretrained.word_vectors import word_vectors
from kiwi.systems.qe_system import QESystem
from tests.pretrained import change_config, write_any_model, write_model

SOURCE = ["The house is small and old .", "Close the bank ."]
TARGET = ["Das Haus ist klein .", "Bitte"]


def build(folder: Path, **encoder: Any) -> QESystem:
    torch.manual_seed(3)
    outputs = {"word_level": {"target": True, "source": True}, "sentence_level": {"hter": True}}
    model = {"encoder": {"model_name": str(folder), "hidden_size": 12, **encoder}, "outputs": outputs}
    config = QESystem.Config.from_dict({"class_name": "Transformer", "model": model})
    return QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]}).eval()


def check_independent(system: QESystem) -> None:
    """The result of a segment is the same alone and beside a longer one, and depends on its source."""
    runner = runner_of(system)
    together = runner.predict(SOURCE, TARGET, batch_size=2)
    for index in (0, 1):
        alone = runner.predict(SOURCE[index : index + 1], TARGET[index : index + 1])
        expected = (together.target_tags_BAD_probabilities or [])[index]
        assert (alone.target_tags_BAD_probabilities or [])[0] == pytest.approx(expected, abs=1e-5)
    swapped = runner.predict(SOURCE[1:], TARGET[:1])
    first = (together.target_tags_BAD_probabilities or [])[0]
    assert (swapped.target_tags_BAD_probabilities or [])[0] != pytest.approx(first, abs=1e-6)


READ = {
    "albert": {"embedding_size": 16},
    "xlnet": {"d_inner": 24, "d_head": 8},
    "t5": {"d_kv": 8, "d_ff": 24},
    "mt5": {"d_kv": 8, "d_ff": 24},
    "big_bird": {"attention_type": "block_sparse", "block_size": 4},
    "longformer": {"attention_window": 4},
    "gemma3_text": {"use_bidirectional_attention": True, "head_dim": 8},
}


@pytest.mark.parametrize("family", READ)
def test_families_that_are_read(family: str, tmp_path: Path) -> None:
    """Layers that share weights, relative positions, encoders of encoder-decoders, small windows, and open masks."""
    system = build(write_any_model(family, tmp_path / family, **READ[family]))
    check_independent(system)
    system.save(tmp_path / "saved")
    loaded = QESystem.load(tmp_path / "saved").eval()
    # Mapped weights may be aligned in another way than those in memory, which can change the last bit of a product.
    with torch.no_grad():
        for weight in (*loaded.parameters(), *loaded.buffers()):
            weight.data = weight.data.clone()
    found, expected = (runner_of(each).predict(SOURCE, TARGET).sentences_hter for each in (loaded, system))
    assert found == expected


def test_the_encoder_of_t5_alone_is_read_too(tmp_path: Path) -> None:
    folder = write_any_model("t5", tmp_path / "t5", model_class=transformers.T5EncoderModel, **READ["t5"])
    system = build(folder)
    assert not any("decoder" in name for name in system.state_dict() if name.startswith("encoder."))
    assert system.collate.pieces is not None
    assert system.collate.pieces.room + system.collate.pieces.template.length == 512


REFUSED = {
    "gpt2": ({}, "reads from left to right"),
    "qwen2": ({"vocab_size": 90}, "reads from left to right"),
    "gemma3_text": ({"head_dim": 8}, "reads from left to right"),
    "fnet": ({}, "sees padding"),
    "nystromformer": ({}, "sees padding"),
    "hubert": ({"conv_dim": [8], "conv_stride": [2], "conv_kernel": [3]}, "has no embeddings of pieces of text"),
    "bros": ({}, "cannot be used as an encoder of text: You have to specify bbox"),
}


@pytest.mark.parametrize("family", REFUSED)
def test_families_that_are_refused(family: str, tmp_path: Path) -> None:
    changes, reason = REFUSED[family]
    with pytest.raises(ConfigError, match=rf"system\.model\.encoder\.model_name: '.*{family}' {reason}"):
        build(write_any_model(family, tmp_path / family, **changes))


def test_word_vectors_of_a_model_that_sees_padding(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sees padding"):
        word_vectors(str(write_any_model("fnet", tmp_path / "fnet")), ["house"])


def test_a_trained_system_whose_encoder_sees_padding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints of earlier versions, which did not look."""
    folder = write_any_model("fnet", tmp_path / "fnet")
    with monkeypatch.context() as patch:
        patch.setattr("kiwi.systems.encoders.transformer.check_encoder", lambda _: None)
        build(folder).save(tmp_path / "saved")
    with pytest.raises(CheckpointError, match=r"saved: .* sees padding"):
        QESystem.load(tmp_path / "saved")


def test_pieces_without_embeddings(tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "bert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["Bankhaus"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(ConfigError, match=r"has (\d+) embeddings, but its tokenizer has a piece .* \1 \('Bankhaus'\)"):
        build(folder)


def test_positions_of_a_table_of_another_class(tmp_path: Path) -> None:
    """The positions of I-BERT begin behind the padding index, 1, as those of RoBERTa do."""
    system = build(write_any_model("ibert", tmp_path / "ibert", max_position_embeddings=64))
    assert system.collate.pieces is not None
    assert system.collate.pieces.room + system.collate.pieces.template.length == 62
    check_independent(system)


@pytest.mark.parametrize(("family", "kind"), [("squeezebert", "Conv1d"), ("ibert", "QuantLinear")])
def test_adapters_need_linear_layers(family: str, kind: str, tmp_path: Path) -> None:
    folder = write_any_model(family, tmp_path / family, embedding_size=16)
    with pytest.raises(ConfigError, match=rf"lora: the layers of this model have no linear layers .* only .*{kind}"):
        build(folder, lora={"rank": 2})


@pytest.mark.parametrize("family", ["esm", "mobilebert"])
def test_heads_of_another_form(family: str, tmp_path: Path) -> None:
    changes = {"embedding_size": 8, "intra_bottleneck_size": 16} if family == "mobilebert" else {}
    folder = write_any_model(family, tmp_path / family, model_class=transformers.AutoModelForMaskedLM, **changes)
    build(folder)
    with pytest.raises(ConfigError, match=f"head of this {family} is of an unsupported form"):
        build(folder, use_mismatch_features=True)


def test_layers_that_share_weights_are_frozen_together(tmp_path: Path) -> None:
    folder = write_any_model("albert", tmp_path / "albert", embedding_size=16)
    with pytest.raises(ConfigError, match=r"freeze_layers: found 1, but the layers of .* share their weights\. Set 0"):
        build(folder, freeze_layers=1)
    weights = build(folder, freeze_layers=3).encoder.body.parameters()
    assert not any(weight.requires_grad for weight in weights)


@pytest.mark.parametrize(("family", "skips"), [("t5", False), ("xlnet", False), ("electra", True)])
def test_states_are_kept_only_where_layers_can_be_skipped(family: str, skips: bool, tmp_path: Path) -> None:
    """The layers of T5 take the bias of positions from the first one, those of XLNet states in another order."""
    system = build(write_any_model(family, tmp_path / family, **READ.get(family, {})), freeze_layers=1)
    assert system.encoder.keeps_states == skips


def test_a_probe_leaves_modes_and_random_numbers_as_they_are(tmp_path: Path) -> None:
    system = build(write_model("bert", tmp_path / "bert"), freeze_layers=1)
    system.train()
    before, modes = torch.get_rng_state(), [module.training for module in system.modules()]
    system.encoder.check(training=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in system.modules()] == modes


ODD = {
    "a list": ("[]", ""),
    "a string": ('"bert"', ""),
    "cut": ('{"model_type": "bert", "hidden', ""),
    "empty": ("", ""),
    "no type": ("{}", ""),
    "unknown": ('{"model_type": "no such model"}', "no such model"),
    "not UTF-8": (b"\xff\xfe{}", ""),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_configurations(name: str, tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "bert")
    content, reason = ODD[name]
    (folder / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=rf"model_name: '.*bert' cannot be loaded.*{reason}"):
        build(folder)


CHANGES: list[dict[str, Any]] = [
    {"hidden_size": "16"},
    {"hidden_size": 10**9},
    {"hidden_size": -16},
    {"num_hidden_layers": 10**7},
    {"num_hidden_layers": None},
    {"num_attention_heads": 0},
    {"num_attention_heads": 3},
    {"max_position_embeddings": 10**12},
    {"max_position_embeddings": [64]},
    {"vocab_size": 10**11},
    {"vocab_size": 3},
    {"type_vocab_size": "two"},
    {"hidden_act": "no such function"},
    {"layer_norm_eps": float("nan")},
    {"layer_norm_eps": "small"},
    {"hidden_dropout_prob": 7},
    {"is_decoder": True},
    {"pad_token_id": -7000},
    {"chunk_size_feed_forward": "x"},
    {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
    {"quantization_config": "gptq"},
    {"dtype": "no such type"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_odd_values_in_a_configuration(changes: dict[str, Any], tmp_path: Path) -> None:
    folder = write_model("bert", tmp_path / "bert")
    change_config(folder, changes)
    with pytest.raises(ConfigError, match="bert"):
        build(folder)


@pytest.mark.parametrize("content", ["[]", "{", '{"model_max_length": "x", "added_tokens_decoder": [1]}', "3"])
def test_an_odd_configuration_of_a_tokenizer(content: str, tmp_path: Path) -> None:
    """Refused, or of no effect; never another error."""
    folder = write_model("bert", tmp_path / "bert")
    (folder / "tokenizer_config.json").write_text(content, encoding="utf-8")
    with contextlib.suppress(ConfigError):
        build(folder)


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:

    folder = write_model("bert", tmp_path / "bert")
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")
    with pytest.raises(ConfigError, match=r"tokenizer\.json: found a pipe or a device"):
        Pretrained.from_model(str(folder))
