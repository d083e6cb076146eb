"""The failures of history really do what they did: without that the cases prove nothing."""

from pathlib import Path

from faults import damage


def test_one_input_too_many_kills_and_one_less_does_not() -> None:
    assert damage.in_a_child(lambda: damage.read_input(damage.SUPPLIED + 1)) == "was killed by SIGSEGV"
    assert damage.in_a_child(lambda: damage.read_input(damage.SUPPLIED)) == "ended well"


def test_a_loader_that_skips_loses_a_rule_and_says_nothing() -> None:
    good, odd = "rule good { condition: true }\n", "rule odd { condition: $nothing }\n"
    assert damage.half_loaded(good, odd) == (1, 1)


def test_the_expression_takes_its_processor_for_ever() -> None:
    assert damage.in_a_child(lambda: damage.burn("1" * 20_000), cpu_s=1) == "was killed by SIGXCPU"


def test_the_consumer_panics_on_the_201st_row() -> None:
    rows = [str(number) for number in range(damage.FEATURES_MAX)]
    assert damage.in_a_child(lambda: damage.take_features(rows)) == "ended well"
    assert damage.in_a_child(lambda: damage.take_features([*rows, "one more"])) == "ended with status 1"


def test_what_the_rule_condemns_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "a.desktop").write_text("[Desktop")
    (tmp_path / "b.txt").write_text("text")
    assert damage.delete_matching(tmp_path, 'rule a { strings: $a = "[Desktop" condition: $a }') == 1
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]
