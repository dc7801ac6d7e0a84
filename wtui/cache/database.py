"""The SQLite file: one for each user, of bounded size, shared by processes, and no more than a cache.

Transactions are short and there is no write-ahead log, since homes often lie on network file systems, where it does
not work. Records carry checksums, so that nothing has to be forced to the disk. What goes wrong means "no cache"; a
damaged file is thrown away. Knows keys and texts, not what they stand for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Database", "Usage", "clear", "database_path", "forbid", "is_wanted", "max_bytes", "usage"]

SWITCH, FOLDER, LIMIT = "WTUI_CACHE", "WTUI_CACHE_DIR", "WTUI_CACHE_MB"
"""Environment variables: `0` for no cache, another folder for it, and how many megabytes it may take."""

FILE_NAME = "statistics.sqlite"

DEFAULT_MEGABYTES = 256

ROOM = 0.9
"""Share of the limit down to which old entries are removed once it is reached, so that it is not reached at once."""

WAIT = 1.0
"""Seconds that a transaction waits for those of other processes."""

LAYOUT = 1
"""Of the tables; a file of another layout is emptied."""

TABLES = """
CREATE TABLE shelves (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, used REAL NOT NULL);
CREATE TABLE records (
    shelf INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (shelf, kind, subject)
);
"""

Result = TypeVar("Result")


class Usage(NamedTuple):
    """Where the cache is and what is in it."""

    path: str
    bytes: int
    limit: int
    models: int
    records: int
    problem: str = ""
    """Why there is no cache; `""` if there is one, be it empty."""


def is_wanted() -> bool:
    """Whether the environment leaves the cache switched on."""
    return os.environ.get(SWITCH, "").strip().lower() not in ("0", "no", "off", "false")


def forbid() -> None:
    """Switch the cache off in this process and those that it starts from now on."""
    os.environ[SWITCH] = "0"


def max_bytes() -> int:
    """Bytes that the file may take."""
    text = os.environ.get(LIMIT, "")
    try:
        megabytes = float(text) if text else DEFAULT_MEGABYTES
    except ValueError:
        megabytes = DEFAULT_MEGABYTES
    return int(megabytes * 1e6) if 0 <= megabytes < 1e9 else DEFAULT_MEGABYTES * 1_000_000


def database_path() -> str:
    """Where the file is, or would be."""
    folder = os.environ.get(FOLDER)
    if not folder:
        from platformdirs import user_cache_dir

        folder = user_cache_dir("wtui", appauthor=False)
    return os.path.join(folder, FILE_NAME)


class Database:
    """The file, opened when it is first needed. Every method may be called from any thread and raises nothing."""

    def __init__(self, path: str | None = None) -> None:
        self.path = path or database_path()
        self.problem = ""
        """Why it cannot be used; once it is set, it is left alone."""
        self._connection: sqlite3.Connection | None = None
        self._lock = Lock()

    def records(self, key: bytes) -> list[tuple[str, str, str]]:
        """(kind, subject, body) of everything on a shelf; marks it as used now."""
        return self._try(lambda c: _records(c, key), [], create=False)

    def put(self, key: bytes, entries: Iterable[tuple[str, str, str]]) -> bool:
        """Add (kind, subject, body) to a shelf, in place of what is there; removes what was not used for longest.

        Whether it was done.
        """
        return self._try(lambda c: _put(c, key, entries), False)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _try(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result, create: bool = True) -> Result:
        """Do it; a damaged file is replaced by an empty one, any other trouble ends the use of the cache."""
        with self._lock:
            for again in (True, False):
                if self.problem or not (create or os.path.exists(self.path)):
                    break
                try:
                    return work(self._open())
                except Exception as error:
                    trouble = _trouble(error)
                if trouble == "damaged" and again:
                    self._drop()
                elif trouble != "busy":
                    self.problem = trouble
            return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self.path)
        return self._connection

    def _drop(self) -> None:
        """Throw the file away; another process that has it open goes on with its own."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        try:
            os.remove(self.path)
        except OSError as error:
            self.problem = str(error)


def _trouble(error: Exception) -> str:
    """`busy` if it may work the next time, `damaged` if the file is no database of ours, else what is wrong."""
    try:
        import sqlite3
    except ImportError:
        return "this Python has no sqlite3"
    if isinstance(error, sqlite3.OperationalError):
        text = str(error)
        return "busy" if "locked" in text else "damaged" if text.startswith("no such") else text
    return "damaged" if isinstance(error, sqlite3.DatabaseError) else f"{type(error).__name__}: {error}"


def usage() -> Usage:
    """How large the cache is; never creates it."""
    path, limit = database_path(), max_bytes()
    if not is_wanted():
        return Usage(path, _size(path), limit, 0, 0, f"switched off by {SWITCH}")
    if not os.path.exists(path):
        return Usage(path, 0, limit, 0, 0, _cannot_be_made(path))
    database = Database(path)
    models, records = database._try(_count, (0, 0))
    database.close()
    return Usage(path, _size(path), limit, models, records, database.problem)


def clear() -> int:
    """Remove the file, and whatever a crashed process left beside it; bytes that were freed. OSError if it stays."""
    path = database_path()
    freed = 0
    for name in (path, f"{path}-journal", f"{path}-wal", f"{path}-shm"):
        size = _size(name)
        try:
            os.remove(name)
        except FileNotFoundError:
            continue
        freed += size
    return freed


def _connect(path: str) -> sqlite3.Connection:
    import sqlite3

    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        if connection.execute("PRAGMA user_version").fetchone()[0] != LAYOUT:
            _lay_out(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _lay_out(connection: sqlite3.Connection) -> None:
    """Make the tables, in a new file or in place of those of another version."""
    connection.execute("PRAGMA auto_vacuum = FULL")
    with _transaction(connection):
        if connection.execute("PRAGMA user_version").fetchone()[0] == LAYOUT:
            return  # another process was first
        for table in ("records", "shelves"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {LAYOUT}")


class _transaction:
    """Begins one that may write at once, so that two processes never wait for each other; commits or rolls back."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None and self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        elif kind is None:
            self._connection.execute("COMMIT")


def _records(connection: sqlite3.Connection, key: bytes) -> list[tuple[str, str, str]]:
    import sqlite3

    found = connection.execute("SELECT id FROM shelves WHERE key = ?", (key,)).fetchone()
    if found is None:
        return []
    rows = connection.execute("SELECT kind, subject, body FROM records WHERE shelf = ?", found).fetchall()
    try:
        with _transaction(connection):
            connection.execute("UPDATE shelves SET used = ? WHERE id = ?", (time.time(), found[0]))
    except sqlite3.OperationalError:
        pass  # a read-only home, or another process writes: what was read is as good
    return rows


def _put(connection: sqlite3.Connection, key: bytes, entries: Iterable[tuple[str, str, str]]) -> bool:
    with _transaction(connection):
        connection.execute(
            "INSERT INTO shelves (key, used) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET used = excluded.used",
            (key, time.time()),
        )
        shelf = connection.execute("SELECT id FROM shelves WHERE key = ?", (key,)).fetchone()[0]
        connection.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", ((shelf, *e) for e in entries))
        _make_room(connection)
    return True


def _make_room(connection: sqlite3.Connection) -> None:
    """Remove the shelves that were not used for longest, if there is more than may be."""
    limit = max_bytes()
    if _used_bytes(connection) <= limit:
        return
    for (shelf,) in connection.execute("SELECT id FROM shelves ORDER BY used").fetchall():
        connection.execute("DELETE FROM records WHERE shelf = ?", (shelf,))
        connection.execute("DELETE FROM shelves WHERE id = ?", (shelf,))
        if _used_bytes(connection) <= ROOM * limit:
            return


def _used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the file without what is free in it."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return int((pages - free) * size)


def _count(connection: sqlite3.Connection) -> tuple[int, int]:
    tables = ("shelves", "records")
    models, records = (connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables)
    return models, records


def _cannot_be_made(path: str) -> str:
    """Why the file could not be made; `""` if it could."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        above = os.path.dirname(folder)
        if os.path.exists(folder) or above == folder:
            return f"{folder} is no folder"
        folder = above
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written to"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
