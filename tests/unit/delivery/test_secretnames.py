"""Names of variables that take the place of secrets."""

from __future__ import annotations

import pytest

from leeward.delivery.releases.secretnames import Named, choose_names, variable_name


@pytest.mark.parametrize(
    ("secrets", "used", "names"),
    [
        ([Named("A", "1", "web")], (), ["A"]),
        ([Named("A", "1", "web"), Named("A", "1", "api")], (), ["A", "A"]),
        ([Named("A", "1", "web"), Named("A", "2", "api")], (), ["WEB_A", "API_A"]),
        ([Named("A", "1", "web"), Named("A", "2", "web")], (), ["WEB_A", "WEB_A_2"]),
        ([Named("A", "1", "web")], ("A",), ["WEB_A"]),
        ([Named("A", "1", "web")], ("A", "WEB_A"), ["WEB_A_2"]),
        ([Named("A", "1", "web", default=True)], ("A",), ["A"]),
        ([Named("A", "1", "", default=True), Named("A", "2", "b", default=True)], (), ["SHARED_A", "B_A"]),
        ([Named("A", "1", "web", fixed=True), Named("A", "2", "api")], (), ["A", "API_A"]),
        ([Named("a.b-c", "1", "web")], (), ["a_b_c"]),
        ([Named("A", "1", "web", own=True), Named("A", "2", "api", default=True)], ("A",), ["A", "A"]),
        ([Named("A", "1", "web", own=True), Named("A", "2", "api")], (), ["A", "API_A"]),
    ],
)
def test_one_name_means_one_value(secrets: list[Named], used: tuple[str, ...], names: list[str]) -> None:
    assert choose_names(secrets, used) == names


def test_a_name_that_is_no_variable_becomes_one() -> None:
    assert [variable_name(text) for text in ("a-b", "1a", "_x", "ä")] == ["a_b", "_1a", "_x", "_"]
