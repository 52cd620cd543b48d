"""The policy that a checkpoint or an exported system carries: which of its translations may be approved."""

from __future__ import annotations

from pathlib import Path

from kiwi.data.labels.policy import CARRIED, Policy
from kiwi.exceptions import ConfigError
from kiwi.utils.guard import holds_system
from kiwi.utils.sealed import SealedDirectory, carry


def read_carried_policy(path: Path) -> Policy | None:
    """Return the policy that a system carries; None if it carries none.

    Args:
        path: the directory of a checkpoint or of an exported system.

    Raises:
        CheckpointError: when it is damaged.
        DataError: when it is no policy.
    """
    sealed = SealedDirectory.open(path)
    if CARRIED not in (sealed.sums or ()):
        return None
    sealed.check(CARRIED)
    return Policy.read(path / CARRIED)


def check_policy(file: Path, sha256: str) -> Policy:
    """Read a policy that a system is to carry.

    Args:
        file: the policy.
        sha256: the fingerprint of the system.

    Raises:
        ConfigError: when it was made for another system, or feedback has withdrawn it.
        DataError: when it is no policy.
    """
    policy = Policy.read(file)
    policy.check_model(sha256, file)
    policy.check_in_force(file)
    return policy


def check_not_carried(file: Path) -> None:
    """Check that the file of a policy which is to be written is not in the directory of a system.

    Raises:
        ConfigError: when it is, because the checksums of the system would not match any more.
    """
    if holds_system(file.resolve().parent):
        raise ConfigError(
            f"{file}: would be written into the system in {file.parent}, whose checksums would not match any more. "
            "Write another file, and put it into a copy of the system: kiwi publish --policy."
        )


def carry_policy(directory: Path, file: Path) -> None:
    """Write a policy into the directory of a system.

    Args:
        directory: the directory.
        file: the policy, which was checked.
    """
    carry(directory, CARRIED, file.read_bytes())
