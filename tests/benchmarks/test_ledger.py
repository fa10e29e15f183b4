"""The ledger: claims of the paper, judged by rows."""

import tomllib
from dataclasses import asdict

import pytest

from benchmarks.common.rows import Row
from benchmarks.pages import ledger
from benchmarks.pages.results import DOCS
from benchmarks.paper import __main__ as paper

NAME = "table 5 movielens-1m mf like"


def claim(rule, **more):
    here = {"experiment": "table 5", "data": ["movielens-1m"], "model": ["mf"], "what": ["like"]}
    return {**here, "columns": ["F-Rank c_u"], "rule": rule, **more}


def with_rows(*rows):
    return {"about": {"experiments": {}}, "rows": [asdict(each) for each in rows]}


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
        "python -m benchmarks.paper --table 5 --data movielens-1m --model mf --data-dir FOLDER"
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
    claims = tomllib.loads((DOCS / "claims.toml").read_text(encoding="utf-8"))
    needed = {"experiment", "data", "columns", "rule"}
    for each in claims["claim"]:
        assert {"section", "source", "claim"} <= set(each), each
        assert needed <= set(each) or "cannot" in each, each
        if "rule" in each:
            experiment = paper.EXPERIMENTS[each["experiment"]]
            assert set(each["data"]) <= set(experiment.data), each
            assert set(each.get("model", [])) <= set(paper.MODELS), each
            assert ("model" in each) == experiment.models, each
