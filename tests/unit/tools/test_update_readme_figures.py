"""The README's figures are the bench's, and nothing else of the README changes."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from tests.house.sources import ROOT

ENTRIES = [
    {"work": "unpack", "subject": "ringfence", "content": "starter", "ratio": 1.0312, "median_s": 0.5, "runs": 5},
    {"work": "unpack", "subject": "clamav", "content": "generated", "ratio": 3.0, "median_s": 1.5, "runs": 5},
    {"work": "database", "subject": "ringfence", "content": "starter", "ratio": 1.2, "median_s": 0.1, "runs": 5},
    {"figure": "gate_cpu_per_question", "value": 31.5, "unit": "us"},
]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("update_readme_figures", ROOT / "tools" / "update_readme_figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_measured_works_and_subjects_are_shown(tool: ModuleType) -> None:
    assert tool.figures_block(ENTRIES).splitlines()[2:] == [
        "| work | Ringfence, starter content | ClamAV on access |",
        "| --- | --: | --: |",
        "| unpack 10,000 small files | 1.03 | 3.00 |",
        "| reopen a file 10,000 times while it is written | 1.20 |  |",
        "",
        "| figure | value | unit |",
        "| --- | --: | --- |",
        "| gate cpu per question | 31.50 | us |",
    ]


def test_what_is_around_the_markers_stays(tool: ModuleType, tmp_path: Path) -> None:
    readme, bench = tmp_path / "README.md", tmp_path / "bench.json"
    readme.write_text(f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n")
    bench.write_text(json.dumps(ENTRIES))
    assert tool.main(["--bench", str(bench), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith(f"before\n{tool.BEGIN}\n\nTimes as")
    assert text.endswith(f"\n{tool.END}\nafter\n")
    assert "old" not in text


@pytest.mark.parametrize("content", ["{}", "[1]", "no json", '[{"work": "unpack"}]'])
def test_a_foreign_file_changes_nothing(tool: ModuleType, tmp_path: Path, content: str) -> None:
    readme, bench = tmp_path / "README.md", tmp_path / "bench.json"
    readme.write_text(f"{tool.BEGIN}\nold\n{tool.END}\n")
    bench.write_text(content)
    assert tool.main(["--bench", str(bench), "--readme", str(readme)]) == 1
    assert readme.read_text() == f"{tool.BEGIN}\nold\n{tool.END}\n"
