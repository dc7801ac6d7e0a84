"""Runs of checkpoints: which files belong to one, in which order, which of them are good, and what changed when.

Only summaries are kept, never weights. Knows the engine and what numbers mean, no screen and no command.
"""
