"""The files of a local folder of a pretrained model, before any library reads them."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.utils.dotted import flatten
from kiwi.utils.tensor_header import LFS_POINTER, read_tensor_header

MODEL_OPTION = "system.model.encoder.model_name"

VOCABULARY_FILE = re.compile(
    r"tokenizer\.json|.*vocab.*|merges.*|.*bpe.*|.*\.(model|spm|tiktoken|codes)", re.IGNORECASE
)
"""The names of files that tokenizers are read from."""

LARGEST_JSON = 512 * 2**20
"""The maximum size in bytes of a configuration, vocabulary or tokenizer."""


def check_folder(folder: Path) -> None:
    """Check that the files of a folder are regular, of a reasonable size, and have whole weights.

    Raises:
        ConfigError: when a file is a pipe or a device, is too large, is a pointer of Git LFS, or has damaged weights.
    """
    names = {file.name for file in folder.iterdir()}
    for file in sorted(folder.iterdir()):
        try:
            status = file.stat()
        except OSError as error:
            if file.name == "config.json" or file.suffix == ".safetensors":
                raise ConfigError(
                    f"{MODEL_OPTION}: {file}: cannot be read ({error.strerror}). If it is a link, copy the file "
                    "that it names; cp -rL copies such files."
                ) from error
            continue
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise ConfigError(
                f"{MODEL_OPTION}: {file}: found a pipe or a device; expected a regular file. Remove it from the folder."
            )
        if file.suffix in (".json", ".txt", ".model") and status.st_size > LARGEST_JSON:
            raise ConfigError(
                f"{MODEL_OPTION}: {file}: found {status.st_size} bytes; expected at most {LARGEST_JSON}. Copy "
                "the model again."
            )
        if _is_read(file, names) and _starts_with(file, LFS_POINTER):
            raise ConfigError(
                f"{MODEL_OPTION}: {file}: found a pointer of Git LFS ('version https://git-lfs...'); expected the file "
                "that it stands for. Run git lfs pull in the clone of the model, or download the file."
            )
        if file.suffix == ".safetensors":
            try:
                read_tensor_header(file)
            except CheckpointError as error:
                raise ConfigError(f"{MODEL_OPTION}: '{folder}' cannot be built: {error}") from error


def _is_read(file: Path, names: Collection[str]) -> bool:
    """Return whether Transformers needs a file of a folder with these names, which has others for other libraries."""
    if file.name in ("config.json", "tokenizer.json") or file.suffix == ".safetensors":
        return True
    if file.suffix == ".bin":
        return not any(name.endswith(".safetensors") for name in names)
    return "tokenizer.json" not in names and VOCABULARY_FILE.fullmatch(file.name) is not None


def _starts_with(file: Path, start: bytes) -> bool:
    try:
        with file.open("rb") as content:
            return content.read(len(start)) == start
    except OSError:
        return False


def check_sizes(config: Any, name: str, build: Callable[[], Any]) -> None:
    """Check that the configuration of a folder does not describe a much larger model than its weights.

    A damaged size would fill the memory, and a damaged number of layers would take hours.

    Args:
        config: the content of the configuration.
        name: the folder.
        build: the function that builds the model, which is called only if it has a reasonable number of layers.

    Raises:
        ConfigError: when it does.
    """
    import torch

    headers = [read_tensor_header(file) for file in Path(name).glob("*.safetensors")]
    tensors = [tensor for header in headers for tensor in header.values()]
    if not tensors:
        return  # Transformers reports what is missing
    for option, value in flatten(config).items():
        if isinstance(value, int | float) and "layers" in option and value > max(len(tensors), 100):
            raise ConfigError(
                f"{MODEL_OPTION}: '{name}' cannot be built: found {option}: {value} for {len(tensors)} tensors of "
                "weights. Copy its config.json again."
            )
    with torch.device("meta"):
        needed = sum(weight.numel() for weight in build().parameters())
    if needed > 4 * sum(tensor.size for tensor in tensors) + 10**7:  # a decoder may be missing
        raise ConfigError(
            f"{MODEL_OPTION}: '{name}' cannot be built: its config.json describes {needed} weights, and its files have "
            f"{sum(tensor.size for tensor in tensors)}. Copy its config.json again."
        )


def check_full_precision(config: Mapping[str, Any], name: str) -> None:
    """Check that the weights of a model are not quantized.

    Args:
        config: the configuration of the model.
        name: the name of the model, for the error.

    Raises:
        ConfigError: when they are.
    """
    quantization = config.get("quantization_config")
    if not quantization:
        return
    method = quantization.get("quant_method") if isinstance(quantization, Mapping) else None
    raise ConfigError(
        f"{MODEL_OPTION}: '{name}' is quantized (quantization_config{f', {method}' if method else ''}), and quantized "
        "weights cannot be trained. Name the model in full precision, or dequantize it and save it again."
    )
