"""The state directory of a cluster."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from leeward.base.errors import OperationError, UserInputError
from leeward.cluster.config import NodeGroup
from leeward.cluster.statedir import StateDir, groups_from_record


def used(tmp_path: Path) -> StateDir:
    """Return a directory in which a cluster has run."""
    state = StateDir(tmp_path / "state")
    state.save({"name": "local"})
    state.volumes.mkdir()
    (state.volumes / "data").write_text("x")
    for path in (state.database, Path(f"{state.database}-wal"), state.kubeconfig, state.daemon_log):
        path.write_text("x")
    return state


def test_removing_a_cluster_removes_its_directory(tmp_path: Path) -> None:
    state = used(tmp_path)

    assert state.remove() == []
    assert not state.root.exists()


def test_what_is_not_the_clusters_stays(tmp_path: Path) -> None:
    state = used(tmp_path)
    mine = state.root / "compose.yaml"
    mine.write_text("services: {}")

    assert state.remove() == [mine]
    assert mine.read_text() == "services: {}"
    assert list(state.root.iterdir()) == [mine]


def test_a_link_in_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    state = used(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("x")
    state.images.symlink_to(elsewhere)

    state.remove()

    assert (elsewhere / "file").exists()


@pytest.mark.parametrize(
    ("files", "foreign"), [((), False), (("images",), False), (("images", "notes.txt"), True)]
)
def test_a_directory_with_files_and_no_cluster_is_foreign(
    tmp_path: Path, files: tuple[str, ...], foreign: bool
) -> None:
    for name in files:
        (tmp_path / name).write_text("x")

    assert StateDir(tmp_path).is_foreign() is foreign


def test_a_clusters_own_directory_is_not_foreign(tmp_path: Path) -> None:
    assert not used(tmp_path).is_foreign()
    assert not StateDir(tmp_path / "nowhere").is_foreign()


def test_only_its_owner_can_look_into_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(used(tmp_path).root.stat().st_mode) == 0o700


def test_the_lock_tells_whether_a_cluster_runs(tmp_path: Path) -> None:
    state = used(tmp_path)
    assert state.running_pid() is None

    with state.acquire():
        assert state.running_pid() is not None
        with pytest.raises(OperationError, match="already runs"):
            state.acquire()


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("{", UserInputError, "is no JSON"),
        ("[]", OperationError, "state version None"),
        ('{"stateVersion": 99}', OperationError, "state version 99, but this leeward uses"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    state = StateDir(tmp_path)
    state.config_file.write_text(text)

    with pytest.raises(error, match=message):
        state.load()


def test_the_state_of_a_cluster_from_before_there_were_groups_of_nodes_is_read(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.config_file.write_text('{"stateVersion": 1, "nodesPerZone": 3, "zones": ["a", "b"]}')
    assert groups_from_record(state.load()) == (NodeGroup(nodes=6),)
