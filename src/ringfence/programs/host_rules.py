"""`ringfence host rules`: what the rules of the active release cost and find on this host, dearest first."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ringfence.model.limits import RULE_COST_ROWS_MAX
from ringfence.programs.host_frames import ask_warden
from ringfence.wire import catalogue
from ringfence.wire.rule_costs import RuleCosts, decode_rule_costs

_MICROSECOND_NS = 1_000


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    top: Annotated[int, typer.Option(help="How many rules to show.", min=1, max=RULE_COST_ROWS_MAX)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the rules that take most time, what they match, and those that this host leaves out.

    Times are processor time of each rule alone, over files that were sampled when nobody waited.

    Example: ringfence host rules --state /var/lib/ringfence --top 10
    """
    costs = decode_rule_costs(ask_warden(state, catalogue.RULES, catalogue.RULES_BODY.pack(top)))
    if as_json:
        print(json.dumps(_as_object(costs), indent=2))
    else:
        _print(costs)


def _as_object(costs: RuleCosts) -> dict[str, object]:
    """The JSON shape: rules, rows by cost, left_out."""
    return {
        "rules": costs.rules,
        "rows": [
            {
                "pack": name.pack,
                "rule": name.rule,
                "mean_us": round(one.mean_ns / _MICROSECOND_NS, 1),
                "worst_us": round(one.worst_ns / _MICROSECOND_NS, 1),
                "samples": one.samples,
                "matches": one.matches,
                "faults": one.faults,
            }
            for name, one in costs.rows
        ],
        "left_out": [{"pack": name.pack, "rule": name.rule} for name in costs.left_out],
    }


def _print(costs: RuleCosts) -> None:
    """For people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rule", "pack"):
        table.add_column(heading)
    for heading in ("mean µs", "worst µs", "samples", "matches", "faults"):
        table.add_column(heading, justify="right")
    for name, one in costs.rows:
        mean, worst = one.mean_ns / _MICROSECOND_NS, one.worst_ns / _MICROSECOND_NS
        numbers = (f"{mean:,.1f}", f"{worst:,.1f}", *map(str, (one.samples, one.matches, one.faults)))
        table.add_row(name.rule, name.pack, *numbers)
    console = Console()
    console.print(table)
    console.print(f"{len(costs.rows)} of {costs.rules} rules shown")
    for name in costs.left_out:
        console.print(f"left out on this host: {name.rule} of pack {name.pack}")
