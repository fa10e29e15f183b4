"""benchmarks/serving.py: each figure is there, and is of calls that were made."""

import re

import joblib
import numpy as np

from benchmarks import serving


def test_every_figure_is_measured(tmp_path, capsys):
    joblib.dump(serving.fitted(40, 200), tmp_path / "explainer.joblib")
    serving.measure(tmp_path / "explainer.joblib", calls=20, threads=[1, 8])
    said = capsys.readouterr().out
    for name in ("load", "first list", "first reasons", "first answer", "memory"):
        assert re.search(rf"^{name}: \d", said, re.M)
    found = re.findall(r"reasons, (\d) threads.*: p50 ([\d.]+) ms, p99 ([\d.]+) ms", said)
    assert [int(threads) for threads, *_ in found] == [1, 8, 8]
    assert all(0 < float(half) <= float(most) for _, half, most in found)
    assert said.endswith("after 60 calls\n")


def test_what_is_mapped_is_not_read(tmp_path):
    joblib.dump(serving.fitted(40, 200), tmp_path / "explainer.joblib")
    loaded = joblib.load(tmp_path / "explainer.joblib", mmap_mode="r")
    embeddings = loaded.tag_model_.user_embeddings
    while not isinstance(embeddings, np.memmap):
        embeddings = embeddings.base
    assert embeddings.filename.endswith("explainer.joblib")
