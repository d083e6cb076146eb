"""What the commands that steer releases print when it is done: how things stand now."""

import json

from ringfence.programs.host_activation import Told, named


def tell(told: Told, *, as_json: bool) -> None:
    """One sentence, or one JSON object."""
    kept = told.state
    pin = None if kept.pin is None else kept.pin.release
    if as_json:
        runs = kept.arrival.release
        print(
            json.dumps(
                {
                    "runs": None if runs is None else {"version": runs.version, "sha256": runs.sha256},
                    "pin": None if pin is None else {"version": pin.version, "sha256": pin.sha256},
                    "hold": None if kept.hold is None else kept.hold.text,
                }
            )
        )
        return
    words = [f"{named(kept.arrival.release)} runs"]
    words += [] if pin is None else [f"pinned to {named(pin)}"]
    words += [] if kept.hold is None else [f"new releases are held: {kept.hold.text}"]
    print("; ".join(words))
