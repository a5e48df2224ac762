"""Which cluster an environment is on."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.errors import OperationError
from leeward.cli import clusters
from leeward.cli.hub import Application, Reach, access_to
from leeward.settings.config import Cluster, Config, Embedded, Environment

CONFIG = Config(
    environments={
        "ci": Environment(),
        "qa": Environment(cluster="staging"),
        "production": Environment(cluster="prod"),
    },
    clusters={"staging": Cluster(embedded=Embedded()), "prod": Cluster(context="eks-prod")},
)


@pytest.mark.parametrize(
    ("environment", "reach", "place"),
    [
        ("ci", Reach(), "local"),
        ("qa", Reach(), "staging"),
        ("production", Reach(), "prod"),
        ("ci", Reach(cluster="sim"), "sim"),
        ("qa", Reach(cluster="sim"), "sim"),
        ("production", Reach(context="other"), "other"),
    ],
)
def test_an_embedded_cluster_has_the_name_that_is_written(
    environment: str, reach: Reach, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def require(name: str) -> Any:
        asked.append(name)
        raise OperationError("it does not run")

    monkeypatch.setattr(clusters, "require_running", require)

    assert Application("shop", CONFIG, reach).place_of(environment) == place
    if environment != "production":
        with pytest.raises(OperationError):
            access_to(CONFIG, environment, reach)
        assert asked == [place]
