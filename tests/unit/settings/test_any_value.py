"""Whatever YAML says, settings are read or a mistake is told; nothing fails otherwise."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leeward.compose.project import Network, Project, Service, Volume
from leeward.settings import parts
from leeward.settings.base import camel_case, snake_case
from leeward.settings.check import check
from leeward.settings.config import Cluster, Config, Environment
from leeward.settings.configrules import broken_config_rules
from leeward.settings.read import read_settings
from leeward.settings.service import ServiceSettings

WORDS = ("", "a", "none", "*", "10.0.0.1", "5%", "2h", "@daily", "0 3 * * *", "Fri 16:00/Mon 08:00", "${A}")
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(WORDS)
)


def _values(*kinds: type[Any], key_of: Any) -> st.SearchStrategy[Any]:
    """Return plain values whose mappings mostly have the keys of `kinds`."""
    keys = sorted({key_of(field.name) for kind in kinds for field in fields(kind)})
    key = st.sampled_from(keys) | st.text(max_size=4)
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(key, inner, max_size=4),
        max_leaves=12,
    )


PARTS = (parts.Tls, parts.Autoscale, parts.Schedule, parts.Probe, parts.Alert, parts.External, parts.Spread)
EXTENSIONS = _values(ServiceSettings, *PARTS, key_of=camel_case)
FILES = _values(Config, Environment, Cluster, key_of=snake_case)


@given(EXTENSIONS, EXTENSIONS)
def test_any_extension_is_read_or_told(one: Any, other: Any) -> None:
    project = Project(
        name="shop",
        working_dir=Path("/"),
        services={"web": Service(name="web", image="x", extensions={"x-leeward": one})},
        volumes={"data": Volume(key="data", name="data", extensions={"x-leeward": other})},
        networks={"net": Network(key="net", name="net", extensions={"x-leeward": other})},
        extensions={"x-leeward": other},
    )

    declared = read_settings(project)
    assert declared.services.keys() == {"web"}
    for found in declared.diagnostics:
        assert found.message.endswith((".", "?")), found.message


@given(FILES)
def test_any_leeward_yaml_is_read_or_told(written: Any) -> None:
    checked = check(Config, written)

    assert checked.settings is not None or checked.problems
    for problem in broken_config_rules(checked.settings or Config(), lambda _: False):
        assert problem.remedy
