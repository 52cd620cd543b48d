"""Folders of the Hugging Face hub: trained systems there, and where the models that systems are made from come from."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.manifest.checkpoint import LICENCES, Origin
from kiwi.utils.io import parse_yaml
from kiwi.utils.sealed import MEBIBYTE, SUMS_FILE

logger = logging.getLogger(__name__)

CARD_FILE = "README.md"

NOTICES = ("LICENSE*", "LICENCE*", "NOTICE*", "COPYING*")
"""Names of files that have licences and notices, in any case."""

CHECKPOINT_FILES = [
    CARD_FILE,
    SUMS_FILE,
    "*.json",
    "*.safetensors",
    "*.yaml",
    "*.onnx",
    "*.onnx.data",
    f"{LICENCES}/*",
    "tokenizer/*",
]

HUB_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?")
"""``organization/name``, perhaps with ``@`` and a branch, tag or commit."""


def locate(name_or_path: str | Path, revision: str | None = None) -> Path:
    """The directory of a trained system.

    What is there on this machine never asks the network. Else a name of the form ``organization/name`` is looked up on
    the hub, by way of the cache of its own library.

    Args:
        name_or_path: a local directory, or a name on the hub.
        revision: branch, tag or commit there; ``organization/name@revision`` says the same.

    Returns:
        The directory; a path that is not there and no name on the hub comes back as it is.

    Raises:
        CheckpointError: when the hub does not have it, or cannot be asked, or there is no such revision.
    """
    path = Path(name_or_path)
    found = HUB_NAME.fullmatch(path.as_posix())
    if found is None or _is_here(path):
        if revision is not None:
            raise CheckpointError(
                f"{name_or_path}: found revision '{revision}' of what is no name on the hub; a directory on this "
                "machine has none. Remove the revision."
            )
        return path
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(found["name"], revision=revision or found["revision"], allow_patterns=CHECKPOINT_FILES)
        )
    except Exception as error:  # of several libraries, for all that can be wrong with a network
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{name_or_path}: no trained system to be had. Tried a local directory of this name (none), then the model "
            f"hub: {reason.rstrip('.')}. Without a network, copy the system's directory to this machine and give its "
            f"path, or fetch it once where there is one (hf download {found['name']}) and set HF_HUB_OFFLINE=1 to use "
            "the cache."
        ) from error


def _is_here(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # what is wrong with it is said by what reads it


def origin_and_licences(model_name: str, *, local: bool) -> tuple[Origin, dict[str, str]]:
    """Where a pretrained model comes from, and the text of the licence notices that come with it.

    Args:
        model_name: name on the hub, or a folder.
        local: whether it is a folder.

    Returns:
        The name that the card of a folder gives as ``base_model``, else the folder's own; and text by file name.
    """
    folder = Path(model_name) if local else _fetch_notices(model_name)
    own_name = folder.resolve().name if local and folder is not None else model_name
    if folder is None:
        return Origin(own_name), {}
    card = read_card_data(folder / CARD_FILE)
    base = card.get("base_model") if local else None
    base = base[0] if isinstance(base, list) and base else base
    licence = card.get("license")
    origin = Origin(base if isinstance(base, str) else own_name, licence if isinstance(licence, str) else None)
    patterns = [re.compile(pattern.replace("*", r"[\w .+-]*"), re.IGNORECASE) for pattern in NOTICES]
    files = [file for file in folder.iterdir() if any(pattern.fullmatch(file.name) for pattern in patterns)]
    texts: dict[str, str] = {}
    for file in sorted(files):
        if file.is_file() and file.stat().st_size <= MEBIBYTE:
            texts[file.name] = file.read_text(encoding="utf-8", errors="replace")
        else:
            logger.warning("%s does not go along with what is trained: it is no file of at most 1 MiB.", file)
    return origin, texts


def read_card_data(file: Path) -> Mapping[str, Any]:
    """The fields at the beginning of a model card; none where there is no card, or it has none."""
    if not file.is_file() or file.stat().st_size > MEBIBYTE:
        return {}
    found = re.match(r"---\r?\n(.*?)\n---", file.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    try:
        content = parse_yaml(found[1], file, plain=True) if found else {}
    except ConfigError as error:
        logger.info("The card of the pretrained model says nothing: %s", error)
        return {}
    return content if isinstance(content, dict) else {}


def _fetch_notices(model_name: str) -> Path | None:
    """Where the hub's library keeps a model's card and licence notices; None when they are not to be had."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model_name, allow_patterns=[CARD_FILE, *NOTICES]))
    except Exception as error:  # the model itself is there already, perhaps from a cache
        logger.info("No licence notices of %s: %s", model_name, str(error).strip().partition("\n")[0])
        return None
