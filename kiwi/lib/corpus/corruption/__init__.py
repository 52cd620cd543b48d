"""Good translations → translations with errors that are known by construction: ``kiwi corpus corrupt``."""
