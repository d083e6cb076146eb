"""The bench: what protection costs, side by side in one run, as ratios to the unprotected machine.

`python -m bench` runs it; `docs/bench.md` says how to read it.  Nothing here is part of the product, and no test
of the product depends on a time measured here.
"""
