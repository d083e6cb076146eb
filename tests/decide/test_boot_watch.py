"""When a boot is up, healthy, lasting or overdue."""

from ringfence.decide.boot_watch import Finding, Watch, look

WATCH = Watch(0, settle_ms=60, overdue_ms=600, short_ms=900)


def seen(*looks: tuple[int, bool, bool]) -> list[tuple[int, Finding]]:
    """Every finding of these looks (time, up, answers), with its time."""
    watch, found = WATCH, []
    for now_ms, up, answers in looks:
        watch, more = look(watch, up=up, answers=answers, now_ms=now_ms)
        found += [(now_ms, finding) for finding in more]
    return found


def test_up_is_told_once() -> None:
    assert seen((1, False, False), (2, True, False), (3, True, False)) == [(2, Finding.UP)]


def test_healthy_needs_both_for_a_while() -> None:
    assert seen((0, True, False), (50, True, True), (109, True, True)) == [(0, Finding.UP)]
    assert seen((0, True, True), (60, True, True)) == [(0, Finding.UP), (60, Finding.HEALTHY)]


def test_a_pause_of_the_sensor_begins_the_while_anew() -> None:
    looks = [(0, True, True), (59, True, False), (61, True, True), (120, True, True), (121, True, True)]
    assert seen(*looks)[-1] == (121, Finding.HEALTHY)


def test_a_machine_that_falls_back_below_its_target_is_not_healthy() -> None:
    assert Finding.HEALTHY not in dict(seen((0, True, True), (30, False, True), (61, True, True))).values()


def test_overdue_is_told_again_and_again_until_it_is_up() -> None:
    looks = [(599, False, True), (600, False, True), (1199, False, True), (1200, False, True), (1201, True, True)]
    assert seen(*looks) == [(600, Finding.OVERDUE), (1200, Finding.OVERDUE), (1201, Finding.UP)]


def test_a_machine_that_was_up_once_is_never_overdue() -> None:
    assert seen((1, True, False), (2_000, False, False)) == [(1, Finding.UP)]


def test_without_an_answer_it_lasts() -> None:
    assert seen((1, True, False), (900, True, False), (901, True, False)) == [(1, Finding.UP), (900, Finding.LASTING)]
