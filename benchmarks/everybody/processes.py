"""Memory of a process and of those that it started, as Linux counts it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType


class Watch:
    """Look at this process's offspring ten times a second, and keep their peaks.

    What is counted is resident memory, shared pages of files included: of two workers that read
    the same factors, each is charged for them.
    """

    def __init__(self) -> None:
        self.peaks: dict[int, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            for pid in offspring(Path("/proc/self")):
                self.peaks[pid] = max(self.peaks.get(pid, 0.0), peak(pid))


def peak(pid: int | str = "self") -> float:
    """Return the largest resident memory so far in MB, 0 of a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1024 if "VmHWM" in lines else 0.0


def cpu_seconds() -> dict[int, float]:
    """Return the processor time of this process and of all below it, by their ids."""
    tick = os.sysconf("SC_CLK_TCK")
    found = {}
    for pid in [os.getpid(), *offspring(Path("/proc/self"))]:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except OSError:  # gone meanwhile
            continue
        user, system = text.rpartition(")")[2].split()[11:13]
        found[pid] = (int(user) + int(system)) / tick
    return found


def offspring(process: Path) -> Iterator[int]:
    """Yield the ids of all processes below one."""
    try:
        tasks = list((process / "task").iterdir())
        found = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    except OSError:
        return
    for pid in found:
        yield pid
        yield from offspring(Path(f"/proc/{pid}"))
