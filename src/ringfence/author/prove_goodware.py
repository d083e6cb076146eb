"""Goodware under a release: which rules must still look at which batch, and what they hit.

What a rule hits in a batch depends on the two alone, so it is remembered for each rule and batch: of a release with
one changed rule only that rule looks at the files again.  A batch in which a file hit many rules, or one that blocks,
is not remembered, because others may have gone unseen behind these.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ringfence.author.goodware import Batch, GoodFile, list_sha256, read_batch
from ringfence.author.proof_cache import ProofCache, key_of
from ringfence.author.proof_jobs import Job
from ringfence.author.proof_tasks import ScannedFiles, Task, TaskKind
from ringfence.author.proof_units import RuleUnit
from ringfence.model.limits import PROOF_BATCH_FILES_MAX, PROOF_ROWS_PER_BATCH_MAX, PROOF_THROUGHPUT_FILE_BYTES_MAX

DIGEST_CHARACTERS: Final = 16
"""Of a rule's digest in the cache: enough for some thousand rules of one author."""


@dataclass(slots=True)
class _Known:
    """What is known of one batch."""

    batch: Batch
    sha256: str = ""
    covered: set[str] = field(default_factory=set)
    """Digests of the rules that have looked at it."""

    hits: list[tuple[int, str]] = field(default_factory=list)
    """File of the batch, digest of the rule."""

    unreadable: int = 0


class GoodwareTrial:
    """The goodware of one proof in one engine."""

    def __init__(self, batches: Sequence[Batch], units: Sequence[RuleUnit], cache: ProofCache, base: str) -> None:
        """`base` names engine, limits and whatever else all results depend on."""
        self._cache = cache
        self._base = base
        self._units = {unit.digest[:DIGEST_CHARACTERS]: unit for unit in units}
        self._places = [unit.digest[:DIGEST_CHARACTERS] for unit in units]
        self._sets: dict[str, frozenset[str]] = {}
        self.known = [self._recalled(batch) for batch in batches]
        self.incomplete: list[str] = []
        """Files on which the engine failed."""

        self.unopened = 0

    def jobs(self, allowed: frozenset[str]) -> list[Job]:
        """What is still to be done, with the rules named in `allowed` only."""
        every = {digest for digest, unit in self._units.items() if unit.name in allowed}
        return [self._job(known, known.batch, missing) for known in self.known if (missing := every - known.covered)]

    def halves(self, job: Job) -> list[Job]:
        """A job that was lost, in two; nothing when it was about one file."""
        known, batch, missing = _of(job)
        middle = len(batch.files) // 2
        if not middle:
            return []
        return [self._job(known, Batch(part), missing) for part in (batch.files[:middle], batch.files[middle:])]

    def take(self, job: Job, answer: ScannedFiles) -> None:
        """Keep what one job found."""
        known, batch, missing = _of(job)
        files, rules = answer.hits[::2], answer.hits[1::2]
        hits = [(file, self._places[rule]) for file, rule in zip(files, rules, strict=True) if rule < len(self._places)]
        first = known.batch.files.index(batch.files[0])
        known.hits += [(first + file, rule) for file, rule in hits if file < len(batch.files)]
        self.incomplete += [batch.files[number].path for number in answer.incomplete if number < len(batch.files)]
        self.unopened += answer.unopened
        if batch is known.batch and not answer.crowded and not answer.incomplete and not known.unreadable:
            known.covered |= missing
            self._remember(known, missing, hits)

    def path_of(self, job: Job, number: int = 0) -> str:
        """A file of a job by its place."""
        files = _of(job)[1].files
        return files[min(number, len(files) - 1)].path

    @property
    def files(self) -> int:
        """Files on the list that could be read."""
        return sum(len(known.batch.files) - known.unreadable for known in self.known)

    @property
    def size_bytes(self) -> int:
        """Bytes of the files on the list."""
        return sum(known.batch.size_bytes for known in self.known)

    @property
    def list_sha256(self) -> str:
        """Digest of the list, "" for an empty one."""
        return list_sha256(known.sha256 for known in self.known) if self.known else ""

    def hits_by_rule(self) -> dict[str, list[str]]:
        """The files that each rule hit, in order."""
        found: dict[str, set[str]] = {}
        for known in self.known:
            for file, digest in known.hits:
                if digest in self._units and file < len(known.batch.files):
                    found.setdefault(self._units[digest].name, set()).add(known.batch.files[file].path)
        return {name: sorted(found[name]) for name in sorted(found)}

    def sample(self, size_bytes: int) -> Job:
        """Files of all sizes as often as there are such, up to `size_bytes`, for all rules at once: to measure speed.

        A file costs something for itself and something for its size: of another mixture the speed would be another.
        """
        ordinary = (file for known in self.known for file in known.batch.files)
        every = [file for file in ordinary if file.size_bytes <= PROOF_THROUGHPUT_FILE_BYTES_MAX]
        every.sort(key=lambda file: (file.size_bytes, file.path))
        step = max(1, len(every) // PROOF_BATCH_FILES_MAX)
        files: list[GoodFile] = []
        for file in every[step // 2 :: step][:PROOF_BATCH_FILES_MAX]:
            if file.size_bytes <= size_bytes:
                files.append(file)
                size_bytes -= file.size_bytes
        return Job(Task(TaskKind.SCAN), None, lambda job: _prepare(job, Batch(tuple(files)), None, ()))

    def _job(self, known: _Known, batch: Batch, missing: set[str]) -> Job:
        whole = missing == self._units.keys()
        rules = () if whole else tuple(sorted(self._units[digest].name for digest in missing))
        return Job(
            Task(TaskKind.SCAN, rules),
            (known, batch, missing),
            lambda job: _prepare(job, batch, known if batch is known.batch else None, rules),
        )

    def _recalled(self, batch: Batch) -> _Known:
        """What the cache knows of `batch`."""
        known = _Known(batch)
        sha256 = self._cache.get(key_of("contents", batch.state_sha256))
        if not isinstance(sha256, str):
            return known
        known.sha256 = sha256
        rows = self._cache.get(self._key_of_batch(sha256))
        for row in rows if isinstance(rows, list) else []:
            if not isinstance(row, dict) or not isinstance(hits := row.get("hits"), list):
                continue
            known.covered |= self._set(str(row.get("rules")))
            known.hits += [
                (int(file), str(rule)) for file, rule in zip(hits[::2], hits[1::2], strict=False) if _is_count(file)
            ]
        return known

    def _set(self, key: str) -> frozenset[str]:
        """The rules that looked at a batch together."""
        if key not in self._sets:
            value = self._cache.get(key)
            self._sets[key] = frozenset(map(str, value)) if isinstance(value, list) else frozenset()
        return self._sets[key]

    def _remember(self, known: _Known, rules: set[str], hits: Iterable[tuple[int, str]]) -> None:
        """Keep the result of one batch beside what is kept already."""
        key = self._key_of_set(rules)
        found = self._cache.get(self._key_of_batch(known.sha256))
        rows = found if isinstance(found, list) else []
        if len(rows) >= PROOF_ROWS_PER_BATCH_MAX:  # what is of this release, as if one job had found it
            rules = known.covered & self._units.keys()
            hits = sorted({hit for hit in known.hits if hit[1] in rules})
            rows = []
            key = self._key_of_set(rules)
        row = {"rules": key, "hits": [value for hit in hits for value in hit]}
        self._cache.put(self._key_of_batch(known.sha256), [*rows, row])
        self._cache.put(key_of("contents", known.batch.state_sha256), known.sha256)

    def _key_of_set(self, rules: set[str]) -> str:
        """The key under which the cache knows these rules."""
        key = key_of("rules", *sorted(rules))
        if not self._set(key):
            self._sets[key] = frozenset(rules)
            self._cache.put(key, sorted(rules))
        return key

    def _key_of_batch(self, sha256: str) -> str:
        return key_of("batch", self._base, sha256)


def _of(job: Job) -> tuple[_Known, Batch, set[str]]:
    """The key of one of our jobs."""
    key = job.key
    if not isinstance(key, tuple):
        raise TypeError("not a job of the goodware")
    known, batch, missing = key
    return known, batch, missing


def _prepare(job: Job, batch: Batch, known: _Known | None, rules: tuple[str, ...]) -> int:
    """Read the files of a job at the last moment."""
    read = read_batch(batch, known.sha256 if known is not None else "")
    if known is not None:
        known.sha256 = read.sha256
        known.unreadable = read.unreadable
    job.task = Task(TaskKind.SCAN, rules, read.sizes)
    return read.descriptor


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
