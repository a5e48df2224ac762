"""Values as people read them."""

from __future__ import annotations

import pytest

from leeward.delivery.wording.values import command, cores, images, plain, shown, size


@pytest.mark.parametrize(
    ("quantity", "text"),
    [("512Mi", "512M"), ("1Gi", "1G"), ("1536Mi", "1536M"), ("1k", "1000"), ("0", "0"), ("many", "many")],
)
def test_bytes_are_in_the_units_of_compose(quantity: str, text: str) -> None:
    assert size(quantity) == text


@pytest.mark.parametrize(("quantity", "text"), [("500m", "0.5"), ("2", "2"), (2, "2"), ("few", "few")])
def test_cpus_are_numbers(quantity: str | int, text: str) -> None:
    assert cores(quantity) == text


def test_values_are_one_short_line_that_no_terminal_obeys() -> None:
    assert plain("a\x1b[31mb\nc") == "a\\x1b[31mb\\nc"
    assert plain("x" * 61) == "x" * 59 + "…"
    assert shown("A", "") == '""'
    assert shown("A", [1, "é"]) == '[1, "é"]'


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["sh", "-c", "A=$$B run"], "sh -c 'A=$B run'"),
        (["run", "--db-password=x1y2"], "run --db-password=(secret)"),
        (["run", "--db-password", "x1y2", "-v"], "run --db-password (secret) -v"),
        (["sh", "-c", "DB_PASSWORD=x1y2 run"], "sh -c 'DB_PASSWORD=(secret) run'"),
        (["run", "--url=redis://:x1y2@cache"], "run --url=(secret)"),
        (["run", "redis://:x1y2@cache", "a"], "run (secret) a"),
        (["run", "--token-file", "/run/x"], "run --token-file /run/x"),
        (["run", "--level=info", "--name", "a b"], "run --level=info --name 'a b'"),
    ],
)
def test_a_command_is_as_a_shell_has_it_without_secrets(words: list[str], text: str) -> None:
    assert command(words) == text


def test_two_images_are_told_as_short_as_can_be() -> None:
    digest = "sha256:" + "0123456789" * 6 + "abcd"
    assert images(f"r:5000/web:1@{digest}", "r:5000/web:2") == ("r:5000/web:1@012345…", ":2")
    assert images("web", "web:2") == ("web", ":2")
    assert images("web:2", "web") == ("web:2", "web")
    assert images("web:1", "api:1") == ("web:1", "api:1")
