"""Proof by fire: faults on a running host under load, and the content failures of history, each with its damage first.

    python -m faults --help

Everything happens on file systems that are mounted for it; the machine's own tree is never protected.
"""
