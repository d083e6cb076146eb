"""Sigma rules of our own, as text: small ones to be changed by tests."""

from typing import Final

GOOD: Final = """\
title: Shell From A Web Server
id: 6f0e2b3c-5d1a-4a53-9a3f-2f1a7c8b9d01
status: test
description: A web server starts a shell
references:
    - https://example.org/shells
author: Ringfence authors
date: 2026-11-01
license: Apache-2.0
tags:
    - attack.execution
    - attack.t1059.004
logsource:
    category: process_creation
    product: linux
detection:
    selection_parent:
        ParentImage|endswith:
            - '/nginx'
            - '/apache2'
    selection_shell:
        Image|endswith: '/sh'
    filter_known:
        CommandLine|contains: 'logrotate'
    condition: all of selection_* and not filter_known
falsepositives:
    - Unknown
level: high
"""
IDENTIFIER: Final = "6f0e2b3c-5d1a-4a53-9a3f-2f1a7c8b9d01"


def with_detection(detection: str, source: str = "category: process_creation\n    product: linux") -> str:
    """The good rule with another detection: lines that are indented by four."""
    head, _, rest = GOOD.partition("logsource:\n")
    tail = rest.partition("falsepositives:\n")[2]
    return f"{head}logsource:\n    {source}\ndetection:\n{detection}falsepositives:\n{tail}"


def selection(*lines: str, condition: str = "selection") -> str:
    """The good rule with one selection of these lines."""
    body = "".join(f"        {line}\n" for line in lines)
    return with_detection(f"    selection:\n{body}    condition: {condition}\n")
