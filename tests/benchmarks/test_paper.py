"""The frame of benchmarks/paper.py: rows, the file of results, the ledger, the command line."""

import json
import tomllib
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import ndcg_score
from sklearn.utils import Bunch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

import write_results

from benchmarks.common import data, results
from benchmarks.common.published import published
from benchmarks.common.rows import Row, interval, mean_row, ratio_row, row, show
from benchmarks.pages import ledger
from benchmarks.paper import __main__ as paper
from benchmarks.paper import synthetic  # noqa: E402

NAME = "table 5 movielens-1m mf like"


def claim(rule, **more):
    here = {"experiment": "table 5", "data": ["movielens-1m"], "model": ["mf"], "what": ["like"]}
    return {**here, "columns": ["F-Rank c_u"], "rule": rule, **more}


def with_rows(*rows):
    return {"about": {"experiments": {}}, "rows": [asdict(each) for each in rows]}


def test_rows_are_shown_beside_the_papers():
    rows = [
        Row(NAME, "F-Rank c_u", 31.25, 20.0, 42.5, 36.0, holds=True),
        Row(NAME, "pairs", 1000.0),
        Row("table 3 goodbooks", "users", 53424.0, paper=58318.0, holds=False),
    ]
    assert show(rows).splitlines() == [
        "                               here  low  high  paper  holds",
        "table 5 movielens-1m mf like",
        "  F-Rank c_u                  31.25   20  42.5     36    yes",
        "  pairs                        1000",
        "table 3 goodbooks",
        "  users                       53424             58318     NO",
    ]


def test_row_takes_the_papers_number_and_no_nan():
    found = row("table 4 movielens-1m mf", "MSE CVAE", np.float32(np.nan), holds=np.False_)
    assert asdict(found) == {
        "name": "table 4 movielens-1m mf",
        "column": "MSE CVAE",
        "here": None,
        "low": None,
        "high": None,
        "paper": 0.0001,
        "holds": False,
    }
    json.dumps(asdict(found), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("table 1 synthetic fresh", "MSE CVAE 3", 3.521e-6),
        ("table 2 synthetic seed 1550", "tag 4 on item of tag 4", 0.2856),
        ("table 3 goodreads-comics", "items", 35146),
        ("table 5 goodbooks ncf dislike", "F-Rank e_u", 80.72),
        ("table 6 movielens-small fm like", "F-Rank c_u reg=0", -867.56),
        ("figure 4 movielens-10m mf", "F-MAP@1000 d=-0.5 raw changed", 0.0267),
        ("figure 5 movielens-1m fm", "related average", 0.1436),
        ("table 4 goodbooks mf", "MSE Gaussian", None),
        ("table 5 goodbooks mf like equal overlap", "F-Rank c_u", None),
    ],
)
def test_published_numbers_are_found_by_our_names(name, column, value):
    assert published(name, column) == value


def test_interval_covers_the_mean():
    values = np.random.RandomState(0).normal(1.0, 1.0, size=400)
    low, high = interval(values)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.02)
    assert mean_row("x", "y", [3.0, 3.0]).low == 3.0
    assert mean_row("x", "y", [3.0]).low is None


def test_ratio_is_of_means_over_the_same_units():
    below = np.random.RandomState(0).uniform(1, 9, size=100)
    found = ratio_row("x", "y", 0.5 * below, below)
    np.testing.assert_allclose([found.here, found.low, found.high], 0.5)


def test_results_of_an_experiment_run_again_replace_its_rows(tmp_path):
    path = tmp_path / "new" / "results.json"
    names = [
        "table 4 movielens-1m mf",
        "table 4 movielens-1m mf one tag",
        "table 4 movielens-1m fm",
    ]
    for model, rows in (("mf", names[:2]), ("fm", names[2:])):
        rows = [Row(name, "x", 1.0) for name in rows]
        kept = results.read(path)
        results.write(results.merge(kept, "table 4", "movielens-1m", model, rows, 1.5), path)
    again = [Row(names[0], "y", 2.0)]
    results.write(
        results.merge(results.read(path), "table 4", "movielens-1m", "mf", again, 2.0), path
    )
    kept = json.loads(path.read_text())
    assert [(each["name"], each["here"]) for each in kept["rows"]] == [(names[0], 2), (names[2], 1)]
    assert kept["about"]["seconds"] == 3.5
    assert set(kept["about"]) == {
        "commit", "date", "command", "seconds", "versions", "experiments",
    }  # fmt: skip
    assert kept["about"]["experiments"][names[0]]["command"] == (
        "python benchmarks/paper.py --table 4 --data movielens-1m --model mf --data-dir FOLDER"
    )
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]


def test_rows_under_the_name_of_another_experiment_are_refused():
    stray = [Row("table 4 movielens-1m mf2", "x", 1.0)]
    with pytest.raises(ValueError, match=r"other names.*mf2"):
        results.merge(with_rows(), "table 4", "movielens-1m", "mf", stray, 1.0)


@pytest.mark.parametrize(
    ("rule", "low", "high", "verdict"),
    [
        ("above 0", 1.0, 3.0, "holds"),
        ("above 0", -3.0, -1.0, "does not hold"),
        ("above 0", -1.0, 3.0, "undecided"),
        ("below 0", -3.0, -1.0, "holds"),
        ("below 0", -1.0, 1.0, "undecided"),
        ("not below 0", -1.0, 1.0, "holds"),
        ("not below 0", -2.0, -1.0, "does not hold"),
        ("not above 0", 1.0, 2.0, "does not hold"),
        ("includes 0", -1.0, 1.0, "holds"),
        ("includes 0", 1.0, 2.0, "does not hold"),
        ("at most 2", 1.0, 3.0, "holds"),
        ("at least 2.5", 1.0, 3.0, "does not hold"),
    ],
)
def test_rules_of_claims(rule, low, high, verdict):
    rows = with_rows(Row(NAME, "F-Rank c_u", (low + high) / 2, low, high))
    assert ledger.judge(claim(rule), rows).verdict == verdict


def test_claim_on_several_rows():
    rows = [Row(NAME, "F-Rank c_u", 1.0, holds=True), Row(NAME, "improved c_u", 0.4, holds=False)]
    several = claim("bar", columns=["F-Rank c_u", "improved c_u"])
    assert ledger.judge(several, with_rows(*rows)).verdict == "holds in part"
    some = ledger.judge(claim("bar", columns=["F-Rank c_u", "pairs"]), with_rows(*rows))
    assert some.verdict == "holds"
    assert some.remarks == ["1 of 2 numbers were run."]


def test_claim_without_rows_was_not_run_here():
    judged = ledger.judge(claim("above 0"), with_rows())
    assert judged.verdict == "not run here"
    assert judged.found == []
    assert judged.command == (
        "python benchmarks/paper.py --table 5 --data movielens-1m --model mf --data-dir FOLDER"
    )
    unseen = ledger.judge(claim("above 0", cannot="no files"), with_rows())
    assert (unseen.verdict, unseen.remarks[0]) == ("cannot be tested", "Why: no files.")


def test_claim_that_cannot_be_tested_says_why():
    judged = ledger.judge({"cannot": "nobody knows"}, with_rows())
    assert (judged.verdict, judged.remarks) == ("cannot be tested", ["Why: nobody knows."])


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="no such rule: 'beyond 0'"):
        ledger.judge(claim("beyond 0"), with_rows(Row(NAME, "F-Rank c_u", 1.0)))


def test_claims_are_complete_and_of_known_experiments():
    claims = tomllib.loads((write_results.DOCS / "claims.toml").read_text(encoding="utf-8"))
    needed = {"experiment", "data", "columns", "rule"}
    for each in claims["claim"]:
        assert {"section", "source", "claim"} <= set(each), each
        assert needed <= set(each) or "cannot" in each, each
        if "rule" in each:
            experiment = paper.EXPERIMENTS[each["experiment"]]
            assert set(each["data"]) <= set(experiment.data), each
            assert set(each.get("model", [])) <= set(paper.MODELS), each
            assert ("model" in each) == experiment.models, each


def test_pages_are_what_the_results_say(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["write_results.py", "--check"])
    status = write_results.main()
    assert status == 0, capsys.readouterr().out + "run python benchmarks/write_results.py"


def test_same_experiment_in_two_files_is_refused(tmp_path):
    for name in ("a.json", "b.json"):
        kept = results.merge(with_rows(), "table 3", "goodbooks", None, [], 1.0)
        results.write(kept, tmp_path / name)
    with pytest.raises(SystemExit, match=r"b\.json: another file has results of table 3 goodbooks"):
        write_results.read_all(tmp_path)


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

    monkeypatch.setattr("experiments.counts.table3", counted)
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
