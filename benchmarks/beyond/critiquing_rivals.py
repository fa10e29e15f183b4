"""Rivals in critiquing: the field's published updates, and the trivial ones.

Formulae are those of the papers. Each is a talk with one user that `simulate_critiques` drives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import linprog
from sklearn.linear_model import LogisticRegression

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr._utils._ranking import top_items
from sktpecr.explanation._edit_search import edited_embeddings
from sktpecr.explanation._suggest_question import rank_questions

# Where there are thousands, the largest and smallest value is looked for among so many tags.
_N_NORMALS = 100


@dataclass
class Critics:
    """What methods know: a factor model, and the tags that are to be seen."""

    explainer: TPECRExplainer
    users: NDArray
    items: NDArray
    biases: NDArray
    tags: sp.csr_matrix
    interactions: sp.csr_matrix
    drawn: dict[int, NDArray] = field(default_factory=dict)

    def scored(self, embedding: NDArray) -> NDArray:
        return np.asarray(self.items @ embedding + self.biases)

    def of_tag(self, tag: int) -> NDArray:
        return self.tags[:, [tag]].toarray().ravel() > 0

    @cached_property
    def contrasts(self) -> NDArray:
        """The mean item of each tag less that of the others, a row per tag."""
        n_items, on = len(self.items), np.asarray((self.tags > 0).sum(axis=0)).ravel()
        sums = (self.tags > 0).astype(np.float64).T @ self.items
        others = (self.items.sum(axis=0) - sums) / np.maximum(n_items - on, 1)[:, np.newaxis]
        found = sums / np.maximum(on, 1)[:, np.newaxis] - others
        return np.where(((on > 0) & (on < n_items))[:, np.newaxis], found, 0.0)

    @cached_property
    def precision(self) -> NDArray:
        """Inverse covariance of the users' embeddings."""
        covariance = np.cov(self.users.T)
        ridge = 1e-9 * np.trace(covariance) * np.eye(len(covariance))
        return np.linalg.inv(covariance + ridge)

    @cached_property
    def frequencies(self) -> sp.csr_matrix:
        """How often each tag is on users' items."""
        return (self.interactions @ self.tags).tocsr()

    @cached_property
    def to_embedding(self) -> NDArray:
        """W: least squares from tag frequencies to embeddings, a row per tag."""
        gram = (self.frequencies.T @ self.frequencies).toarray()
        ridge = 1e-3 * np.trace(gram) / len(gram) * np.eye(len(gram))
        return np.linalg.solve(gram + ridge, self.frequencies.T @ self.users)

    @cached_property
    def normals(self) -> NDArray:
        """Those of the tags on most items, a row each."""
        often = np.argsort(-np.asarray(self.tags.sum(axis=0)).ravel(), kind="stable")
        return np.array([self.regressed(int(tag)) for tag in often[:_N_NORMALS]])

    def regressed(self, tag: int) -> NDArray:
        """The mean unit normal of logistic regressions of a tag on item embeddings."""
        if tag not in self.drawn:
            rng = np.random.RandomState(tag)
            on = self.of_tag(tag)
            sides = np.flatnonzero(on), np.flatnonzero(~on)
            normals = []
            for _ in range(20 if len(sides[0]) and len(sides[1]) else 0):
                rows = np.concatenate([rng.choice(each, 20) for each in sides])
                fitted = LogisticRegression().fit(self.items[rows], np.repeat([1, 0], 20))
                normals.append(fitted.coef_[0] / np.linalg.norm(fitted.coef_[0]))
            self.drawn[tag] = np.mean(normals, axis=0) if normals else np.zeros(self.items.shape[1])
        return self.drawn[tag]


@dataclass
class NoAnswer:
    """Ignores what is said: with shown items taken out, this turns the page."""

    critics: Critics
    user: int
    said: dict[int, float] = field(default_factory=dict)

    def scores(self) -> NDArray:
        return self.own

    @cached_property
    def own(self) -> NDArray:
        return self.critics.scored(self.embedding)

    @property
    def embedding(self) -> NDArray:
        return self.critics.users[self.user]

    def answer(self, tag: int, liked: bool) -> None:
        self.said[tag] = 1.0 if liked else -1.0

    def contradictions(self) -> NDArray:
        count = np.zeros(len(self.own))
        for tag, sign in self.said.items():
            count += self.critics.of_tag(tag) != (sign > 0)
        return count

    @property
    def usual(self) -> NDArray:
        """How often each of the tags that were spoken of is on the user's items."""
        row = self.critics.frequencies[[self.user]].toarray().ravel()
        used = row[row > 0]
        usual = used.mean() if len(used) else 1.0
        return np.maximum(row[list(self.said)], usual)


class KeepWhatFits(NoAnswer):
    def scores(self) -> NDArray:
        return self.own - 1e3 * np.ptp(self.own) * (self.contradictions() > 0)


class FewestContradictions(NoAnswer):
    def scores(self) -> NDArray:
        return self.own - 1e3 * np.ptp(self.own) * self.contradictions()


@dataclass
class Boost(NoAnswer):
    """A bonus on the items that carry the tag, in standard deviations of the scores."""

    size: float = 2.0

    def scores(self) -> NDArray:
        total = self.own.copy()
        for tag, sign in self.said.items():
            total += sign * self.size * self.own.std() * self.critics.of_tag(tag)
        return total


@dataclass
class PlainStep(NoAnswer):
    size: float = 0.5

    def scores(self) -> NDArray:
        at = self.embedding.astype(np.float64)
        for tag, sign in self.said.items():
            towards = self.critics.contrasts[tag]
            moved = (self.critics.items @ towards).std() or 1.0
            at = at + sign * self.size * self.own.std() * towards / moved
        return self.critics.scored(at)


class UAC(NoAnswer):
    def _answers(self) -> NDArray:
        rows = self.critics.to_embedding[list(self.said)]
        signs = np.array(list(self.said.values()))
        return (signs * self.usual)[:, np.newaxis] * (rows @ self.critics.items.T)

    def scores(self) -> NDArray:
        if not self.said:
            return self.own
        return (self.own + self._answers().sum(axis=0)) / (1 + len(self.said))


class BAC(UAC):
    def scores(self) -> NDArray:
        return (self.own + self._answers().mean(axis=0)) / 2 if self.said else self.own


class LLCScore(UAC):
    """Weights by the linear programme that lowers what contradicts, which is at the bounds."""

    def scores(self) -> NDArray:
        if not self.said:
            return self.own
        order = np.argsort(-self.own)
        against = self.contradictions()[order] > 0
        each = np.abs(self.usual)[:, np.newaxis] * (
            self.critics.to_embedding[list(self.said)] @ self.critics.items.T
        )
        if not against.any() or against.all():
            return self.own
        signs = np.array(list(self.said.values()))[:, np.newaxis]
        each = signs * each
        cost = each[:, order[against][:100]].mean(axis=1) - each[:, order[~against][:100]].mean(1)
        return self.own - np.sign(cost) @ each


@dataclass
class LLCRank(UAC):
    """Weights near uniform for which the first that contradict fall and the first others rise."""

    before: NDArray | None = None
    told: int = 0

    def scores(self) -> NDArray:
        if self.before is None:
            self.before = self.own
        if len(self.said) > self.told:
            self.told, self.before = len(self.said), self._solved(self.before)
        return self.before

    def _solved(self, before: NDArray) -> NDArray:
        order = np.argsort(-before)
        against = self.contradictions()[order] > 0
        fall, rise = order[against][:10], order[~against][:10]
        parts = np.vstack([self.own, self._answers()])
        n_weights, n_items = len(parts), len(fall) + len(rise)
        # theta, its distances from uniform, slack.
        cost = np.concatenate([np.zeros(n_weights), np.ones(n_weights), np.full(n_items, 200.0)])
        eye, none = np.eye(n_weights), np.zeros((n_weights, n_items))
        uniform = np.full(n_weights, 1 / n_weights)
        moved = np.hstack([parts[:, fall], -parts[:, rise]]).T
        limits = np.concatenate([before[fall] - 1, -before[rise] - 1])
        rows = [
            np.hstack([eye, -eye, none]),
            np.hstack([-eye, -eye, none]),
            np.hstack([moved, np.zeros((n_items, n_weights)), -np.eye(n_items)]),
        ]
        found = linprog(
            cost,
            np.vstack(rows),
            np.concatenate([uniform, -uniform, limits]),
            bounds=[(-2, 2)] * n_weights + [(0, None)] * (n_weights + n_items),
        )
        return found.x[:n_weights] @ parts if found.success else before


@dataclass
class BKVAE(NoAnswer):
    """Bayesian linear regression of the user's embedding on tags' normals."""

    precision: float = 1.0

    def scores(self) -> NDArray:
        if not self.said:
            return self.own
        prior, at = self.critics.precision, self.embedding
        inverse, pulled = prior.copy(), prior @ at
        values = self.critics.normals @ at
        for tag, sign in self.said.items():
            x = self.critics.regressed(tag)
            rho = self.precision / max(x @ np.linalg.solve(prior, x), 1e-12)
            inverse += rho * np.outer(x, x)
            pulled += rho * x * (values.max() if sign > 0 else values.min())
        return self.critics.scored(np.linalg.solve(inverse, pulled))


@dataclass
class ClosedForm(NoAnswer):
    """A refiner of this library, by its closed form or another solver."""

    strength: float = 1.0
    solver: str = "closed_form"
    refined: Any = None

    def answer(self, tag: int, liked: bool) -> None:
        super().answer(tag, liked)
        refiner = FeedbackRefiner(self.critics.explainer, solver=self.solver)
        told: dict[str, Any] = {"like" if liked else "dislike": [self.tag_model.tags[tag]]}
        who = {"user": self.tag_model.catalogue.users[self.user]}
        if self.refined is not None:
            who = {"after": self.refined}
        try:
            self.refined = refiner.refine(**who, **told, strength=self.strength)
        except ValueError:  # nothing that the answer could be set against
            return

    @property
    def tag_model(self) -> Any:
        return self.critics.explainer.tag_model_

    def scores(self) -> NDArray:
        return self.own if self.refined is None else self.refined.scores

    def question(self, tags: NDArray, candidates: NDArray) -> int:
        """By the information that is expected of the answer, as `suggest_question` asks."""
        at = self.embedding if self.refined is None else self.refined.embedding
        known = self.tag_model.scores_of(at), self.scores(), candidates, tags
        ranked = rank_questions(self.tag_model, *known)["tag"]
        return int(self.tag_model.tags.row(ranked[0])) if len(ranked) else int(tags[0])


@dataclass
class Default(ClosedForm):
    """This library as it comes."""

    solver: str = "auto"


class AskedByChange(ClosedForm):
    """The closed form, asked about the tag whose answer is expected to change most of the list."""

    def question(self, tags: NDArray, candidates: NDArray) -> int:
        at = self.embedding if self.refined is None else self.refined.embedding
        loadings = self.tag_model.steerability.loadings
        answers = loadings[tags] @ loadings.T
        edited = edited_embeddings(self.tag_model, at, np.vstack([answers, -answers]))
        listed = top_items(self.tag_model.scores_of(at), candidates, 10)
        stayed = [
            np.isin(listed, top_items(self.tag_model.scores_of(each), candidates, 10)).sum()
            for each in edited
        ]
        return int(tags[np.argmin(np.reshape(stayed, (2, -1)).sum(axis=0))])
