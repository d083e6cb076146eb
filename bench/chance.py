"""Chance from a seed: the same seed gives the same materials on every machine."""

import random


def seeded(seed: int) -> random.Random:
    """A generator for materials; never for anything secret."""
    return random.Random(seed)  # noqa: S311 - materials must be the same in each run
