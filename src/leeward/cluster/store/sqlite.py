"""The durable store: the memory store, with every write in SQLite before it is seen.

SQLite in WAL mode with synchronous=NORMAL: a commit is in the operating system's hands when it returns,
so it survives ``kill -9`` of this process (a power cut of the whole machine may lose the last moments).
Leases are kept in memory only: they are heartbeats, worth nothing after a restart, and writing six of
them a second would keep an idle disk busy.

Writes of one turn of the event loop may share a transaction (:meth:`SQLiteStore.batch`): components see them
at once, everybody else is told later in that loop, when they are durable.

Invariant: after a restart revisions go on above every revision ever acknowledged; the watch history
starts anew, so a watch from before is answered 410 Gone and lists again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import orjson

from leeward.base.errors import OperationError
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, ObjectKey, key_of

logger = logging.getLogger(__name__)
SCHEMA_VERSION = 3  # 1 had no column `fields`, in 1 and 2 rows were kept in the order of keys
VOLATILE = frozenset(("leases.coordination.k8s.io",))
_GAP = 1000  # revisions skipped at start, as not every one is recorded
_RECORDED = _GAP // 2  # one of so many is
_MOST_WAITING = _RECORDED  # changes of a batch, so that no more revisions are lost than are skipped
_CHECKPOINT_PAGES = 8192  # of 4 KiB in the log before they are moved, which waits for the disk
_CACHE_KIB = 32 * 1024  # at most
_TABLE = """CREATE TABLE IF NOT EXISTS object (
    resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, fields BLOB,
    PRIMARY KEY (resource, namespace, name));"""  # rows of some kilobytes in the order in which they came
_SCHEMA = f"""
BEGIN;
{_TABLE}
CREATE TABLE IF NOT EXISTS revision (only INTEGER PRIMARY KEY CHECK (only = 0), value INTEGER NOT NULL);
INSERT OR IGNORE INTO revision VALUES (0, 1);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_CONVERSION = f"""
BEGIN;
ALTER TABLE object RENAME TO earlier;
{_TABLE}
INSERT INTO object SELECT resource, namespace, name, value, %s FROM earlier;
DROP TABLE earlier;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_SCRIPTS = {1: _CONVERSION % "NULL", 2: _CONVERSION % "fields"}  # by the version that is there
_PUT = """INSERT INTO object VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, fields = excluded.fields"""


class SQLiteStore(MemoryStore):
    """Implements Store on a file.

    Args:
        path: the database; made when missing.

    Raises:
        OperationError: the file is no database of ours, or of another version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._waiting: list[tuple[str, tuple[object, ...]]] = []  # changes that are not in the database yet
        self._in_batch = False
        self._refused = False  # what waits was refused by the disk, and nothing more is taken
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
        database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        database.executescript(_SCRIPTS.get(version, _SCHEMA))
        last = database.execute("SELECT value FROM revision").fetchone()[0]
        self._revision = self._oldest = last + (_GAP if version else 0)
        database.execute("UPDATE revision SET value = ?", (self._revision,))
        for resource, value, fields in database.execute("SELECT resource, value, fields FROM object"):
            obj = self._fields.joined(orjson.loads(value), fields)
            self._keep(resource, key_of(obj), obj, None)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Write what is written meanwhile in one transaction, at the end."""
        if self._in_batch:
            yield
            return
        self._in_batch = True
        try:
            yield
        finally:
            self._in_batch = False
            try:
                self._flush()
            except sqlite3.Error:
                self._refused = True
                logger.exception("changes are not stored yet; the next write tries again, or is refused")

    def _commit(self, resource: str, key: ObjectKey, obj: Obj | None, revision: int) -> None:
        """Write one change, and now and then the revision, in one transaction."""
        if resource in VOLATILE and revision % _RECORDED:
            return
        if self._waiting and (self._refused or not self._in_batch or len(self._waiting) >= _MOST_WAITING):
            self._flush()  # what a full disk has refused comes first
        change = None if resource in VOLATILE else self._change(resource, key, obj)
        self._waiting += [change] if change is not None else []
        if revision % _RECORDED == 0:
            self._waiting.append(("UPDATE revision SET value = ?", (revision,)))
        if not self._in_batch:
            try:
                self._flush()
            except BaseException:
                self._waiting.clear()
                raise

    def _flush(self) -> None:
        """Write all changes that wait, in one transaction; if that fails, they go on waiting."""
        changes, database = self._waiting, self._database
        if len(changes) == 1:
            database.execute(*changes[0])  # a transaction of its own
        elif changes:
            database.execute("BEGIN IMMEDIATE")
            try:
                for statement, group in groupby(changes, key=itemgetter(0)):
                    database.executemany(statement, map(itemgetter(1), group))
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # a full disk has ended it already
                    database.execute("ROLLBACK")
                raise
        changes.clear()
        self._refused = False

    def _change(self, resource: str, key: ObjectKey, obj: Obj | None) -> tuple[str, tuple[object, ...]]:
        if obj is None:
            return "DELETE FROM object WHERE resource = ? AND namespace = ? AND name = ?", (resource, *key)
        rest, fields = self._fields.split(obj)
        values = (resource, *key, orjson.dumps(rest), fields)
        return _PUT, values

    def close(self) -> None:
        """Close the database."""
        try:
            self._flush()
        finally:
            self._database.close()
