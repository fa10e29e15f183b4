"""The store of conversations: one SQLite file, bounded in number and age."""

import sqlite3
import threading
import time

import pytest

from sktpecr.app._store import ConversationStore, StoreError


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_what_is_saved_is_there_after_a_restart(tmp_path):
    store = ConversationStore(tmp_path / "talks.sqlite")
    name = store.create("one")
    store.save(name, "two")
    store.close()
    again = ConversationStore(tmp_path / "talks.sqlite")
    assert again.load(name) == "two"
    assert len(again) == 1
    again.delete(name)
    assert again.load(name) is None
    again.delete(name)


def test_ids_differ_and_cannot_be_guessed():
    store = ConversationStore()
    names = {store.create("{}") for _ in range(200)}
    assert len(names) == 200
    assert min(map(len, names)) >= 22  # 128 bits


def test_beyond_the_cap_the_oldest_go():
    clock = Clock()
    store = ConversationStore(max_conversations=3, ticks=clock)
    names = []
    for _ in range(3):
        clock.now += 1
        names.append(store.create("{}"))
    clock.now += 1
    store.save(names[0], "touched")
    clock.now += 1
    names.append(store.create("{}"))
    kept = [store.load(name) is not None for name in names]
    assert kept == [True, False, True, True]
    assert len(store) == 3


def test_what_nobody_touches_expires():
    clock = Clock()
    store = ConversationStore(max_age=10, ticks=clock)
    old = store.create("{}")
    clock.now += 11
    assert store.load(old) is None
    store.create("{}")
    assert len(store) == 1


def test_a_file_that_is_something_else_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no database, but long enough to have a header " * 10)
    with pytest.raises(ValueError, match="no SQLite file"):
        ConversationStore(path)
    assert path.read_text().startswith("no database")


def test_threads_write_at_once(tmp_path):
    store = ConversationStore(tmp_path / "talks.sqlite")
    names = [store.create("{}") for _ in range(8)]

    def write(name):
        for number in range(50):
            store.save(name, f"{name} {number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.load(name) for name in names] == [f"{name} 49" for name in names]
    store.close()
    rows = sqlite3.connect(tmp_path / "talks.sqlite").execute("PRAGMA integrity_check").fetchall()
    assert rows == [("ok",)]


def test_beside_ten_thousand_others_a_conversation_is_kept_as_fast(tmp_path):
    store = ConversationStore(tmp_path / "talks.sqlite", max_conversations=10_000)
    rows = [(f"other {number}", "{}" * 200, float(number)) for number in range(12_000)]
    with store._connection:
        store._connection.execute("BEGIN")
        store._connection.executemany("INSERT INTO conversation VALUES (?, ?, ?)", rows)
    store.max_age = float("inf")
    name = store.create("mine")
    assert len(store) == 10_000  # the oldest went
    spent = []
    for turn in range(50):
        start = time.perf_counter()
        store.save(name, f"mine, turn {turn}")
        assert store.load(name) == f"mine, turn {turn}"
        spent.append(time.perf_counter() - start)
    assert sorted(spent)[25] < 0.05
    assert store.load("other 11999") is not None
    assert store.load("other 0") is None
    store.close()


@pytest.mark.parametrize("jump", [365 * 86400.0, -365 * 86400.0])
def test_a_clock_that_jumps_deletes_nothing(tmp_path, jump):
    wall, ticks = Clock(), Clock()
    store = ConversationStore(tmp_path / "talks.sqlite", max_age=10, clock=wall, ticks=ticks)
    name = store.create("{}")
    wall.now += jump
    ticks.now += 5
    other = store.create("{}")
    assert (store.load(name), store.load(other)) == ("{}", "{}")
    ticks.now += 6
    assert (store.load(name), store.load(other)) == (None, "{}")
    store.close()
    if jump < 0:  # set back while the server was away: what is there is not from the future
        again = ConversationStore(tmp_path / "talks.sqlite", max_age=10, clock=wall, ticks=ticks)
        assert again.load(other) == "{}"
        ticks.now += 11
        assert again.load(other) is None


def test_what_keeps_the_store_from_being_written_is_told(tmp_path):
    path = tmp_path / "talks.sqlite"
    store = ConversationStore(path)
    name = store.create("{}")
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="finds no room on the disk; nothing was changed"):
        store.save(name, "x" * 100_000)
    assert store.load(name) == "{}"
    store._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="is read-only; nothing was changed, try again"):
        store.save(name, "two")
    store.close()
    with pytest.raises(StoreError, match="cannot be used"):
        ConversationStore(tmp_path / "nowhere" / "talks.sqlite")
