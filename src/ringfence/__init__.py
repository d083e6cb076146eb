"""Ringfence: endpoint protection that cannot take the fleet down."""

from typing import Final

__version__: Final = "0.1.0"
