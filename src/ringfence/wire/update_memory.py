"""What the update client remembers: canonical JSON <-> `model.update.UpdateMemory`.

{"format":1,"roles":[{"keys":"<64 hex>","role":"content","version":7}],"seen_at_s":1764244800}
"""

import re
from typing import Final

from ringfence.model import limits
from ringfence.model.update import RoleMemory, UpdateMemory
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue

MEMORY_FORMAT: Final = 1
FILE: Final = "memory.record"
_NAMES: Final = frozenset({"format", "roles", "seen_at_s"})
_ROLE_NAMES: Final = frozenset({"keys", "role", "version"})
_ROLE: Final = re.compile(r"[a-z]{1,32}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def encode_memory(memory: UpdateMemory) -> bytes:
    """The bytes of the record."""
    rows: list[JsonValue] = [{"keys": one.keys, "role": one.role, "version": one.version} for one in memory.roles]
    return canonical.encode({"format": MEMORY_FORMAT, "roles": rows, "seen_at_s": memory.seen_at_s})


def decode_memory(data: bytes) -> UpdateMemory:
    """The record in `data`.  Raises ContentRefused."""
    top = Fields(canonical.decode(data, file=FILE, bytes_max=limits.UPDATE_MEMORY_BYTES_MAX), _NAMES, file=FILE)
    top.integer("format", MEMORY_FORMAT, MEMORY_FORMAT)
    roles: list[RoleMemory] = []
    for row in top.rows("roles", limits.UPDATE_MEMORY_ENTRIES_MAX, _ROLE_NAMES):
        one = RoleMemory(
            row.word("role", _ROLE), row.integer("version", 1, limits.JSON_INTEGER_MAX), row.word("keys", _DIGEST)
        )
        if roles and roles[-1].role >= one.role:
            row.refuse("role", "must be sorted and without repetition")
        roles.append(one)
    return UpdateMemory(tuple(roles), top.integer("seen_at_s", 0, limits.JSON_INTEGER_MAX))
