"""What the console ships: style sheets whose colours can be read, templates that the policy permits, files by hash."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from ringfence.control.console.assets import Assets
from ringfence.control.console.security import CONTENT_SECURITY_POLICY

CONSOLE = Path(str(files("ringfence.control.console")))
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
OWN_FILES = [path for path in sorted((CONSOLE / "static").iterdir()) if path.is_file()]

PAIR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")
COLOURS = {name: (light, dark) for name, light, dark in PAIR.findall((CONSOLE / "static" / "tokens.css").read_text())}
TONES = ("critical", "high", "medium", "low", "informational", "good")
SURFACES = ("ground", "surface", "raised", "sunken", "hover")


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def text_pairs() -> list[tuple[str, str]]:
    pairs = [(text, ground) for text in ("text", "text-soft", "text-faint", "accent", *TONES) for ground in SURFACES]
    pairs += [(tone, f"{tone}-soft") for tone in TONES]
    return [*pairs, ("on-accent", "accent-fill"), ("on-accent", "accent-fill-hover"), ("text", "accent-soft")]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read(scheme: int) -> None:
    weak = {
        pair: round(contrast(COLOURS[pair[0]][scheme], COLOURS[pair[1]][scheme]), 2)
        for pair in text_pairs()
        if contrast(COLOURS[pair[0]][scheme], COLOURS[pair[1]][scheme]) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_shape_and_border_of_a_field_can_be_told(scheme: int) -> None:
    shapes = [f"{tone}-fill" for tone in TONES] + ["line-strong", "focus"]
    weak = [name for name in shapes if contrast(COLOURS[name][scheme], COLOURS["surface"][scheme]) < 3]
    assert weak == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_that_the_policy_would_have_to_permit(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\|\s*safe\b|Markup|autoescape false", text)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_changes_something_carries_the_token(template: Path) -> None:
    for form in re.findall(r"<form[^>]*method=\"post\"[^>]*>.*?</form>", template.read_text(), re.DOTALL):
        assert "token_field()" in form or 'action="/login"' in form


@pytest.mark.parametrize("path", [*TEMPLATES, *OWN_FILES], ids=lambda path: path.name)
def test_nothing_comes_from_another_site(path: Path) -> None:
    addresses = re.findall(r"(?:src|href|url\(|@import|fetch\()\W{0,3}https?://", path.read_text())
    assert addresses == []


def test_the_policy_permits_only_our_own_files() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self'")


def test_the_libraries_from_npm_are_built_in_with_their_licences() -> None:
    assets = Assets()
    assert assets.has_libraries, "run `make assets`"
    assert assets.address("vendor/htmx.LICENSE.txt")
    assert assets.address("vendor/uPlot.LICENSE.txt")


def test_an_address_holds_the_hash_of_its_content() -> None:
    assert re.fullmatch(r"/static/[0-9a-f]{16}/tokens\.css", Assets().address("tokens.css"))
    with pytest.raises(KeyError):
        Assets().address("../routes.py")
