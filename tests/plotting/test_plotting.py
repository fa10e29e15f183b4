"""The figures draw what they say."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from implicit.als import AlternatingLeastSquares
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgb
from scipy.stats import spearmanr
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer, plotting
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_control
from sktpecr.plotting import _drawing as drawing

UP, DOWN, GREY = (each.lower() for each in (drawing.UP, drawing.DOWN, drawing.NEUTRAL))


@pytest.fixture(scope="module")
def data():
    return make_tagged_interactions(60, 80, 6, random_state=0)


@pytest.fixture(scope="module")
def explainer(data):
    names = [f"Film {number}" for number in range(79)] + ["A title " * 20]
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), data.item_tags, attribution=ExactAttribution()
    )
    return explainer.fit(data.interactions, item_names=names)


@pytest.fixture(scope="module")
def explanation(explainer, data):
    return explainer.explain(7, data.item_ids[3])


@pytest.fixture(scope="module")
def refinement(explainer):
    return FeedbackRefiner(explainer).refine(7, like="tag_2", dislike="tag_0", strength=3.0)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def arrows(ax):
    """Return start, end and row of each arrow, from the top."""
    outlines = [patch.get_xy() for patch in ax.patches]
    return [(xy[0, 0], xy[2, 0], xy[2, 1]) for xy in outlines]


def overlapping(ax):
    """Return pairs of texts of a figure that lie on one another."""
    ax.figure.canvas.draw()
    drawn = [
        (text.get_text(), text.get_window_extent())
        for text in [*ax.texts, *ax.get_yticklabels(), *ax.get_xticklabels(), ax._left_title]
        if text.get_text() and text.get_visible()
    ]
    return [
        (one, other)
        for (one, box), (other, other_box) in itertools.combinations(drawn, 2)
        if box.padded(-0.5).overlaps(other_box.padded(-0.5))
    ]


class TestContributions:
    @pytest.mark.parametrize("n_tags", [1, 3, 6, 8])
    def test_arrows_lead_from_the_first_value_to_the_last(self, explanation, n_tags):
        ways = arrows(plotting.plot_contributions(explanation, n_tags=n_tags))
        contributions = explanation.to_frame()["contribution"].to_numpy()
        expected = list(contributions[:n_tags])
        if n_tags < 6:
            expected.append(contributions[n_tags:].sum())
        expected.append(explanation.residual)
        np.testing.assert_allclose([end - start for start, end, _ in ways], expected, atol=1e-12)
        position = explanation.base_value
        for row, (start, end, middle) in enumerate(ways, start=1):
            assert start == pytest.approx(position, abs=1e-12)
            assert middle == row
            position = end
        assert position == pytest.approx(explanation.value, abs=1e-12)

    def test_rows_are_named_by_their_tags(self, explanation):
        ax = plotting.plot_contributions(explanation, n_tags=3)
        frame = explanation.to_frame()
        expected = [
            tag if on else f"{tag} (not its tag)"
            for tag, on in zip(frame["tag"][:3], frame["on_item"][:3], strict=True)
        ]
        assert tick_labels(ax.yaxis) == [
            "at average tag preferences",
            *expected,
            "3 more tags",
            "not explained by tags",
            "user 7",
        ]
        everything = tick_labels(plotting.plot_contributions(explanation).yaxis)
        assert not any("more tag" in label for label in everything)
        n_others = sum("(not its tag)" in label for label in everything)
        assert n_others == np.count_nonzero(explanation.item_tags == 0) > 0

    def test_arrows_carry_their_values_to_two_decimals(self, explanation):
        ax = plotting.plot_contributions(explanation)
        for (start, end, row), text in zip(arrows(ax), ax.texts, strict=False):
            assert float(text.get_text().replace("\N{MINUS SIGN}", "-")) == pytest.approx(
                end - start, abs=5e-3
            )
            assert len(text.get_text().partition(".")[2]) == 3  # the largest is under 0.1
            assert text.xy == pytest.approx((max(start, end), row))
        ends = [explanation.base_value, explanation.value]
        assert [float(text) for text in texts(ax)[-2:]] == pytest.approx(ends, abs=5e-3)

    def test_colours_tell_up_from_down_and_what_no_tag_explains_is_hollow(self, explanation):
        ax = plotting.plot_contributions(explanation)
        *told, rest = ax.patches
        for patch, (start, end, _) in zip(told, arrows(ax), strict=False):
            assert to_hex(patch.get_facecolor()) == (UP if end > start else DOWN)
        assert {to_hex(patch.get_facecolor()) for patch in told} == {UP, DOWN}
        assert to_hex(rest.get_edgecolor()) == GREY
        assert rest.get_facecolor()[3] == 0

    def test_the_account_leads_over_the_users_level_and_own_tags_alone(self, data):
        explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        told = explainer.fit(data.interactions).explain(7, data.item_ids[3])
        ax = plotting.plot_contributions(told)
        own = told.to_frame().query("on_item")["contribution"]
        sizes = [end - start for start, end, _ in arrows(ax)]
        np.testing.assert_allclose(sizes, [told.activity, *own, told.residual], atol=1e-12)
        first, level, *_ = tick_labels(ax.yaxis)
        assert first == "the average user"
        word = "higher" if told.activity > 0 else "lower"
        assert level == f"all scores of this user are\n{word}"
        assert arrows(ax)[0][0] == pytest.approx(told.base_value - told.activity)

    def test_first_tag_is_at_the_top_and_the_title_says_who_and_what(self, explanation):
        ax = plotting.plot_contributions(explanation)
        bottom, top = ax.get_ylim()
        assert bottom > len(ax.patches) + 1 > 0 > top
        assert ax.get_title(loc="left") == "Film 3, user 7: how the score adds up"
        assert ax.get_xlabel() == "score"

    def test_everything_drawn_is_within_the_axes(self, explanation):
        ax = plotting.plot_contributions(explanation)
        left, right = ax.get_xlim()
        assert all(
            left < min(start, end) <= max(start, end) < right for start, end, _ in arrows(ax)
        )

    def test_long_names_are_wrapped_and_nothing_lies_on_anything(self, data):
        tags = data.item_tags.set_axis(
            [f"a tag with words {'more ' * k}" for k in range(6)], axis=1
        )
        explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), tags)
        explainer.fit(data.interactions, item_names=["A title of many words " * 6] * 80)
        ax = plotting.plot_contributions(explainer.explain(7, data.item_ids[3]))
        assert overlapping(ax) == []
        assert max(map(len, ax.get_title(loc="left").splitlines())) <= 60
        assert ax.get_title(loc="left").count("\n") >= 2
        assert max(len(line) for each in tick_labels(ax.yaxis) for line in each.splitlines()) <= 30

    def test_small_scores_keep_their_digits(self, data):
        factors = np.random.RandomState(0).normal(size=(60, 4)), np.ones((80, 4)) * 1e-5
        explainer = TPECRExplainer(factors, data.item_tags).fit(data.interactions)
        ax = plotting.plot_contributions(explainer.explain(7, data.item_ids[3]))
        assert any(float(text.replace("\N{MINUS SIGN}", "-")) for text in texts(ax))


class TestProfile:
    def test_points_and_stems_stand_where_the_profile_says(self, explainer):
        profile = explainer.profile(7)
        ax = plotting.plot_profile(profile)
        values = profile["vs_population"].to_numpy()
        (points,) = [part for part in ax.collections if isinstance(part, PathCollection)]
        np.testing.assert_allclose(points.get_offsets(), np.column_stack([values, np.arange(6)]))
        (stems,) = [part for part in ax.collections if isinstance(part, LineCollection)]
        for row, segment in enumerate(stems.get_segments()):
            np.testing.assert_allclose(segment, [[0, row], [values[row], row]])
        assert tick_labels(ax.yaxis) == list(profile["tag"])

    def test_colours_tell_above_from_below_the_population(self, explainer):
        profile = explainer.profile(7)
        ax = plotting.plot_profile(profile)
        (points,) = [part for part in ax.collections if isinstance(part, PathCollection)]
        expected = [UP if value > 0 else DOWN for value in profile["vs_population"]]
        assert [to_hex(colour) for colour in points.get_facecolors()] == expected
        assert set(expected) == {UP, DOWN}

    def test_first_tag_is_at_the_top_and_the_unit_is_named(self, explainer):
        ax = plotting.plot_profile(explainer.profile(7))
        bottom, top = ax.get_ylim()
        assert bottom > top
        assert ax.get_xlabel() == "standard deviations from the average user"


class TestRefinement:
    @pytest.mark.parametrize("n", [1, 4, 10])
    def test_lines_lead_from_the_list_before_to_the_list_after(self, refinement, n):
        ax = plotting.plot_refinement(refinement, n=n)
        everything = refinement.recommend(80)
        drawn = everything[(everything["rank_before"] <= n) | (everything["rank"] <= n)]
        assert len(ax.lines) == len(drawn) > n
        for side, column in enumerate(("rank_before", "rank")):
            ends = [line.get_ydata()[side] for line in ax.lines]
            ranks = drawn[column].to_numpy()
            listed = ranks <= n
            np.testing.assert_array_equal(np.array(ends)[listed], ranks[listed])
            # Those outside are below a gap, in their order, a row each.
            below = np.array(ends)[~listed][np.argsort(ranks[~listed])]
            np.testing.assert_array_equal(below, n + 2 + np.arange(len(below)))
        assert tick_labels(ax.xaxis) == ["rank before", "rank after"]

    def test_colours_tell_up_from_down_and_what_left_is_faded(self, refinement):
        ax = plotting.plot_refinement(refinement, n=10)
        everything = refinement.recommend(80)
        drawn = everything[(everything["rank_before"] <= 10) | (everything["rank"] <= 10)]
        for line, before, after in zip(ax.lines, drawn["rank_before"], drawn["rank"], strict=True):
            expected = UP if after < before else DOWN if after > before else GREY
            assert to_hex(line.get_color()) == expected
            assert (line.get_linestyle() == ":") == (line.get_alpha() < 1) == (after > 10)
        assert {UP, DOWN} <= {to_hex(line.get_color()) for line in ax.lines}

    def test_unmoved_items_are_grey(self, explainer):
        ax = plotting.plot_refinement(FeedbackRefiner(explainer).refine(7))
        assert len(ax.lines) == 10
        assert {to_hex(line.get_color()) for line in ax.lines} == {GREY}

    def test_both_lists_are_labelled_with_rank_and_name(self, refinement):
        ax = plotting.plot_refinement(refinement, n=80)
        frame = refinement.recommend(80)
        assert "A title " * 20 in set(frame["name"])
        pairs = zip(texts(ax)[::2], texts(ax)[1::2], frame.itertuples(), strict=True)
        for left, right, row in pairs:
            shown = right.removeprefix(f"{row.rank}  ")
            assert left == f"{shown}  {row.rank_before}"
            assert shown == row.name or (len(shown) <= 40 and shown.endswith("…"))

    @pytest.mark.parametrize("n", [3, 10, 25])
    def test_labels_never_lie_on_one_another(self, refinement, n):
        assert overlapping(plotting.plot_refinement(refinement, n=n)) == []

    def test_best_rank_is_at_the_top_and_all_rows_are_within_the_axes(self, refinement):
        ax = plotting.plot_refinement(refinement, n=20)
        bottom, top = ax.get_ylim()
        rows = [row for line in ax.lines for row in line.get_ydata()]
        assert bottom > max(rows) >= min(rows) > top

    def test_title_says_who_said_what_and_how_much(self, explainer, refinement):
        ax = plotting.plot_refinement(refinement)
        assert ax.get_title(loc="left") == "User 7 said: more tag_2, less tag_0 (strength 3)"
        refiner = FeedbackRefiner(explainer)
        for given, title in (
            ({"like": "tag_2"}, "more tag_2 (usual amount)"),
            ({"like": "tag_2", "amount": "a lot"}, "a lot more tag_2"),
            (
                {"like": {"tag_2": 2.0}, "dislike": {"tag_0": 0.5}},
                "more tag_2, less tag_0 (strength 2 and 0.5)",
            ),
            ({}, "no feedback"),
        ):
            ax = plotting.plot_refinement(refiner.refine(7, **given))
            assert ax.get_title(loc="left") == f"User 7 said: {title}"

    def test_refinement_of_an_explainer_without_interactions_can_be_drawn(self, data):
        als = AlternatingLeastSquares(factors=4, random_state=0)
        als.fit(data.interactions, show_progress=False)
        refiner = FeedbackRefiner(TPECRExplainer(als, data.item_tags))
        refined = refiner.refine(3, like="tag_1")
        frame = refined.recommend(10, exclude_seen=False)
        names = [text.partition("  ")[2] for text in texts(refined.plot())[1::2]]
        assert set(map(str, frame["name"])) <= set(names)

    def test_nothing_left_to_recommend_draws_an_empty_list(self):
        rng = np.random.RandomState(0)
        model = (rng.normal(size=(5, 2)), rng.normal(size=(4, 2)))
        explainer = TPECRExplainer(model, np.eye(4)[:, :2]).fit(np.ones((5, 4)))
        ax = plotting.plot_refinement(FeedbackRefiner(explainer).refine(0, like="tag_1"))
        assert len(ax.lines) == 0
        ax.figure.canvas.draw()


@pytest.fixture(params=["contributions", "profile", "refinement"])
def draw(request, explainer, explanation, refinement):
    return {
        "contributions": lambda ax=None: plotting.plot_contributions(explanation, ax=ax),
        "profile": lambda ax=None: plotting.plot_profile(explainer.profile(7), ax=ax),
        "refinement": lambda ax=None: plotting.plot_refinement(refinement, ax=ax),
    }[request.param]


def test_figures_can_be_drawn_on_given_axes(draw):
    figure, (left, right) = plt.subplots(1, 2)
    assert draw(right) is right
    assert plt.get_fignums() == [figure.number]
    assert right.has_data()
    assert not left.has_data()
    figure.canvas.draw()


def test_figures_bring_their_own_axes_where_none_are_given(draw):
    first, second = draw(), draw()
    assert first.figure is not second.figure
    first.figure.canvas.draw()


def test_methods_draw_the_same(explanation, refinement):
    own = plotting.plot_contributions(explanation, n_tags=2)
    method = explanation.plot(n_tags=2)
    assert tick_labels(method.yaxis) == tick_labels(own.yaxis)
    assert texts(method) == texts(own)
    own, method = plotting.plot_refinement(refinement, n=3), refinement.plot(n=3)
    assert texts(method) == texts(own)
    _, ax = plt.subplots()
    assert explanation.plot(ax=ax) is ax
    assert refinement.plot(ax=plt.subplots()[1]) is not ax


def test_names_are_drawn_as_they_are(data):
    """Neither as HTML nor as the formulas that matplotlib reads between two dollar signs."""
    tags = data.item_tags.set_axis([r"$\frac$", "<b>war</b>", "a&b", "$x$", "e_1^2", "f"], axis=1)
    names = [rf"${number} \and $_ <i>" for number in range(80)]
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), tags)
    explainer.fit(data.interactions, item_names=names)
    explanation = explainer.explain(7, data.item_ids[3])
    refined = FeedbackRefiner(explainer).refine(7, like=[r"$\frac$", "$x$"])
    drawn = [
        plotting.plot_contributions(explanation),
        plotting.plot_profile(explainer.profile(7)),
        plotting.plot_refinement(refined),
    ]
    for ax in drawn:
        ax.figure.canvas.draw()  # where formulas are read
        named = [*ax.texts, *ax.get_yticklabels(), ax.title, ax._left_title]
        assert not any(text.get_parse_math() for text in named if "$" in text.get_text())
    assert any("<b>war</b>" in label for label in tick_labels(drawn[0].yaxis))
    assert drawn[0].get_title(loc="left").startswith(r"$3 \and $_ <i>, user 7")
    assert r"$\frac$" in drawn[2].get_title(loc="left")


@pytest.mark.parametrize("n_tags", [0, -1, 2.5])
def test_bad_numbers_of_tags_are_named(explanation, n_tags):
    with pytest.raises(ValueError, match="n_tags must be a whole number of at least 1"):
        plotting.plot_contributions(explanation, n_tags=n_tags)
    with pytest.raises(ValueError, match="n_tags must be a whole number of at least 1"):
        plotting.plot_importances([explanation], n_tags=n_tags)


class TestImportances:
    def test_bars_are_the_largest_of_both_relative_to_each_methods_largest(
        self, explainer, explanation, data
    ):
        lime = TPECRExplainer(
            explainer.recommender, data.item_tags, attribution=LimeAttribution(random_state=0)
        ).fit(data.interactions, item_names=explainer.item_names_)
        other = lime.explain(7, data.item_ids[3])
        ax = plotting.plot_importances([explanation, other], n_tags=2)
        order = np.argsort(-np.abs(explanation.importances))
        largest = {*order[:2], *np.argsort(-np.abs(other.importances))[:2]}
        tags = [tag for tag in order if tag in largest]
        assert tick_labels(ax.yaxis) == [explanation.tag_names[t] for t in tags]
        for one, container in zip([explanation, other], ax.containers, strict=True):
            expected = one.importances[tags] / np.abs(one.importances).max()
            np.testing.assert_allclose([bar.get_width() for bar in container], expected)
        legend = [text.get_text() for text in ax.get_legend().get_texts()]
        assert legend[0] == "GaussianGenerator, exact attribution"
        assert legend[1].startswith("GaussianGenerator, LIME (rank")
        agreement = spearmanr(explanation.importances, other.importances).statistic
        assert ax.get_title(loc="left").endswith(f"rank correlation {agreement:.2f}")
        hatches = [{bar.get_hatch() for bar in container} for container in ax.containers]
        assert hatches[0] != hatches[1]

    def test_explanations_of_different_items_are_refused(self, explainer, explanation, data):
        other = explainer.explain(7, data.item_ids[4])
        with pytest.raises(ValueError, match="of the same item for the same user"):
            plotting.plot_importances([explanation, other])


def test_list_is_a_heat_map_of_contributions(explainer, data):
    items = explainer.recommend(7, 4)["item"]
    explanations = [explainer.explain(7, item) for item in items]
    ax = plotting.plot_list(explanations, n_tags=3)
    contributions = np.array([each.contributions for each in explanations])
    tags = np.argsort(-np.abs(contributions).max(axis=0))[:3]
    np.testing.assert_array_equal(ax.images[0].get_array(), contributions[:, tags])
    own = np.array([each.item_tags for each in explanations])[:, tags].ravel() > 0
    values = contributions[:, tags].ravel()
    written = [float(text.replace("\N{MINUS SIGN}", "-")) for text in texts(ax)]
    shown = own | (values != 0)
    np.testing.assert_allclose(written, values[shown], atol=5e-3)
    bold = [text.get_fontweight() == "bold" for text in ax.texts]
    assert bold == own[shown].tolist()
    assert [label.get_text() for label in ax.get_xticklabels()] == data.item_tags.columns[
        tags
    ].tolist()
    plt.close(ax.figure)


def test_list_is_of_one_user(explainer, data):
    explanations = [explainer.explain(user, data.item_ids[3]) for user in (7, 8)]
    for wrong in ([], explanations):
        with pytest.raises(ValueError, match=r"of one Explanation at least|for the same user"):
            plotting.plot_list(wrong)


def test_everybody_is_a_strip_for_each_tag(explainer):
    table = explainer.explain_batch(n_items=5, n_tags=6)
    ax = plotting.plot_everybody(table, n_tags=4)
    sizes = table.assign(size=table["contribution"].abs()).groupby("tag", observed=True)["size"]
    expected = sizes.sum().sort_values(ascending=False).index[:4].tolist()
    assert tick_labels(ax.yaxis) == expected
    strips = [each for each in ax.collections if isinstance(each, PathCollection)]
    medians = [line for line in ax.lines if len(set(line.get_ydata())) == 2][:4]
    for row, (tag, strip, median) in enumerate(zip(expected, strips, medians, strict=True)):
        values = np.sort(table.loc[table["tag"] == tag, "contribution"].to_numpy())
        drawn = np.asarray(strip.get_offsets())
        np.testing.assert_array_equal(drawn[:, 0], values)
        assert np.abs(drawn[:, 1] - row).max() < 0.5
        colors = {to_hex(color) for color in strip.get_facecolors()}
        assert colors <= {UP, DOWN}
        assert median.get_xdata()[0] == np.median(values)
    plt.close("all")


def test_of_many_a_thousand_points_are_drawn():
    rng = np.random.RandomState(0)
    values = rng.normal(size=5000)
    ax = plotting.plot_everybody(pd.DataFrame({"tag": "one", "contribution": values}))
    (strip,) = ax.collections
    drawn = np.asarray(strip.get_offsets())
    assert len(drawn) == 1000
    assert drawn[:, 0].min() == values.min()
    assert drawn[:, 0].max() == values.max()
    assert abs(np.median(drawn[:, 0]) - np.median(values)) < 0.01
    # No two points lie on one another: those of one place are beside each other.
    assert len(np.unique(drawn, axis=0)) == 1000
    plt.close("all")


@pytest.mark.parametrize("wrong", [None, pd.DataFrame({"tag": ["a"]}), pd.DataFrame()])
def test_what_is_no_table_is_refused(wrong):
    with pytest.raises(ValueError, match="table must be what explain_batch returned"):
        plotting.plot_everybody(wrong)


class TestMethods:
    """What the explainer draws is what the functions draw of what it says."""

    def test_a_profile(self, explainer):
        ax = explainer.plot_profile(7)
        expected = plotting.plot_profile(explainer.profile(7))
        assert tick_labels(ax.yaxis) == tick_labels(expected.yaxis)
        newcomer = explainer.plot_profile(tags={"tag_1": 3.0})
        assert tick_labels(newcomer.yaxis)[0] == "tag_1"
        plt.close("all")

    def test_a_list(self, explainer):
        listed = explainer.recommend(7, 4)["item"]
        ax = explainer.plot_list(7, 4, n_tags=3)
        expected = plotting.plot_list([explainer.explain(7, item) for item in listed], n_tags=3)
        assert texts(ax) == texts(expected)
        assert tick_labels(ax.yaxis) == tick_labels(expected.yaxis)
        assert len(tick_labels(explainer.plot_list(tags={"tag_1": 1.0}, n=3).yaxis)) == 3
        plt.close("all")

    def test_everybody(self, explainer):
        ax = explainer.plot_everybody(range(20), n_items=3, n_tags=2)
        table = explainer.explain_batch(range(20), n_items=3, n_tags=6)
        expected = plotting.plot_everybody(table, n_tags=2)
        assert tick_labels(ax.yaxis) == tick_labels(expected.yaxis)
        for one, other in zip(ax.collections, expected.collections, strict=True):
            np.testing.assert_array_equal(one.get_offsets(), other.get_offsets())
        mine = explainer.plot_everybody([3], ax=expected)
        assert mine is expected
        plt.close("all")


class TestPaper:
    def test_control_draws_the_means_of_a_metric(self, data):
        explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        explainer.fit(data.interactions, train_users=range(40))
        measured = evaluate_control({"mine": explainer}, d=[1, -1, 0], k=[10, 20])
        for metric in (None, "F-Recall@20"):
            ax = plotting.plot_control(measured, metric)
            rows = measured[measured["metric"] == (metric or measured["metric"].iloc[0])]
            for line, tag in zip(ax.lines[:2], ("changed", "other"), strict=True):
                some = rows[rows["tag"] == tag].sort_values("d")
                np.testing.assert_array_equal(line.get_xdata(), [-1, 0, 1])
                np.testing.assert_allclose(line.get_ydata(), -some["mean"])
            labels = [text.get_text() for text in ax.get_legend().get_texts()]
            assert labels == ["mine, the changed tag", "mine, another tag"]
            up = ax.lines[0].get_ydata()
            assert up[0] < up[1] < up[2]  # more liking, higher in the list: success is up
        plt.close("all")

    def test_related_counts_and_shares_add_up(self):
        rng = np.random.RandomState(0)
        tags = pd.DataFrame({"importance": rng.normal(size=500), "related": rng.rand(500) < 0.3})
        ax = plotting.plot_related(tags, n_bins=9)
        heights = np.array([bar.get_height() for bar in ax.patches])
        assert heights.sum() == 500
        (share,) = [each for each in ax.figure.axes if each is not ax]
        curve, average = share.lines
        assert average.get_ydata()[0] == pytest.approx(tags["related"].mean())
        assert curve.get_ydata() @ heights == pytest.approx(tags["related"].sum())
        plt.close("all")

    def test_flat_importances_are_drawn(self):
        tags = pd.DataFrame({"importance": np.zeros(4), "related": [True, False, True, True]})
        assert sum(bar.get_height() for bar in plotting.plot_related(tags).patches) == 4
        plt.close("all")

    @pytest.mark.parametrize("wrong", [None, pd.DataFrame({"d": [1]}), pd.DataFrame()])
    def test_what_was_not_measured_is_refused(self, wrong):
        with pytest.raises(ValueError, match="must be"):
            plotting.plot_control(wrong)
        with pytest.raises(ValueError, match="must be"):
            plotting.plot_related(wrong)

    def test_a_metric_that_is_not_there_is_named(self):
        names = ["method", "tag", "d", "metric", "mean", "low", "high"]
        measured = pd.DataFrame([["a", "changed", 0, "F-MAP@10", 0, 0, 0]], columns=names)
        with pytest.raises(ValueError, match="one of 'F-MAP@10', got 'MAP'"):
            plotting.plot_control(measured, "MAP")


class TestPalette:
    # Machado and others (2009): how colours look to people without red, green and blue cones.
    MISSING = {
        "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998]],
        "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                  [-0.011820, 0.042940, 0.968881]],
        "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                 [0.004733, 0.691367, 0.303900]],
    }  # fmt: skip

    @staticmethod
    def linear(colour):
        rgb = np.array(to_rgb(colour))
        return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)

    @staticmethod
    def lab(linear):
        """Return lightness and the two colour axes of CIELAB."""
        to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        x, y, z = np.cbrt(np.clip(to_xyz @ linear, 1e-3, None) / [0.9505, 1.0, 1.089])
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    @pytest.mark.parametrize("missing", MISSING)
    def test_up_and_down_differ_for_the_colour_blind(self, missing):
        seen = [
            self.lab(np.array(self.MISSING[missing]) @ self.linear(each)) for each in (UP, DOWN)
        ]
        assert np.linalg.norm(seen[0] - seen[1]) > 40

    def test_up_and_down_differ_in_grey(self):
        light = [self.lab(self.linear(each))[0] for each in (UP, GREY, DOWN)]
        assert min(np.diff(light)) > 6
        assert light[-1] - light[0] > 18

    @pytest.mark.parametrize("colour", [UP, DOWN, GREY, *drawing.METHODS])
    def test_all_colours_stand_out_from_white_and_from_black(self, colour):
        luminance = self.linear(colour) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) > 3
        assert (luminance + 0.05) / 0.05 > 3


def test_on_a_dark_background_everything_can_be_read(explainer, explanation, refinement):
    with plt.style.context("dark_background"):
        axes = [
            plotting.plot_contributions(explanation),
            plotting.plot_importances([explanation]),
            plotting.plot_profile(explainer.profile(7)),
            plotting.plot_refinement(refinement),
        ]
    for ax in axes:
        drawn = [*ax.texts, *ax.get_yticklabels(), ax._left_title]
        assert {to_hex(text.get_color()) for text in drawn if text.get_text()} == {"#ffffff"}
        assert not any(to_hex(line.get_color()) == "#000000" for line in ax.lines)
    plt.close("all")


def test_zero_has_no_sign():
    assert drawing.written(-0.001, 2, "+") == "0.00"
    assert drawing.written(-0.31, 2, "+") == "\N{MINUS SIGN}0.31"
    assert [drawing.places(each) for each in ([], [0.0], [1.0, 0.001], [0.034], [3e-5])] == [
        2, 2, 2, 3, 6,
    ]  # fmt: skip
