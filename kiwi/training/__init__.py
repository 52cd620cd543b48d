"""How a system is trained: Lightning, optimizers, schedules, checkpoints, devices. Scoring needs none of it."""
