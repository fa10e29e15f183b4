"""The command of the paper's experiments, and those on synthetic data."""

import json
from functools import cache

import numpy as np
import pytest
from sklearn.metrics import ndcg_score
from sklearn.utils import Bunch

from benchmarks.common import data
from benchmarks.common.rows import Row
from benchmarks.paper import __main__ as paper
from benchmarks.paper import synthetic


def test_ndcg_agrees_with_scikit_learn_with_ties():
    random_state = np.random.RandomState(0)
    scores, gains = random_state.randint(4, size=(20, 9)), random_state.uniform(size=(20, 9))
    expected = [ndcg_score([gain], [score]) for gain, score in zip(gains, scores, strict=True)]
    np.testing.assert_allclose(synthetic.ndcg(scores, gains), expected)


def test_authors_data_is_the_stream_of_pythons_generator():
    import random

    stream = random.Random(synthetic.AUTHORS)  # noqa: S311
    expected = [[stream.random() for _ in range(5)] for _ in range(3)]
    found = synthetic.draw(synthetic.AUTHORS)
    assert found.tag_preferences[:3].tolist() == expected
    assert found.test_users.tolist() == list(range(900, 1000))
    assert found.train_users.tolist() == list(range(900))


@pytest.fixture
def quick(monkeypatch):
    """Fewer draws and test users, trained a 400th as long."""
    draw = cache(synthetic.draw)

    def small(seed):
        data = draw(seed)
        return Bunch(**{**data, "test_users": data.test_users[:20]})

    @cache
    def train(seed, name):
        data = draw(seed)
        users = data.train_users
        generator = synthetic.generators(shorter=400)[name]
        return generator.fit(data.tag_preferences[users], data.user_embeddings[users])

    monkeypatch.setattr(synthetic, "FRESH", (1, 2))
    monkeypatch.setattr(synthetic, "draw", small)
    monkeypatch.setattr(synthetic, "trained", train)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_synthetic_experiments_write_rows(quick, tmp_path, capsys):
    path = tmp_path / "results.json"
    asked = ["--table", "1", "2", "--data", "synthetic", "--json", str(path)]
    assert paper.main(asked) == 0
    assert "table 2 synthetic fresh" in capsys.readouterr().out
    text = path.read_text()
    assert str(tmp_path) not in text
    rows = {(each["name"], each["column"]): each for each in json.loads(text)["rows"]}
    exact = rows["table 1 synthetic seed 1550", "MSE Gaussian 3"]
    assert exact["here"] < 1e-12
    assert exact["holds"] is True
    expected = rows["table 1 synthetic fresh", "MSE Original 3"]
    assert expected["low"] <= expected["here"] <= expected["high"]
    assert expected["paper"] == 0.1027
    assert expected["holds"] is True
    own = rows["table 2 synthetic seed 1550", "tag 2 on item of tag 2"]
    assert own["here"] > rows["table 2 synthetic seed 1550", "tag 1 on item of tag 2"]["here"]


def test_failure_tells_so_and_the_others_go_on(monkeypatch, tmp_path, capsys):
    def counted(data_name, *_):
        if data_name == "goodbooks":
            raise FileNotFoundError("no books")
        return [Row(f"table 3 {data_name}", "users", 3.0)]

    monkeypatch.setattr("benchmarks.paper.counts.table3", counted)
    path = tmp_path / "results.json"
    asked = ["--table", "3", "--data", "goodbooks", "movielens-small", "--json", str(path)]
    assert paper.main(asked) == 1
    assert "table 3 goodbooks failed: FileNotFoundError: no books" in capsys.readouterr().err
    assert [each["name"] for each in json.loads(path.read_text())["rows"]] == [
        "table 3 movielens-small"
    ]


def test_counts_tell_what_the_filters_drop():
    rows = {
        each.column: each
        for each in paper.EXPERIMENTS["table 3"].load()("movielens-small", None, None, None)
    }
    assert rows["users before"].here == 671
    assert rows["items dropped"].here > 0
    assert rows["interactions of dropped items"].here <= 4 * rows["items dropped"].here
    assert (
        rows["interactions"].here + rows["interactions dropped"].here
        == rows["interactions before"].here
    )


@pytest.mark.parametrize("name", ["movielens-1m", "goodbooks"])
def test_missing_files_are_said(name, tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(FileNotFoundError, match=rf"--data {name}.*--data-dir.*parquet"):
            data.load(name, folder)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--table", "7"], "invalid choice: 7"),
        (["--table", "1", "--data", "goodbooks"], "table 1 needs --data to be one of synthetic"),
        (["--figure", "4", "--data", "synthetic"], "figure 4 needs --data to be one of movie"),
        (["--table", "1", "--data", "synthetic", "goodbooks"], "--data goodbooks fits none of"),
        (["--model", "svd"], "invalid choice: 'svd'"),
    ],
)
def test_command_line_errors(asked, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        paper.main(asked)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_no_experiment_named_means_all_that_fit():
    _, tasks = paper.parse(["--data", "synthetic"])
    on_synthetic_data = ("table 1", "table 2", "beyond planted")
    assert tasks == [(name, "synthetic", None) for name in on_synthetic_data]
    _, tasks = paper.parse(["--data", "goodbooks", "--model", "mf", "fm"])
    assert [task for task in tasks if task[2] is None] == [
        ("table 3", "goodbooks", None),
        ("beyond distilled", "goodbooks", None),
    ]
    assert {task[0] for task in tasks if task[2]} == {
        name for name, experiment in paper.EXPERIMENTS.items() if experiment.models
    }
    _, tasks = paper.parse(["--table", "1", "4", "--model", "mf"])
    assert tasks == [("table 1", "synthetic", None), ("table 4", "movielens-small", "mf")]
