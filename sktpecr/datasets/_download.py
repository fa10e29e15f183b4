"""Files of others, downloaded once, checked before they are kept, and never passed on."""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from numbers import Integral
from pathlib import Path
from threading import Lock
from typing import Any

from sklearn.utils._param_validation import Interval
from tqdm.auto import tqdm

HOME_VARIABLE = "SKTPECR_DATA"
# What reading a damaged archive raises, besides OSError.
DAMAGE = (EOFError, zipfile.BadZipFile, zlib.error)
# The checksum of a file that may change: in a file beside it, named with ".md5" at the end.
PUBLISHED = "published"
# What every fetch_... takes, for validate_params.
PARAMETERS = {
    "name": [str],
    "min_item_interactions": [Interval(Integral, 0, None, closed="left")],
    "min_user_interactions": [Interval(Integral, 0, None, closed="left")],
    "local_path": [str, os.PathLike, None],
    "data_home": [str, os.PathLike, None],
}
# A bar of progress, none where nobody watches.
IN_BYTES: dict[str, Any] = {"unit": "B", "unit_scale": True, "disable": None}
# Two threads that want the same file: the second finds what the first has brought.
_ONE_AT_A_TIME = Lock()


def download(
    url: str,
    check: Callable[[Path], object],
    *,
    checksum: str | None = None,
    terms: str | None = None,
    data_home: str | os.PathLike[str] | None = None,
) -> Path:
    """Return the path of a complete file in the cache; `check` raises on a new one that is not."""
    import pooch  # late: nothing else needs it

    file = url.rsplit("/", 1)[1]
    folder = Path(
        data_home or os.environ.get(HOME_VARIABLE) or pooch.os_cache("sktpecr")
    ).expanduser()

    def fetch(url: str, target: str, _: Any) -> None:
        if terms:
            pooch.get_logger().info(terms)
        # pooch sets the total; without one beforehand, it would take the bar for none.
        with tqdm(desc=file, total=1, **IN_BYTES) as bar:
            pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, target, None)
        try:
            check(Path(target))
        except (OSError, *DAMAGE) as error:
            raise ValueError(f"what came is not the whole file: {error}") from error

    with _ONE_AT_A_TIME:
        try:
            if checksum == PUBLISHED:
                checksum = None if (folder / file).exists() else _published_md5(f"{url}.md5")
            return Path(pooch.retrieve(url, checksum, file, folder, downloader=fetch))
        except (OSError, ValueError) as error:
            raise OSError(
                f"{url} could not be downloaded into the cache folder {folder}: {error}. Without "
                f"a connection, get the data in another way and say where they are with "
                f"local_path=...; data_home=... or the environment variable {HOME_VARIABLE} "
                f"chooses another cache folder"
            ) from error


def _published_md5(url: str) -> str:
    """Return the checksum in a small file such as md5 and md5sum write."""
    import pooch

    content = io.BytesIO()
    pooch.HTTPDownloader()(url, content, None)
    found = re.search(rb"\b[0-9a-f]{32}\b", content.getvalue().lower())
    if found is None:
        raise ValueError(f"{url} holds no MD5 checksum, but {content.getvalue()[:40]!r}")
    return f"md5:{found.group().decode()}"
