"""What outlives the process: objects, revisions, and refusals of files that are not ours."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from leeward.base.errors import OperationError
from leeward.cluster.interface.store import Event
from leeward.cluster.store.sqlite import SQLiteStore
from leeward.kube.objects import Obj
from leeward.kube.status import ExpiredError

LEASES = "leases.coordination.k8s.io"


def thing(name: str, **fields: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "shop"}, **fields}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def after_a_crash(path: Path) -> Path:
    """Copy what a kill -9 at this moment would leave."""
    left = path.parent / "after"
    left.mkdir()
    for suffix in ("", "-wal"):
        if path.with_name(path.name + suffix).exists():
            shutil.copy(path.with_name(path.name + suffix), left / (path.name + suffix))
    return left / path.name


def contents(store: SQLiteStore) -> dict[str, list[Obj]]:
    return {resource: store.list(resource) for resource in ("configmaps", "pods", "nodes")}


def test_objects_are_there_again_with_their_revisions(path: Path) -> None:
    store = SQLiteStore(path)
    store.create("configmaps", thing("b", data={"text": 'ünï "x"', "deep": [{"n": 1.5, "none": None}]}))
    store.create("configmaps", thing("a"))
    store.create("nodes", {"metadata": {"name": "n1"}})
    store.update("configmaps", thing("a", data={"k": "v"}))
    store.create("pods", thing("gone"))
    store.delete("pods", "shop", "gone")
    before = contents(store)
    store.close()
    again = SQLiteStore(path)
    assert contents(again) == before
    assert [obj["metadata"]["name"] for obj in before["configmaps"]] == ["a", "b"]
    again.close()


def test_every_write_that_returned_survives_a_kill_at_any_moment(path: Path) -> None:
    store = SQLiteStore(path)
    store.create("configmaps", thing("a", data={"k": "1"}))
    store.create("configmaps", thing("b"))
    store.update("configmaps", thing("a", data={"k": "2"}))
    store.delete("configmaps", "shop", "b")
    left = after_a_crash(path)
    before, revision = contents(store), store.revision
    store.close()
    again = SQLiteStore(left)
    assert contents(again) == before
    assert again.revision >= revision
    again.close()


def test_the_indexes_are_there_again(path: Path) -> None:
    store = SQLiteStore(path)
    owner = {"uid": "u1", "kind": "ReplicaSet", "name": "rs", "controller": True}
    meta = {"name": "a", "namespace": "shop", "ownerReferences": [owner]}
    pod = store.create("pods", {"metadata": meta, "spec": {"nodeName": "n1"}})
    store.close()
    again = SQLiteStore(path)
    assert again.controlled_by("pods", "u1") == again.pods_on("n1") == [pod]
    again.delete("pods", "shop", "a")
    assert again.controlled_by("pods", "u1") == again.pods_on("n1") == []
    again.close()


def test_revisions_go_on_above_every_one_before(path: Path) -> None:
    store = SQLiteStore(path)
    store.create("configmaps", thing("a"))
    store.delete("configmaps", "shop", "a")
    last = store.revision
    store.close()
    again = SQLiteStore(path)
    assert again.revision >= last
    assert int(again.create("configmaps", thing("b"))["metadata"]["resourceVersion"]) > last
    again.close()


def test_many_writes_later_revisions_still_go_on_above_every_one_before(path: Path) -> None:
    store = SQLiteStore(path)
    store.create("configmaps", thing("a"))
    for number in range(1200):
        store.update("configmaps", thing("a", data=number))
    last = store.revision
    store.close()
    again = SQLiteStore(path)
    assert again.revision >= last
    again.close()


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("heartbeats", [1, 499, 1700])
def test_revisions_of_heartbeats_are_not_used_twice(path: Path, durable: bool, heartbeats: int) -> None:
    last = 0
    for life in range(3):
        store = SQLiteStore(path)
        assert store.revision >= last
        if durable and life == 0:
            store.create("configmaps", thing("a"))
        store.create(LEASES, thing("n1"))
        for beat in range(heartbeats - 1):
            store.update(LEASES, thing("n1", spec={"renewTime": beat}))
        last = store.revision
        store.close()


def test_heartbeats_are_not_kept(path: Path) -> None:
    store = SQLiteStore(path)
    store.create(LEASES, thing("n1"))
    store.create("configmaps", thing("a"))
    assert store.get(LEASES, "shop", "n1") is not None
    store.close()
    again = SQLiteStore(path)
    assert again.list(LEASES) == []
    assert len(again.list("configmaps")) == 1
    again.close()


def test_a_watch_from_before_a_restart_is_too_old_and_one_from_a_new_list_is_whole(path: Path) -> None:
    store = SQLiteStore(path)
    store.create("configmaps", thing("a"))
    seen = store.revision
    store.create("configmaps", thing("b"))
    store.close()
    again = SQLiteStore(path)
    with pytest.raises(ExpiredError):
        again.events_since("configmaps", seen)
    listed = again.revision
    again.update("configmaps", thing("a", data={"k": "v"}))
    (event,) = again.events_since("configmaps", listed)
    assert (event.type, event.object["data"], event.revision) == ("MODIFIED", {"k": "v"}, listed + 1)
    assert event.previous is not None
    again.close()


def test_a_write_is_on_disk_before_anyone_is_told(path: Path) -> None:
    store = SQLiteStore(path)
    on_disk: list[tuple[str, bool]] = []

    def look(event: Event) -> None:
        other = sqlite3.connect(path)
        rows = other.execute("SELECT name FROM object WHERE resource = 'configmaps'").fetchall()
        on_disk.append((event.type, ("a",) in rows))
        other.close()

    store.subscribe(None, look)
    store.create("configmaps", thing("a"))
    store.delete("configmaps", "shop", "a")
    store.close()
    assert on_disk == [("ADDED", True), ("DELETED", False)]


def test_a_write_the_disk_refuses_did_not_happen(path: Path) -> None:
    store = SQLiteStore(path)
    kept = store.create("configmaps", thing("a"))
    told: list[Event] = []
    store.subscribe(None, told.append)
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    large = {"text": "x" * 100_000}
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.create("configmaps", thing("b", data=large))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.update("configmaps", thing("a", data=large))
    assert told == []
    assert store.list("configmaps") == [kept]
    assert store.revision == int(kept["metadata"]["resourceVersion"])
    small = store.create("configmaps", thing("c"))
    store.close()
    again = SQLiteStore(path)
    assert again.list("configmaps") == [kept, small]
    again.close()


def test_the_writes_of_a_batch_are_seen_at_once_and_durable_at_its_end(path: Path) -> None:
    store = SQLiteStore(path)
    told: list[str] = []
    store.subscribe(None, lambda event: told.append(event.object["metadata"]["name"]))
    with store.batch():
        store.create("configmaps", thing("a"))
        with store.batch():
            store.create("configmaps", thing("b"))
        store.update("configmaps", thing("a", data={"k": "v"}))
        store.create("configmaps", thing("gone"))
        store.delete("configmaps", "shop", "gone")
        assert told == ["a", "b", "a", "gone", "gone"]
    before = contents(store)
    again = SQLiteStore(after_a_crash(path))
    assert contents(again) == before
    assert again.revision > store.revision
    again.close()
    store.close()


def test_a_batch_that_the_disk_refuses_waits_and_later_writes_are_refused_until_it_is_there(
    path: Path,
) -> None:
    store = SQLiteStore(path)
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    with store.batch():
        store.create("configmaps", thing("a"))
        store.create("configmaps", thing("b", data={"text": "x" * 100_000}))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.create("configmaps", thing("c"))
    with store.batch(), pytest.raises(sqlite3.OperationalError, match="full"):
        store.create("configmaps", thing("c"))
    store.create(LEASES, thing("lives"))
    assert store.get("configmaps", "shop", "c") is None
    store._database.execute(f"PRAGMA max_page_count = {pages + 1000}")
    store.create("configmaps", thing("c"))
    before = contents(store)
    again = SQLiteStore(after_a_crash(path))
    assert contents(again) == before
    again.close()
    store.close()


def test_a_write_that_is_no_json_did_not_happen_and_stops_no_later_one(path: Path) -> None:
    store = SQLiteStore(path)
    before = store.revision
    with pytest.raises(TypeError):
        store.create("configmaps", thing("a", data={1, 2}))
    assert store.list("configmaps") == []
    assert store.revision == before
    store.create("configmaps", thing("a"))
    store.close()


def owned(name: str, *fields: str) -> Obj:
    """Return an object whose fields belong to somebody, each entry with one field."""
    entries = [
        {"manager": "me", "fieldsType": "FieldsV1", "fieldsV1": {f"f:{each}": {}}, "subresource": each}
        for each in fields
    ]
    return {"metadata": {"name": name, "namespace": "shop", "managedFields": entries}}


def test_managed_fields_are_there_again_and_equal_ones_are_kept_once(path: Path) -> None:
    store = SQLiteStore(path)
    store.create("configmaps", owned("a", "data", "status"))
    store.create("configmaps", owned("b", "status"))
    broken = {"metadata": {"name": "c", "namespace": "shop", "managedFields": [{"fieldsV1": None}, 1]}}
    store.create("configmaps", broken)
    before = store.list("configmaps")
    store.close()

    again = SQLiteStore(path)
    for kept in (before, again.list("configmaps")):
        assert kept == before
        first, second = (each["metadata"]["managedFields"] for each in kept[:2])
        assert first[1]["fieldsV1"] is second[0]["fieldsV1"]
        assert [list(entry) for entry in first] == [["manager", "fieldsType", "fieldsV1", "subresource"]] * 2
    assert again._database.execute("SELECT fields FROM object WHERE name = 'a'").fetchone() == (
        b'{"f:data":{}}\n{"f:status":{}}',
    )
    again.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_database_of_an_earlier_version_is_read_and_written_on(path: Path, version: int) -> None:
    old = {**owned("a", "data"), "data": {"k": "v"}}
    column, value = (" fields BLOB,", ", NULL") if version == 2 else ("", "")
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE object (resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
            f" value BLOB NOT NULL,{column} PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID;"
            "CREATE TABLE revision (only INTEGER PRIMARY KEY CHECK (only = 0), value INTEGER NOT NULL);"
            f"INSERT INTO revision VALUES (0, 7); PRAGMA user_version = {version};"
        )
        row = ("configmaps", "shop", "a", orjson.dumps(old))
        database.execute(f"INSERT INTO object VALUES (?, ?, ?, ?{value})", row)
    database.close()

    store = SQLiteStore(path)
    assert store.list("configmaps") == [old]
    store.create("configmaps", owned("b", "data"))
    before = store.list("configmaps")
    first, second = (each["metadata"]["managedFields"][0] for each in before)
    assert first["fieldsV1"] is second["fieldsV1"]
    store.close()
    again = SQLiteStore(path)
    assert again.list("configmaps") == before
    assert again.revision > 8
    again.close()


def test_a_database_of_another_version_is_refused_and_left_alone(path: Path) -> None:
    store = SQLiteStore(path)
    store.create("configmaps", thing("a"))
    store._database.execute("PRAGMA user_version = 99")
    store.close()
    before = path.read_bytes()
    with pytest.raises(OperationError, match="database version 99, but this leeward uses 3") as caught:
        SQLiteStore(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("a letter to a friend, long enough to be one" * 100, encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(OperationError, match="is no usable database") as caught:
        SQLiteStore(path)
    assert caught.value.remedy
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="is no usable database"):
        SQLiteStore(tmp_path / "missing" / "state.db")


def test_objects_that_are_read_again_share_equal_sets_of_fields(path: Path) -> None:
    store = SQLiteStore(path)
    for name in ("a", "b"):
        entry = {"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {"f:nodeName": {}}}}
        made = thing(name)
        store.create("pods", {**made, "metadata": {**made["metadata"], "managedFields": [entry]}})
    store.close()

    one, other = SQLiteStore(path).list("pods")
    fields = [each["metadata"]["managedFields"][0]["fieldsV1"] for each in (one, other)]
    assert fields[0] == {"f:spec": {"f:nodeName": {}}}
    assert fields[0] is fields[1]
