"""A folder of arrays and one JSON document, whole or not there, checked before it is believed.

What is read may come from anybody. Nothing of it is executed, no number of it is used as a size
before it is compared with the file, and every byte is hashed before it is looked at.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import secrets
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

_MANIFEST, _DOCUMENT = "manifest.json", "document.json"
# What a name may be: of this folder, and never one that leads out of it.
_NAME = re.compile(r"[0-9a-f]{16}\.[A-Za-z0-9_.]{1,200}")
# Files of a save that was killed are left alone for so many seconds: it may be still at work.
_STILL_AT_WORK = 3600.0
# The first bytes of a .npy file of numbers or text, as numpy writes them, and nothing else: what
# anybody wrote is matched, not evaluated.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<dtype>[|<>](?:b1|[iu][1248]|f[248]|U\d{1,9}))', "
    rb"'fortran_order': (?P<by_columns>True|False), 'shape': \((?P<shape>[\d, ]{0,60})\), \} *\n",
    re.DOTALL,
)


def write_folder(
    folder: Path, kind: str, version: int, document: Any, arrays: Mapping[str, NDArray]
) -> None:
    """Write arrays and a document, so that the folder has all of it or what it had before.

    Parameters
    ----------
    folder : Path
        New, empty, or written here before: then what is in it is replaced in one step.
    kind : str
        What it is a folder of.
    version : int
        Of the format of the document.
    document : object
        Whatever JSON knows.
    arrays : dict of str to ndarray
        By name.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder must be a folder, and {folder} is a file")
    before = folder / _MANIFEST
    if folder.exists() and not before.exists():
        strange = [path.name for path in folder.iterdir() if not _NAME.fullmatch(path.name)]
        if strange:
            raise ValueError(
                f"folder must be new, empty or saved to before, and {folder} has other files, "
                f"such as {sorted(strange)[0]!r}; name another one"
            )
    folder.mkdir(parents=True, exist_ok=True)
    # Names of its own: neither an older save nor one at the same time is touched.
    token = secrets.token_hex(8)
    files: dict[str, dict[str, Any]] = {}
    try:
        for name, array in arrays.items():
            files[f"{token}.{name}.npy"] = _write(folder / f"{token}.{name}.npy", array)
        text = json.dumps(document, allow_nan=False)
        files[f"{token}.{_DOCUMENT}"] = _write(folder / f"{token}.{_DOCUMENT}", text)
        manifest: dict[str, Any] = {"format": kind, "version": version, "files": files}
        manifest["sha256"] = _digest(manifest)
        half = folder / f"{token}.{_MANIFEST}"
        _write(half, json.dumps(manifest, indent=1))
        former = _files_of(before)
        half.replace(before)  # the one step that counts
    except BaseException:
        for path in folder.glob(f"{token}.*"):
            path.unlink(missing_ok=True)
        raise
    _sync(folder)
    _sweep(folder, former, token)


def read_folder(folder: Path, kind: str, version: int) -> tuple[Any, dict[str, NDArray]]:
    """Read what :func:`write_folder` wrote, or say which file is not what it was.

    Parameters
    ----------
    folder : Path
        From anybody.
    kind, version : str, int
        What it has to be.

    Returns
    -------
    document : object
        As JSON knows it.
    arrays : dict of str to ndarray
        By name.

    Raises
    ------
    ValueError
        If there is no such folder, or anything in it is not as it was written.
    """
    path = folder / _MANIFEST
    if not path.is_file():
        raise ValueError(f"{folder} has no {_MANIFEST}: nothing was saved there, or not to the end")
    text = path.read_bytes()
    while True:
        try:
            return _read(folder, text, kind, version)
        except ValueError:
            now = path.read_bytes()
            if now == text:
                raise
            text = now  # saved anew while it was read


def _read(folder: Path, text: bytes, kind: str, version: int) -> tuple[Any, dict[str, NDArray]]:
    where = folder / _MANIFEST
    manifest = _parse(where, text)
    if not isinstance(manifest, dict) or manifest.get("format") != kind:
        raise ValueError(f'{where} must have "format": "{kind}"')
    found = manifest.get("version")
    if found != version or isinstance(found, bool):
        raise ValueError(
            f"{where} is of version {found!r:.20}, and this sktpecr reads version {version}; load "
            f"it with the sktpecr that saved it, and save it again with a newer one"
        )
    files = manifest.get("files")
    if manifest.get("sha256") != _digest(manifest) or not isinstance(files, dict):
        raise ValueError(f"{where} was changed after it was written: its checksum is another")
    document, arrays = None, {}
    for name, entry in files.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{where} names {name!r:.80}, which is no file of a saved folder")
        content = _checked(folder / name, entry)
        inner = name.partition(".")[2]
        if inner == _DOCUMENT:
            document = _parse(folder / name, content)
        else:
            arrays[inner.removesuffix(".npy")] = _array(folder / name, content)
    if document is None:
        raise ValueError(f"{where} names no {_DOCUMENT}")
    return document, arrays


def _checked(path: Path, entry: Any) -> bytes:
    """Return the bytes of a file, if they are those that were written."""
    size, digest = (entry.get(key) if isinstance(entry, dict) else None for key in ("size", "hash"))
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would never end
            raise ValueError(f"{path} is no plain file")
        if found.st_size != size:
            raise ValueError(f"{path} has {found.st_size} bytes, and was written with {size!r:.30}")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} was changed after it was written: its checksum is another")
    return content


def _parse(path: Path, text: bytes) -> Any:
    try:
        return json.loads(text)
    # Brackets in brackets can be nested deeper than Python goes.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {str(error) or type(error).__name__}") from None


def _array(path: Path, content: bytes) -> NDArray:
    """Read a .npy file; its header is not believed before the file has as many bytes."""
    start = 10 + int.from_bytes(content[8:10], "little")
    header = _HEADER.fullmatch(content[:start])
    if header is None:
        raise ValueError(f"{path} is no array of numbers or text")
    dtype = np.dtype(header["dtype"].decode())
    shape = tuple(int(n) for n in header["shape"].replace(b",", b" ").split())
    if not dtype.itemsize or math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"{path} has another size than its header says, {shape!r:.80}")
    flat = np.frombuffer(content, dtype=dtype, offset=start)
    # A byte of 2 is neither true nor false, and what counts such bytes is led out of its memory.
    if dtype.kind == "b" and flat.size and flat.view(np.uint8).max() > 1:
        raise ValueError(f"{path} has values that are neither true nor false")
    if dtype.kind == "f" and not np.isfinite(flat).all():
        raise ValueError(f"{path} has NaN or infinite values")
    array = flat.reshape(shape, order="F" if header["by_columns"] == b"True" else "C")
    # A copy, in the order of bytes of this machine: compiled code asks for no other.
    return array.astype(dtype.newbyteorder("="), order="K")


def _write(path: Path, content: NDArray | str) -> dict[str, Any]:
    """Write a file to the disk; return what to know it by."""
    with path.open("xb+") as file:
        if isinstance(content, str):
            file.write(content.encode())
        else:
            npy.write_array(file, content, version=(1, 0), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
        file.seek(0)
        return {"size": size, "hash": hashlib.file_digest(file, "sha256").hexdigest()}


def _files_of(manifest: Path) -> set[str]:
    """Return the files of the save that is about to be replaced, none if it cannot be read."""
    try:
        return {
            name for name in json.loads(manifest.read_bytes())["files"] if _NAME.fullmatch(name)
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()


def _digest(manifest: Mapping[str, Any]) -> str:
    said = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _sync(folder: Path) -> None:
    """Have the names written to the disk as well as what they stand for."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path, former: set[str], token: str) -> None:
    """Remove what the last save wrote, and long after what those left that were killed."""
    old = time.time() - _STILL_AT_WORK
    for path in folder.iterdir():
        ours = _NAME.fullmatch(path.name) and not path.name.startswith(token)
        if ours and (path.name in former or path.stat().st_mtime < old):
            path.unlink(missing_ok=True)
