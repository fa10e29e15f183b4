"""Files of others, downloaded once, checked before they are kept, and never passed on."""

from __future__ import annotations

import difflib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock

from tqdm.auto import tqdm

HOME_VARIABLE = "SKTPECR_DATA"
# What reading a damaged archive raises, besides OSError.
DAMAGE = (EOFError, zipfile.BadZipFile, zlib.error)
# Two threads that want the same file: the second finds what the first has brought.
_ONE_AT_A_TIME = Lock()


def check_name(name: str, known: Iterable[str]) -> None:
    """Raise unless `name` is one of the known data sets, and say which it may have been."""
    known = list(known)
    if name in known:
        return
    close = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.55)
    raise ValueError(
        f"name must be one of {', '.join(map(repr, known))}, got {name!r}"
        + (f"; did you mean {close[0]!r}?" if close else "")
    )


def download(
    base_url: str,
    file: str,
    check: Callable[[Path], object],
    *,
    terms: str | None = None,
    md5: str | None = None,
    md5_is_published: bool = False,
    data_home: str | os.PathLike[str] | None = None,
) -> Path:
    """Return the path of a file in the cache, downloaded if it is not there.

    Parameters
    ----------
    base_url : str
        Where the file is, up to and with the last slash.
    file : str
        Name of the file, there and in the cache.
    check : callable
        Takes the path of what came and raises if it is not what it should be. It is asked before
        the file is kept, and not of a file that is in the cache.
    terms : str, default=None
        Under which terms the file may be used: told when it is downloaded.
    md5 : str, default=None
        Checksum that is known beforehand. A file in the cache that differs is downloaded again.
    md5_is_published : bool, default=False
        If there is a file beside this one, named with ".md5" at the end, with its checksum.
    data_home : str or path, default=None
        The cache folder; by default what the environment variable ``SKTPECR_DATA`` says, else a
        folder "sktpecr" where the operating system keeps caches.

    Returns
    -------
    Path
        Path of a complete file.

    Raises
    ------
    OSError
        If it is not to be had whole. Nothing is left in the cache then.
    """
    import pooch  # late: nothing else needs it

    folder = Path(
        data_home or os.environ.get(HOME_VARIABLE) or pooch.os_cache("sktpecr")
    ).expanduser()

    def fetch(url: str, target: str, _: pooch.Pooch) -> None:
        if terms:
            pooch.get_logger().info(terms)
        # pooch sets the total; without one beforehand, it would take the bar for none.
        with tqdm(desc=file, total=1, unit="B", unit_scale=True, disable=None) as bar:
            pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, target, None)
        try:
            check(Path(target))
        except (OSError, *DAMAGE) as error:
            raise ValueError(f"what came is not the whole file: {error}") from error

    with _ONE_AT_A_TIME:
        try:
            if md5 is None and md5_is_published and not (folder / file).exists():
                md5 = _published_md5(f"{base_url}{file}.md5")
            known = {file: md5 and f"md5:{md5}"}
            store = pooch.create(path=folder, base_url=base_url, registry=known)
            return Path(store.fetch(file, downloader=fetch))
        except (OSError, ValueError) as error:
            raise OSError(
                f"{base_url}{file} could not be downloaded into the cache folder {folder}: "
                f"{error}. Without a connection, get the data in another way and say where they "
                f"are with local_path=...; data_home=... or the environment variable "
                f"{HOME_VARIABLE} chooses another cache folder"
            ) from error


def _published_md5(url: str) -> str:
    """Return the checksum in a small file such as md5 and md5sum write."""
    import pooch

    content = io.BytesIO()
    pooch.HTTPDownloader()(url, content, None)
    found = re.search(rb"\b[0-9a-f]{32}\b", content.getvalue().lower())
    if found is None:
        raise ValueError(f"{url} holds no MD5 checksum, but {content.getvalue()[:40]!r}")
    return found.group().decode()
