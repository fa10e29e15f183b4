"""Conversations in one SQLite file, so that a server that starts again goes on where it was."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversation (
    id TEXT PRIMARY KEY, document TEXT NOT NULL, touched REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS conversation_touched ON conversation (touched);
"""
# SQLite tries again for so long where another process holds the file.
_LOCKED_SECONDS = 2.0
_WRONG = {
    "SQLITE_BUSY": "is locked by another process",
    "SQLITE_LOCKED": "is locked by another process",
    "SQLITE_FULL": "finds no room on the disk",
    "SQLITE_READONLY": "is read-only",
}


class StoreError(OSError):
    """The file of conversations cannot be read or written for now."""


class ConversationStore:
    """Keep the conversations touched last, as JSON in an SQLite file; `max_age` is in seconds."""

    def __init__(
        self,
        path: str | os.PathLike[str] = ":memory:",
        *,
        max_conversations: int = 10_000,
        max_age: float = 30 * 86400.0,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_conversations, self.max_age, self._ticks = max_conversations, max_age, ticks
        self._path = os.fspath(path)
        # One connection, of which every use is under the lock: SQLite writes one at a time anyway.
        self._lock = threading.Lock()
        with self._told():
            self._connection = sqlite3.connect(
                path, _LOCKED_SECONDS, check_same_thread=False, isolation_level=None
            )
        try:
            with self._told():
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.executescript(_SCHEMA)
                last = self._connection.execute("SELECT max(touched) FROM conversation").fetchone()
        except StoreError:
            self._connection.close()
            raise
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise ValueError(f"store {self._path!r} is no SQLite file: {error}") from None
        # From here on seconds are counted, whatever becomes of the clock; and none backwards.
        self._began = max(clock(), last[0] or 0.0) - ticks()

    def create(self, document: str, prefix: str = "") -> str:
        """Keep a new conversation; return its id, which nobody can guess."""
        name = prefix + secrets.token_urlsafe(16)
        self.save(name, document)
        return name

    def save(self, name: str, document: str) -> None:
        """Keep what a conversation is now, and let go of what is too old or too much."""
        now = self._now()
        with self._told(), self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT OR REPLACE INTO conversation VALUES (?, ?, ?)", (name, document, now)
            )
            self._connection.execute(
                "DELETE FROM conversation WHERE touched < ? OR id IN (SELECT id FROM conversation "
                "ORDER BY touched DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (now - self.max_age, self.max_conversations),
            )

    def load(self, name: str) -> str | None:
        """Return a conversation, or None if there is no such."""
        with self._told(), self._lock:
            row = self._connection.execute(
                "SELECT document FROM conversation WHERE id = ? AND touched >= ?",
                (name, self._now() - self.max_age),
            ).fetchone()
        return row[0] if row else None

    def delete(self, name: str) -> None:
        """Forget a conversation."""
        with self._told(), self._lock:
            self._connection.execute("DELETE FROM conversation WHERE id = ?", (name,))

    def __len__(self) -> int:
        """Return how many there are."""
        with self._told(), self._lock:
            return int(self._connection.execute("SELECT count(*) FROM conversation").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _now(self) -> float:
        return self._began + self._ticks()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say of SQLite's errors what they are about."""
        try:
            yield
        except sqlite3.OperationalError as error:
            name = "_".join(error.sqlite_errorname.split("_")[:2])
            wrong = _WRONG.get(name, f"cannot be used ({error})")
            raise StoreError(
                f"the store of conversations {wrong}; nothing was changed, try again"
            ) from error
