"""The entry point of ``python -m kiwi``."""

from kiwi.cli import main

main()
