"""The durable store: the memory store, with every write in SQLite before it is seen.

SQLite in WAL mode with synchronous=NORMAL: a commit is in the operating system's hands when it returns,
so it survives ``kill -9`` of this process (a power cut of the whole machine may lose the last moments).
Leases are kept in memory only: they are heartbeats, worth nothing after a restart, and writing six of
them a second would keep an idle disk busy.

Invariant: after a restart revisions go on above every revision ever acknowledged; the watch history
starts anew, so a watch from before is answered 410 Gone and lists again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import orjson

from leeward.base.errors import OperationError
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, ObjectKey, key_of

SCHEMA_VERSION = 2  # 1 had no column `fields`
VOLATILE = frozenset(("leases.coordination.k8s.io",))
_GAP = 1000  # revisions skipped at start, as not every one is recorded
_RECORDED = _GAP // 2  # one of so many is
_SCHEMA = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS object (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, fields BLOB,
    PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revision (only INTEGER PRIMARY KEY CHECK (only = 0), value INTEGER NOT NULL);
INSERT OR IGNORE INTO revision VALUES (0, 1);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_FROM_1 = f"""
BEGIN;
ALTER TABLE object ADD COLUMN fields BLOB;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class SQLiteStore(MemoryStore):
    """Implements Store on a file.

    Args:
        path: the database; made when missing.

    Raises:
        OperationError: the file is no database of ours, or of another version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._open(path)
            except BaseException:
                self._database.close()
                raise
        except sqlite3.DatabaseError as error:
            raise OperationError(
                f"{path}: is no usable database: {error}",
                remedy="Restore it from a copy, or start afresh with `leeward cluster delete`.",
            ) from error

    def _open(self, path: Path) -> None:
        database = self._database
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if not 0 <= version <= SCHEMA_VERSION:
            raise OperationError(
                f"{path}: database version {version}, but this leeward uses {SCHEMA_VERSION}",
                remedy="Use the leeward that wrote it, or another --state; nothing was changed.",
            )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_SCHEMA if version != 1 else _FROM_1)
        last = database.execute("SELECT value FROM revision").fetchone()[0]
        self._revision = self._oldest = last + (_GAP if version else 0)
        database.execute("UPDATE revision SET value = ?", (self._revision,))
        for resource, value, fields in database.execute("SELECT resource, value, fields FROM object"):
            obj = self._fields.joined(orjson.loads(value), fields)
            self._keep(resource, key_of(obj), obj, None)

    def _commit(self, resource: str, key: ObjectKey, obj: Obj | None, revision: int) -> None:
        """Write one change, and now and then the revision, in one transaction."""
        database = self._database
        if resource in VOLATILE:
            if revision % _RECORDED == 0:
                database.execute("UPDATE revision SET value = ?", (revision,))
            return
        statement, values = self._change(resource, key, obj)
        if revision % _RECORDED:
            database.execute(statement, values)  # a transaction of its own
            return
        database.execute("BEGIN IMMEDIATE")
        try:
            database.execute(statement, values)
            database.execute("UPDATE revision SET value = ?", (revision,))
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:  # a full disk has ended it already
                database.execute("ROLLBACK")
            raise

    def _change(self, resource: str, key: ObjectKey, obj: Obj | None) -> tuple[str, tuple[object, ...]]:
        if obj is None:
            return "DELETE FROM object WHERE resource = ? AND namespace = ? AND name = ?", (resource, *key)
        rest, fields = self._fields.split(obj)
        values = (resource, *key, orjson.dumps(rest), fields)
        return "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?)", values

    def close(self) -> None:
        """Close the database."""
        self._database.close()
