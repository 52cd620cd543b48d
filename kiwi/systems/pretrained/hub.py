"""The Hugging Face hub: trained systems there, and the origin and licences of pretrained models."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.manifest.checkpoint import CARD_FILE, LICENCES, Origin
from kiwi.systems.manifest.locations import resolve_run_directory
from kiwi.utils.sealed import MEBIBYTE, SUMS_FILE

logger = logging.getLogger(__name__)

NOTICES = ("LICENSE*", "LICENCE*", "NOTICE*", "COPYING*")
"""Case-insensitive patterns of the names of files with licences and notices."""

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

HUB_TIMEOUT = 5.0
"""The time to wait for an answer of the hub, in seconds."""

HUB_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?")
"""``organization/name``, optionally followed by ``@`` and a branch, tag or commit."""


def locate(name_or_path: str | Path, revision: str | None = None) -> Path:
    """Return the local directory of a trained system, downloading it from the hub if necessary.

    A local path is returned without network access, and the path of the best model for the directory of a run; ``~`` is
    expanded. A name of the form ``organization/name`` that is not a local path
    is looked up on the hub, through the cache of the hub's library.

    Args:
        name_or_path: a local directory, or a name on the hub.
        revision: the branch, tag or commit on the hub; ``organization/name@revision`` is equivalent.

    Returns:
        The directory, or the path as it is if it neither exists nor has the form of a name on the hub.

    Raises:
        CheckpointError: when the system or the revision is not on the hub, or the hub cannot be reached.
    """
    path = resolve_run_directory(name_or_path)
    found = HUB_NAME.fullmatch(str(name_or_path))
    if found is None or _exists(path) or _exists(path.parent):
        if revision is not None:
            raise CheckpointError(
                f"{name_or_path}: found revision '{revision}', but this is not a name on the hub; a directory on this "
                "machine has none. Remove the revision."
            )
        return path
    from huggingface_hub import snapshot_download

    revision = revision or found["revision"]
    unanswered = ask_hub(found["name"], revision)
    try:
        return Path(
            snapshot_download(
                found["name"],
                revision=revision,
                allow_patterns=CHECKPOINT_FILES,
                local_files_only=unanswered is not None,
            )
        )
    except Exception as error:  # several libraries raise various network errors
        reason = unanswered or str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{name_or_path}: no trained system found. Tried a local directory of this name (not found), then the "
            f"model hub: {reason.rstrip('.')}. Without network access, copy the system's directory to this machine and "
            f"give its path, or download it beforehand (hf download {found['name']}) and set HF_HUB_OFFLINE=1 to "
            "use the cache."
        ) from error


def is_path(name: str) -> bool:
    """Return whether a name can only be that of a folder on this machine, so that the hub is not asked for it."""
    is_hub_name = re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", name) is not None
    return not is_hub_name or ("/" in name and _exists(Path(name).parent))


def ask_hub(name: str, revision: str | None = None) -> str | None:
    """Return the reason why the hub cannot give a model, or None if it can; asks once, with a short timeout.

    Args:
        name: the name on the hub.
        revision: the branch, tag or commit.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        HfApi().model_info(name, revision=revision, timeout=HUB_TIMEOUT)
    except OfflineModeIsEnabled:
        return "HF_HUB_OFFLINE is set, and the cache does not have it"
    except Exception as error:  # several libraries raise various network errors
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            lines = str(error).strip().splitlines()
            return f"the hub answers {status} ({next((line for line in lines if line), type(error).__name__).strip()})"
        return f"the hub cannot be reached ({type(error).__name__}: {str(error).strip().partition(chr(10))[0]})"
    return None


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()  # a link without its target is explained when it is read
    except OSError:
        return True  # reading it will report the error


def origin_and_licences(model_name: str, *, local: bool) -> tuple[Origin, dict[str, str]]:
    """Return the origin of a pretrained model, and the licence notices that come with it.

    Args:
        model_name: the name on the hub, or a folder.
        local: whether it is a folder.

    Returns:
        The origin, which for a folder is the ``base_model`` of its card or else the name of the folder; and the text
        of each notice by file name.
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
        if (text := _read_inside(file)) is not None:
            texts[file.name] = text
        else:
            logger.warning(
                "%s is not copied into checkpoints, since it is not a file of at most 1 MiB in this folder.", file
            )
    return origin, texts


def read_card_data(file: Path) -> Mapping[str, Any]:
    """Return the fields at the beginning of a model card; empty if there is no card or it has no fields."""
    from kiwi.utils.structured.reading import parse_yaml

    found = re.match(r"---\r?\n(.*?)\n---", _read_inside(file) or "", re.DOTALL)
    try:
        content = parse_yaml(found[1], file, plain=True) if found else {}
    except ConfigError as error:
        logger.info("The card of the pretrained model cannot be parsed and is ignored: %s", error)
        return {}
    return content if isinstance(content, dict) else {}


def _read_inside(file: Path) -> str | None:
    """Return the text of a file that is copied into checkpoints; None if it is not a regular file of at most 1 MiB.

    A link must lead to a file in the same folder, since it could lead to any private file of this machine. Those of the
    hub's cache lead from ``snapshots/COMMIT`` to ``blobs`` of the same model.
    """
    folder = file.parent.resolve()
    allowed = [folder, *([folder.parents[1] / "blobs"] if folder.parent.name == "snapshots" else [])]
    try:
        target = file.resolve(strict=True)
        if not any(target.is_relative_to(place) for place in allowed) or not target.is_file():
            return None
        with target.open("rb") as content:
            text = content.read(MEBIBYTE + 1)
    except (OSError, RuntimeError):  # gone, not readable, or a loop of links
        return None
    return None if len(text) > MEBIBYTE else text.decode("utf-8", errors="replace")


def _fetch_notices(model_name: str) -> Path | None:
    """Download a model's card and licence notices and return their directory; None if they are unavailable."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model_name, allow_patterns=[CARD_FILE, *NOTICES]))
    except Exception as error:  # not fatal, since the model itself has been loaded already, perhaps from a cache
        logger.info("The licence notices of %s are unavailable: %s", model_name, str(error).strip().partition("\n")[0])
        return None
