"""The model mini of kiwi, for quality estimation of machine translation."""

from pathlib import Path

SYSTEM = Path(__file__).parent / "system"
