"""What may be asked of a container's log."""

from __future__ import annotations

import pytest

from leeward.cluster.apiserver.http import Query
from leeward.cluster.apiserver.podlogs import option_failures


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ({"tailLines": "-1"}, "tailLines", "Invalid value: -1: must be greater than or equal to 0"),
        ({"limitBytes": "0"}, "limitBytes", "Invalid value: 0: must be greater than 0"),
        ({"sinceSeconds": "0"}, "sinceSeconds", "Invalid value: 0: must be greater than 0"),
        ({"sinceSeconds": "1", "sinceTime": "x"}, "", "Forbidden: at most one of `sinceTime` or"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(query: dict[str, str], field: str, message: str) -> None:
    (failure,) = option_failures(Query(query.items()))
    assert failure.field == field
    assert failure.message.startswith(message)


def test_other_options_are_fine() -> None:
    assert option_failures(Query({"tailLines": "0", "limitBytes": "1", "sinceSeconds": "5"}.items())) == []
