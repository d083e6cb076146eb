"""What the parts of the control plane share: one value, handed to each of them when the server is built."""

from dataclasses import dataclass

from ringfence.control.authentication import Authentication
from ringfence.control.broker import Broker
from ringfence.control.clock import Clock
from ringfence.control.database import Database


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """Everything that the console and the API need.

    `clock` gives Unix milliseconds and never goes back.  Read with `queries.py`, write with `commands.py`, let nobody
    in without `web_session.py`.
    """

    database: Database
    broker: Broker
    authentication: Authentication
    clock: Clock
