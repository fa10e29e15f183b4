"""Many users in parts: over workers, into a table or into a folder that survives being killed."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from sktpecr._utils._atomic_file import atomic_file
from sktpecr._utils._only_one import only_one
from sktpecr._utils._orphans import end_with

# Readers of Parquet datasets pass by what begins with an underscore or a dot.
_MANIFEST, _VERSION = "_manifest.json", 2
# What joblib makes of arrays and models.
_FINGERPRINT = re.compile("[0-9a-f]{32}")


def run_parts(
    work: Callable[[Any], pd.DataFrame],
    parts: Sequence[Any],
    known_of: Callable[[Any], Any],
    users_of: Callable[[Any], str],
    *,
    to: str | os.PathLike[str] | None,
    job: Callable[[], dict[str, Any]],
    n_jobs: int | None,
    resume: bool,
    progress: str,
) -> Any:  # a DataFrame, or a Path
    """Make a table of every part; return one of all rows, or the folder they are written to."""
    # Workers are given `known_of(part)`, asked for when it is that part's turn; `users_of` is for
    # messages. Parts in a folder that were made by another `job` are not taken for this one's.
    if to is not None and not isinstance(to, str | os.PathLike):
        raise ValueError(f"to must be the path of a folder, got {to!r:.80}")
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise ValueError(
            f"n_jobs must be a whole number of workers, or -1 for all cores, got {n_jobs!r:.80}"
        )
    with ExitStack() as held:
        # Absolute: workers that were kept may stand in another folder by now.
        folder = None if to is None else Path(to).absolute()
        if folder is not None:
            _make_folder(folder)
            held.enter_context(only_one(folder))
            _open(folder, {"version": _VERSION, "n_parts": len(parts), **job()}, resume)
        found, failed = _run(_Once(work), parts, known_of, folder, n_jobs, progress)
    said = f"{len(failed)} of {len(parts)} parts failed"
    report = "; ".join(
        f"part {number} (users {users_of(parts[number])}): {failed[number]}"
        for number in sorted(failed)
    )
    if folder is not None:
        if failed:
            raise RuntimeError(
                f"{said}, the others are in {folder}: {report}. Call again to try them again"
            )
        return folder
    if failed and not found:
        raise RuntimeError(f"all {len(parts)} parts failed: {report}")
    if failed:
        warnings.warn(f"{said}, and their users are left out: {report}", stacklevel=4)
    return pd.concat([found[number] for number in sorted(found)], ignore_index=True)


def _run(
    once: _Once,
    parts: Sequence[Any],
    known_of: Callable[[Any], Any],
    folder: Path | None,
    n_jobs: int | None,
    progress: str,
) -> tuple[dict[int, Any], dict[int, str]]:
    """Make the parts that are not there yet; return their tables, and what went wrong, by part."""
    numbers = list(range(len(parts)))
    if folder is not None:
        numbers = [number for number in numbers if not _is_whole(_file(folder, number))]
    found: dict[int, Any] = {}
    failed: dict[int, str] = {}
    done = _workers(n_jobs)(
        delayed(_make)(once, known_of(parts[number]), number, folder) for number in numbers
    )
    for number, table, error in tqdm(
        done, desc=progress, total=len(numbers), unit="part", delay=3, disable=None
    ):
        if error is None:
            found[number] = table
        else:
            failed[number] = error
    return found, failed


def _workers(n_jobs: int | None) -> Parallel:
    """Return joblib's workers, that give each part when it is done if the backend can."""
    try:
        return Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    except ValueError:  # Ray's gives all of them at the end
        return Parallel(n_jobs=n_jobs)


class _Once:
    """Work that says of itself that it is large: dask then sends it once to each worker."""

    def __init__(self, work: Callable[[Any], pd.DataFrame]) -> None:
        self.work, self.caller = work, os.getpid()

    def __call__(self, part: Any) -> pd.DataFrame:
        end_with(self.caller)
        return self.work(part)

    def __sizeof__(self) -> int:
        return 2**20


def _make(
    work: Callable[[Any], pd.DataFrame], part: Any, number: int, folder: Path | None
) -> tuple[int, Any, str | None]:
    """Return the table of a part, or write it; say what went wrong."""
    try:
        table = work(part)
        if folder is None:
            return number, table, None
        _write(table, _file(folder, number))
        return number, None, None
    except Exception as error:  # another part's users are not to suffer
        return number, None, f"{type(error).__name__}: {error}"


def _write(table: pd.DataFrame, path: Path) -> None:
    with atomic_file(path) as file:
        table.to_parquet(file, engine="pyarrow", index=False)


def _make_folder(folder: Path) -> None:
    """Make a folder, if it is not there and can be used."""
    try:
        import_module("pyarrow")
    except ImportError as error:  # not there, or made for another NumPy
        raise ImportError(
            f"to writes Parquet and needs pyarrow: pip install 'sktpecr[parquet]' ({error})"
        ) from error
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"to must be a folder, and {folder} is a file")
    folder.mkdir(parents=True, exist_ok=True)


def _open(folder: Path, job: dict[str, Any], resume: bool) -> None:
    """Make a folder ready: a new one, one to go on with, or one to begin anew."""
    path = folder / _MANIFEST
    # Left by whoever was killed while writing.
    for half in [*folder.glob(".part-*.parquet.*"), *folder.glob(f".{_MANIFEST}.*")]:
        half.unlink()
    if path.exists() and resume:
        _check_same_job(path, job)
    elif path.exists():
        for part in [*folder.glob("part-*.parquet"), path]:
            part.unlink()
    elif any(folder.iterdir()):
        raise ValueError(
            f"to must be a folder that is new, empty or was made here, and {folder} has other "
            f"files; name another one"
        )
    if not path.exists():
        with atomic_file(path) as file:
            file.write(json.dumps(job, indent=1).encode())


def _check_same_job(path: Path, job: dict[str, Any]) -> None:
    try:
        there = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is no manifest that can be read: {error}; pass resume=False to begin anew"
        ) from error
    others = [name for name in {**job, **there} if there.get(name) != job.get(name)]
    if not others:
        return
    hashed = [name for name in others if _is_fingerprint(job.get(name))]
    differences = [
        f"{name} was another"
        if name in hashed
        else f"{name} was {there.get(name)}, is {job.get(name)}"
        for name in others
    ]
    # A batch goes on with what began it, to the last bit.
    is_other = {"model", "explainer", "attribution"} & set(hashed)
    way_out = "this is not the explainer that began it: load that, " if is_other else ""
    raise ValueError(
        f"to holds parts of another job ({', '.join(differences)}); {way_out}name another folder, "
        f"or pass resume=False to begin anew"
    )


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and _FINGERPRINT.fullmatch(value) is not None


def _is_whole(path: Path) -> bool:
    """Tell whether a part is there to its last byte, where Parquet has its footer."""
    if not path.exists():
        return False
    try:
        import_module("pyarrow.parquet").read_metadata(path)
    except (ValueError, OSError):  # pyarrow's own errors are of these kinds
        return False
    return True


def _file(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.parquet"
