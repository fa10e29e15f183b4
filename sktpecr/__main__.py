"""Run with ``python -m sktpecr``: the main job on the shipped films, or the app."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from sktpecr import FeedbackRefiner, Refinement, TPECRExplainer, __version__, plotting
from sktpecr._inputs._feedback import AMOUNTS
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import TaggedInteractions, load_movielens
from sktpecr.evaluation import swap_score
from sktpecr.published import published_explainer, published_refiner


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m sktpecr", description=main_description())
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="train ALS on the shipped films, explain it, refine it",
        description="Train implicit's ALS on the shipped MovieLens films, show how it models a "
        "user, say why the first films of the list are there, and let feedback change it.",
    )
    demo.add_argument("--user", type=int, default=243, help="MovieLens user id (default: 243)")
    demo.add_argument(
        "--more", nargs="*", default=[], metavar="GENRE", help="genres to show more of"
    )
    demo.add_argument(
        "--less", nargs="*", default=["Horror"], metavar="GENRE", help="default: Horror"
    )
    demo.add_argument(
        "--amount", choices=list(AMOUNTS), default="more", help="how much more and less of them"
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("sktpecr-demo"),
        help="folder for the figures (default: ./sktpecr-demo)",
    )
    app = commands.add_parser(
        "app",
        help="the same model in a browser",
        description="Train implicit's ALS on the shipped MovieLens films and open its "
        "recommendations in a browser, until interrupted. Needs: pip install 'sktpecr[app]'",
    )
    app.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine alone")
    app.add_argument("--port", type=_port, default=8000, help="default: 8000")
    app.add_argument(
        "--store",
        default="sktpecr-conversations.sqlite",
        help="SQLite file that keeps conversations (default: ./sktpecr-conversations.sqlite)",
    )
    parsed = parser.parse_args(arguments)

    try:
        if parsed.command == "app":
            serve(parsed.host, parsed.port, parsed.store)
        else:
            run(parsed.user, parsed.more, parsed.less, parsed.amount, parsed.out)
    except (ValueError, OSError, ImportError) as error:
        print(f"{parser.prog} {parsed.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, got {text!r}")


def main_description() -> str:
    """Return what the package is, in a sentence."""
    return (sys.modules["sktpecr"].__doc__ or "").strip()


def run(user: int, more: list[str], less: list[str], amount: str, folder: Path) -> None:
    """Train, explain, refine, print, and write the figures."""
    data, als, explainer = _explained()

    with _step(f"What the model thinks user {user} likes, beside the average user"):
        profile = explainer.profile(user)
        ends = profile.iloc[[*range(4), *range(-4, 0)]]
        print(ends.to_string(index=False, float_format="{:+.3f}".format))

    with _step("What it recommends"):
        listed = explainer.recommend(user, 10)
        print(_table(listed))

    with _step("Why: a sentence for each of the first films"):
        for film in listed[:5].itertuples():
            print(f"{film.name}: {explainer.explain(user, film.item).to_text()}")

    with _step("Why the first film is recommended, in detail"):
        explanation = explainer.explain(user, listed["item"][0])
        print(explanation)

    refined = FeedbackRefiner(explainer).refine(user, like=more, dislike=less, amount=amount)
    with _step(f"The user answers: {refined.feedback}"):
        print(refined.to_text())

    with _step("What it recommends now, and where each film stood before"):
        print(_table(_with_moves(refined)))

    with _step("Films of these genres among the first 100, before and after"):
        everything = refined.recommend(len(data.item_ids))
        tags = data.item_tags.loc[everything["item"]]
        for genre in dict.fromkeys(more + less):
            counts = [
                int((tags[genre].to_numpy() > 0)[(everything[rank] <= 100).to_numpy()].sum())
                for rank in ("rank_before", "rank")
            ]
            print(f"{genre}: {counts[0]} -> {counts[1]}")

    with _step("Why the first film that came in is recommended"):
        now = refined.recommend(10)
        entered = now[now["rank_before"] > len(now)]
        newest = (entered if len(entered) else now)["item"].iloc[0]
        why = refined.explain(newest)
        print(f"{why.item_name}: {why.to_text()}")

    with _step("The same with the paper's own settings: CVAE, LIME of ranks, gradient steps"):
        published = published_explainer(als, data.item_tags, random_state=0)
        published.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
        met = swap_score(published, data.interactions), swap_score(explainer, data.interactions)
        print(f"swapped tag preferences met: published {met[0]:.4f}, default {met[1]:.4f} of 1")
        as_published = published.explain(user, explanation.item)
        print(f"{as_published.method}; fidelity {as_published.fidelity:.2f}")
        auditor = TPECRExplainer(als, data.item_tags, attribution=ExactAttribution())
        auditor.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
        exact = auditor.explain(user, explanation.item)
        agreement = spearmanr(exact.importances, as_published.importances).statistic
        print(f"rank correlation with the exact importances: {agreement:.2f}")
        online = published_refiner(published).refine(user, like=more, dislike=less)
        theirs, ours = online.recommend(100)["item"], refined.recommend(100)["item"]
        before = explainer.recommend(user, 100)["item"]
        print(
            f"first 100 films, shared: published and default {ours.isin(theirs).sum()}, before "
            f"and published {before.isin(theirs).sum()}, before and default "
            f"{before.isin(ours).sum()}"
        )

    with _step("Figures"):
        folder.mkdir(parents=True, exist_ok=True)
        figures: dict[str, Any] = {
            "explanation.png": explanation.plot(),
            "published.png": plotting.plot_importances([exact, as_published]),
            "profile.png": plotting.plot_profile(profile),
            "refinement.png": refined.plot(),
        }
        for name, ax in figures.items():
            ax.figure.savefig(folder / name, dpi=120)
            print((folder / name).resolve())


def serve(host: str, port: int, store: str) -> None:
    """Train, and serve conversations in a browser."""
    from sktpecr.app import serve as serve_app

    _check_free(host, port)
    *_, explainer = _explained()
    print(f"http://{host}:{port}/  (Ctrl+C ends it; conversations are kept in {store})", flush=True)
    serve_app(explainer, host=host, port=port, store=store)


def _check_free(host: str, port: int) -> None:
    """Refuse a port that is taken before anything is trained for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise OSError(
            f"cannot listen on port {port} of {host} ({error.strerror}); choose another with --port"
        ) from error


def _explained() -> tuple[TaggedInteractions, Any, TPECRExplainer]:
    """Return the films, a model trained on them, and its explainer."""
    from implicit.als import AlternatingLeastSquares

    with _step("Load the films that come with the package"):
        data = load_movielens()
        print(data)

    with _step("Train a recommender: ALS of the implicit library, 64 factors"):
        als = AlternatingLeastSquares(factors=64, random_state=0)
        als.fit(data.interactions, show_progress=False)

    with _step("Fit the explainer; the model stays as it is"):
        explainer = TPECRExplainer(als, item_tags=data.item_tags)
        explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
    return data, als, explainer


@contextmanager
def _step(title: str) -> Iterator[None]:
    print(f"\n== {title}")
    start = time.perf_counter()
    yield
    print(f"-- {time.perf_counter() - start:.3f} s")


def _with_moves(refined: Refinement) -> pd.DataFrame:
    frame = refined.recommend(10)
    moves = frame["rank_before"] - frame["rank"]
    frame["move"] = [f"up {move}" if move > 0 else f"down {-move}" * (move < 0) for move in moves]
    return frame


def _table(frame: pd.DataFrame) -> str:
    frame = frame.assign(name=frame["name"].str.slice(0, 50))
    return frame.to_string(index=False, float_format="{:.3f}".format)


if __name__ == "__main__":
    sys.exit(main())
