"""Publish trained systems as folders for the Hugging Face hub or as Python packages, and list installed ones."""

from __future__ import annotations

from kiwi.lib.publish.folder import publish
from kiwi.lib.publish.installed import ListedModel, list_models

__all__ = ["ListedModel", "list_models", "publish"]
