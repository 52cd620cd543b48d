"""Options of ``system``."""
