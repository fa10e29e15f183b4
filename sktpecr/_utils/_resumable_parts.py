"""Many users in parts: over workers, into a table or into a folder that survives being killed."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joblib import Parallel, delayed
from tqdm.auto import tqdm

from sktpecr._ids import listing

if TYPE_CHECKING:
    import pandas as pd

# Readers of Parquet datasets pass by what begins with an underscore or a dot.
_MANIFEST = "_manifest.json"
_VERSION = 1


def run_parts(
    work: Callable[[Any], pd.DataFrame],
    parts: Sequence[Any],
    known_of: Callable[[Any], Any],
    users_of: Callable[[Any], list[Any]],
    *,
    to: str | os.PathLike[str] | None,
    job: Callable[[], dict[str, Any]],
    n_jobs: int | None,
    resume: bool,
    progress: str,
) -> Any:  # a DataFrame, or a Path
    """Make a table of every part.

    Parameters
    ----------
    work : callable
        From what is known of a part to its table. Has to be pickled, for other processes.
    parts : sequence
        What there is to do.
    known_of : callable
        From a part to what a worker is given of it, asked for when it is that part's turn.
    users_of : callable
        From a part to its users, to be named if it fails.
    to : path or None
        Folder of the Parquet dataset to write; None returns one table.
    job : callable
        What is done, as a dict for JSON: parts made by another job are not taken for this one's.
        Not called without a folder.
    n_jobs : int or None
        See :class:`joblib.Parallel`.
    resume : bool
        Keep what is in the folder already.
    progress : str
        What the progress bar says.

    Returns
    -------
    DataFrame or Path
        All rows in the order of the parts, or the folder.
    """
    numbers = list(range(len(parts)))
    if to is None:
        folder = None
    else:
        folder = Path(to)
        _open(folder, {"version": _VERSION, "n_parts": len(parts), "job": job()}, resume)
        numbers = [number for number in numbers if not _file(folder, number).exists()]
    once = _Once(work)
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
    report = "; ".join(
        f"part {number} (users {listing(users_of(parts[number]))}): {failed[number]}"
        for number in sorted(failed)
    )
    if folder is not None:
        if failed:
            raise RuntimeError(
                f"{len(failed)} of {len(parts)} parts failed, the others are in {folder}: "
                f"{report}. Call again to try them again"
            )
        return folder
    if failed:
        if not found:
            raise RuntimeError(f"all {len(parts)} parts failed: {report}")
        warnings.warn(
            f"{len(failed)} of {len(parts)} parts failed, and their users are left out: {report}",
            stacklevel=4,
        )
    return _joined([found[number] for number in sorted(found)])


def _workers(n_jobs: int | None) -> Parallel:
    """Return joblib's workers, that give each part when it is done if the backend can."""
    try:
        return Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    except ValueError:  # Ray's gives all of them at the end
        return Parallel(n_jobs=n_jobs)


class _Once:
    """Work that says of itself that it is large: dask then sends it once to each worker."""

    def __init__(self, work: Callable[[Any], pd.DataFrame]) -> None:
        self.work = work

    def __call__(self, part: Any) -> pd.DataFrame:
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
    """Write a table so that the file is there with all of it, or not at all."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        table.to_parquet(half, engine="pyarrow", index=False)
        with half.open("rb+") as file:
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _open(folder: Path, manifest: dict[str, Any], resume: bool) -> None:
    """Make a folder ready: a new one, one to go on with, or one to begin anew."""
    try:
        import_module("pyarrow")
    except ImportError as error:  # not there, or made for another NumPy
        raise ImportError(
            f"to writes Parquet and needs pyarrow: pip install 'sktpecr[parquet]' ({error})"
        ) from error
    path = folder / _MANIFEST
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"to must be a folder, and {folder} is a file")
    if path.exists():
        if resume:
            _check_same_job(path, manifest)
        else:
            for part in [*folder.glob("part-*.parquet"), path]:
                part.unlink()
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"to must be a folder that is new, empty or was made here, and {folder} has other "
            f"files; name another one"
        )
    # Left by whoever was killed while writing.
    for half in folder.glob(".part-*.parquet.*"):
        half.unlink()
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half = folder / f".{_MANIFEST}"
        half.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        half.replace(path)


def _check_same_job(path: Path, manifest: dict[str, Any]) -> None:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        differences = list(_differences(there, manifest))
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is no manifest that can be read: {error}; pass resume=False to begin anew"
        ) from error
    if differences:
        raise ValueError(
            f"to holds parts of another job ({', '.join(differences)}); name another folder, or "
            f"pass resume=False to begin anew"
        )


def _differences(there: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    for name in ("version", "n_parts"):
        if there.get(name) != here[name]:
            yield f"{name} was {there.get(name)}, is {here[name]}"
    old, new = there.get("job", {}), here["job"]
    for name in [*new, *(old.keys() - new.keys())]:
        if old.get(name) != new.get(name):
            yield f"{name} was {old.get(name)}, is {new.get(name)}"


def _file(folder: Path, number: int) -> Path:
    return folder / f"part-{number:06d}.parquet"


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(tables, ignore_index=True)
