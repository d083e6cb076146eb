"""The console: the control plane's pages for people.  `build_console` in `routes.py` makes the ASGI application."""

from ringfence.control.console.routes import build_console

__all__ = ["build_console"]
