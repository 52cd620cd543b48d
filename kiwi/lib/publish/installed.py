"""List the trained systems that are installed as Python packages: ``kiwi models``; without torch or Transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kiwi.exceptions import KiwiError
from kiwi.lib.inspect import Inspection, inspect_checkpoint
from kiwi.systems.manifest.locations import InstalledModel, installed_models

HEADER = ["model", "package", "languages", "predicts", "scores", "size", "licences", "hash"]


@dataclass(frozen=True)
class ListedModel:
    """An installed model and its description."""

    model: InstalledModel

    inspection: Inspection | None
    """The description; None if the system is damaged."""

    problem: str = ""
    """The reason why there is no description."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        model, found = self.model, self.inspection
        known = {"problem": self.problem} if found is None else found.to_dict()
        about = {"name": model.name, "package": model.package, "version": model.version, "licence": model.licence}
        return about | {"path": str(model.path)} | known

    def row(self) -> list[str]:
        """Return a row with the columns of :data:`HEADER`."""
        model, found = self.model, self.inspection
        package = f"{model.package} {model.version}".strip()
        if found is None:
            return [model.name, package, self.problem, "", "", "", "", ""]
        described = dict(found.rows())
        return [
            model.name,
            package,
            described.get("language pairs", described["languages"]),
            described["predicts"],
            described.get("scores", ""),
            f"{found.size / 1e6:,.1f} MB",
            "; ".join(filter(None, (model.licence, described["licences"]))),
            found.fingerprint[:12],
        ]


def list_models() -> list[ListedModel]:
    """Describe all installed models, and check their files.

    Raises:
        CheckpointError: when two packages offer models of the same name.
    """
    listed = []
    for model in installed_models().values():
        try:
            listed.append(ListedModel(model, inspect_checkpoint(model.path)))
        except KiwiError as error:
            listed.append(ListedModel(model, None, str(error)))
    return listed
