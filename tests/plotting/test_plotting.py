"""The figures draw what they say."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from implicit.als import AlternatingLeastSquares
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer, plotting
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_control

BLUE, VERMILION, GREY = "#0072b2", "#d55e00", "#999999"


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


class TestContributions:
    @pytest.mark.parametrize("n_tags", [1, 3, 6, 8])
    def test_bars_lead_from_the_average_user_to_this_user(self, explanation, n_tags):
        bars = plotting.plot_contributions(explanation, n_tags=n_tags).patches
        contributions = explanation.to_frame()["contribution"].to_numpy()
        expected = list(contributions[:n_tags])
        if n_tags < 6:
            expected.append(contributions[n_tags:].sum())
        expected.append(explanation.residual)
        np.testing.assert_allclose([bar.get_width() for bar in bars], expected, atol=1e-12)
        position = explanation.base_value
        for row, bar in enumerate(bars):
            assert bar.get_x() == pytest.approx(position, abs=1e-12)
            assert bar.get_y() + bar.get_height() / 2 == pytest.approx(row)
            position += bar.get_width()
        assert position == pytest.approx(explanation.value, abs=1e-12)

    def test_rows_are_named_by_their_tags(self, explanation):
        ax = plotting.plot_contributions(explanation, n_tags=3)
        frame = explanation.to_frame()
        expected = [
            f"{tag} (on item)" if on else tag
            for tag, on in zip(frame["tag"][:3], frame["on_item"][:3], strict=True)
        ]
        assert tick_labels(ax.yaxis) == [*expected, "3 more tags", "no tag sees"]
        np.testing.assert_array_equal(ax.get_yticks(), np.arange(5))
        everything = plotting.plot_contributions(explanation)
        assert not any("more tags" in label for label in tick_labels(everything.yaxis))
        n_on_item = sum("(on item)" in label for label in tick_labels(everything.yaxis))
        assert n_on_item == np.count_nonzero(explanation.item_tags) > 0

    def test_bars_carry_their_values(self, explanation):
        ax = plotting.plot_contributions(explanation)
        for bar, text in zip(ax.patches, ax.texts, strict=False):
            assert text.get_text() == f"{bar.get_width():+.3g}"
            right_end = max(bar.get_x(), bar.get_x() + bar.get_width())
            assert text.xy == pytest.approx((right_end, bar.get_y() + bar.get_height() / 2))

    def test_colours_tell_up_from_down_from_unseen(self, explanation):
        bars = plotting.plot_contributions(explanation).patches
        for bar in list(bars)[:-1]:
            assert to_hex(bar.get_facecolor()) == (BLUE if bar.get_width() > 0 else VERMILION)
        assert to_hex(bars[-1].get_facecolor()) == GREY
        assert {to_hex(bar.get_facecolor()) for bar in bars} == {BLUE, VERMILION, GREY}

    def test_both_users_are_marked(self, explanation):
        ax = plotting.plot_contributions(explanation)
        marks = [line.get_xdata()[0] for line in ax.lines]
        assert marks == [explanation.base_value, explanation.value]
        assert texts(ax)[-2:] == [
            f"average tags {explanation.base_value:.3g}",
            f"this user {explanation.value:.3g}",
        ]

    def test_the_account_leads_over_the_users_level_and_own_tags_alone(self, data):
        explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        told = explainer.fit(data.interactions).explain(7, data.item_ids[3])
        ax = plotting.plot_contributions(told)
        own = told.to_frame().query("on_item")["contribution"]
        widths = [bar.get_width() for bar in ax.patches]
        np.testing.assert_allclose(widths, [told.activity, *own, told.residual], atol=1e-12)
        assert tick_labels(ax.yaxis)[0] == "all scores of this user"
        assert told.base_value - told.activity + sum(widths) == pytest.approx(told.score)
        assert texts(ax)[-2] == f"average user {told.base_value - told.activity:.3g}"

    def test_first_tag_is_at_the_top_and_the_title_says_who_and_what(self, explanation):
        ax = plotting.plot_contributions(explanation)
        bottom, top = ax.get_ylim()
        assert bottom > len(ax.patches) - 1 > 0 > top
        assert ax.get_title(loc="left") == "Film 3, user 7"

    def test_everything_drawn_is_within_the_axes(self, explanation):
        ax = plotting.plot_contributions(explanation)
        left, right = ax.get_xlim()
        for bar in ax.patches:
            ends = sorted((bar.get_x(), bar.get_x() + bar.get_width()))
            assert left < ends[0] <= ends[1] < right
        assert left < explanation.base_value < right


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
        expected = [BLUE if value > 0 else VERMILION for value in profile["vs_population"]]
        assert [to_hex(colour) for colour in points.get_facecolors()] == expected
        assert set(expected) == {BLUE, VERMILION}

    def test_the_account_leads_over_the_users_level_and_own_tags_alone(self, data):
        explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        told = explainer.fit(data.interactions).explain(7, data.item_ids[3])
        ax = plotting.plot_contributions(told)
        own = told.to_frame().query("on_item")["contribution"]
        widths = [bar.get_width() for bar in ax.patches]
        np.testing.assert_allclose(widths, [told.activity, *own, told.residual], atol=1e-12)
        assert tick_labels(ax.yaxis)[0] == "all scores of this user"
        assert told.base_value - told.activity + sum(widths) == pytest.approx(told.score)
        assert texts(ax)[-2] == f"average user {told.base_value - told.activity:.3g}"

    def test_first_tag_is_at_the_top_and_the_unit_is_named(self, explainer):
        ax = plotting.plot_profile(explainer.profile(7))
        bottom, top = ax.get_ylim()
        assert bottom > top
        assert ax.get_xlabel() == "standard deviations from the average user"


class TestRefinement:
    @pytest.mark.parametrize("n", [1, 4, 10])
    def test_lines_lead_from_the_rank_before_to_the_rank_after(self, refinement, n):
        ax = plotting.plot_refinement(refinement, n=n)
        frame = refinement.recommend(n)
        assert len(ax.lines) == n
        for line, before, after in zip(ax.lines, frame["rank_before"], frame["rank"], strict=True):
            np.testing.assert_array_equal(line.get_xdata(), [0, 1])
            np.testing.assert_array_equal(line.get_ydata(), [before, after])
        assert tick_labels(ax.xaxis) == ["before", "after"]

    def test_colours_tell_up_from_down_from_unmoved(self, refinement):
        ax = plotting.plot_refinement(refinement, n=30)
        seen = set()
        for line in ax.lines:
            before, after = line.get_ydata()
            expected = BLUE if after < before else VERMILION if after > before else GREY
            assert to_hex(line.get_color()) == expected
            seen.add(expected)
        assert {BLUE, VERMILION} <= seen

    def test_unmoved_items_are_grey(self, explainer):
        ax = plotting.plot_refinement(FeedbackRefiner(explainer).refine(7))
        assert {to_hex(line.get_color()) for line in ax.lines} == {GREY}

    def test_items_are_named_beside_their_rank_and_long_names_are_cut(self, refinement):
        ax = plotting.plot_refinement(refinement, n=80)
        frame = refinement.recommend(80)
        assert "A title " * 20 in set(frame["name"])
        for text, name, rank in zip(texts(ax), frame["name"], frame["rank"], strict=True):
            shown = text.removeprefix(f"{rank}  ")
            assert shown == name or (len(shown) <= 44 and shown.endswith("..."))

    def test_best_rank_is_at_the_top_and_all_ranks_are_within_the_axes(self, refinement):
        ax = plotting.plot_refinement(refinement, n=20)
        bottom, top = ax.get_ylim()
        ranks = [rank for line in ax.lines for rank in line.get_ydata()]
        assert bottom > max(ranks) >= min(ranks) > top
        assert all(tick <= max(ranks) for tick in ax.get_yticks())
        assert tick_labels(ax.yaxis)[:3] == ["1", "2", "5"]

    def test_title_says_who_said_what(self, refinement):
        ax = plotting.plot_refinement(refinement)
        assert ax.get_title(loc="left") == "User 7: more tag_2, less tag_0"

    def test_refinement_of_an_explainer_without_interactions_can_be_drawn(self, data):
        als = AlternatingLeastSquares(factors=4, random_state=0)
        als.fit(data.interactions, show_progress=False)
        refiner = FeedbackRefiner(TPECRExplainer(als, data.item_tags))
        refined = refiner.refine(3, like="tag_1")
        frame = refined.recommend(10, exclude_seen=False)
        drawn = [line.get_ydata()[0] for line in refined.plot().lines]
        np.testing.assert_array_equal(drawn, frame["rank_before"])

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
    assert drawn[0].get_title(loc="left") == r"$3 \and $_ <i>, user 7"
    assert r"$\frac$" in drawn[2].get_title(loc="left")


@pytest.mark.parametrize("n_tags", [0, -1, 2.5])
def test_bad_numbers_of_tags_are_named(explanation, n_tags):
    with pytest.raises(ValueError, match="n_tags must be a whole number of at least 1"):
        plotting.plot_contributions(explanation, n_tags=n_tags)
    with pytest.raises(ValueError, match="n_tags must be a whole number of at least 1"):
        plotting.plot_importances([explanation], n_tags=n_tags)


class TestImportances:
    def test_bars_are_each_methods_own_relative_to_its_largest(self, explainer, explanation, data):
        lime = TPECRExplainer(
            explainer.recommender, data.item_tags, attribution=LimeAttribution(random_state=0)
        ).fit(data.interactions, item_names=explainer.item_names_)
        other = lime.explain(7, data.item_ids[3])
        ax = plotting.plot_importances([explanation, other], n_tags=4)
        tags = np.argsort(-np.abs(explanation.importances))[:4]
        assert tick_labels(ax.yaxis) == [explanation.tag_names[t] for t in tags]
        for one, container in zip([explanation, other], ax.containers, strict=True):
            expected = one.importances[tags] / np.abs(one.importances).max()
            np.testing.assert_allclose([bar.get_width() for bar in container], expected)
        legend = [text.get_text() for text in ax.get_legend().get_texts()]
        assert legend[0] == "GaussianGenerator, exact attribution"
        assert legend[1].startswith("GaussianGenerator, LIME (rank")

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
    written = [text.get_text() for text in ax.texts]
    assert written == [f"{value:+.2g}" for value in contributions[:, tags].ravel()]
    own = np.array([each.item_tags for each in explanations])[:, tags].ravel() > 0
    assert [text.get_fontweight() == "bold" for text in ax.texts] == own.tolist()
    assert [label.get_text() for label in ax.get_xticklabels()] == data.item_tags.columns[
        tags
    ].tolist()
    plt.close(ax.figure)


def test_list_is_of_one_user(explainer, data):
    explanations = [explainer.explain(user, data.item_ids[3]) for user in (7, 8)]
    for wrong in ([], explanations):
        with pytest.raises(ValueError, match="all for the same user"):
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
        assert colors <= {BLUE, VERMILION}
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
                np.testing.assert_allclose(line.get_ydata(), some["mean"])
            labels = [text.get_text() for text in ax.get_legend().get_texts()]
            assert labels == ["mine, the tag turned", "mine, another tag"]
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
