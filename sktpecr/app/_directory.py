"""What there is to talk about: titles, tags, example people, and the search among them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._ids import Ids
from sktpecr.app import _schemas as schemas
from sktpecr.app._wire_ids import WireIds
from sktpecr.datasets._titles import spoken_title
from sktpecr.explanation._explain_item import profile_of
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.explanation._words import spoken
from sktpecr.tags._user import User

_APOSTROPHES, _BETWEEN_WORDS = re.compile("['’`]"), re.compile(r"[\W_]+")
_YEAR = re.compile(r"^(?P<title>.+) \((?P<year>\d{4})\)$")
_N_FOUND, _N_FILMS, _N_TASTE, _N_TOOK = 8, 18, 5, 3
# Example people are sought among so many, who took neither few items nor very many.
_N_SOUGHT, _N_PLAIN, _FEW, _MANY = 2000, 12, 20, 400
# Tags that tell examples apart, and the cosine from which on two tastes are too much alike.
_N_TELLING, _ALIKE = 40, 0.3


class Directory:
    """Users, items and tags of a fitted explainer, as the page names them."""

    def __init__(self, explainer: TPECRExplainer, page: Mapping[str, str]) -> None:
        self.explainer, self.page = explainer, page
        self.tag_model = tag_model = explainer.tag_model_
        self.catalogue = catalogue = tag_model.catalogue
        # What JSON cannot say, a request cannot ask for.
        self.users = WireIds(_checked(catalogue.users, (str, int, UUID)))
        self.items = WireIds(_checked(catalogue.items, (str, int, UUID)))
        self.tags = WireIds(_checked(tag_model.tags, (str, int)))
        named = [_split(spoken_title(str(name))) for name in catalogue.item_names]
        self.titles, self.years = [each[0] for each in named], [each[1] for each in named]
        self._sought = [_plain(title) for title in self.titles]
        self._n_took = _counts(catalogue.interactions, len(catalogue.items))
        self._n_tagged = tag_model.n_tagged
        # Tags, that of the most items first.
        self._common = np.argsort(-self._n_tagged, kind="stable")
        names = page["page_names"].split(", ")
        rows = self._examples(len(names))
        self._names = dict(zip(rows, names, strict=False))
        people = [self._person(row, name) for row, name in self._names.items()]
        self.model = schemas.Model(
            n_users=len(catalogue.users),
            n_items=len(catalogue.items),
            tags=[self.tags.texts[tag] for tag in self._common],
            people=people,
            labels={text: name for text in self.tags.texts if (name := spoken(text)) != text},
            films=[self.film(column) for column in self._well_known()],
            words=dict(page),
        )

    def film(self, column: int) -> schemas.Film:
        """Return an item as the page names it."""
        return schemas.Film(**self.named(column))

    def named(self, column: int) -> dict[str, str]:
        """Return what an item is called."""
        title, year = self.titles[column], self.years[column]
        name = f"{title} ({year})" if year else title
        return {"item": self.items.texts[column], "name": name, "title": title, "year": year}

    def tags_of(self, column: int) -> NDArray:
        """Return the tags of an item, the rarest one first."""
        tags = np.flatnonzero(self.tag_model.extractor.tags_of(column))
        return tags[np.argsort(self._n_tagged[tags], kind="stable")]

    def name_of(self, user: Any) -> str:
        """Return what somebody is called; a user who is none by id is who looks at the page."""
        if user is None:
            return self.page["page_you"]
        row = self.catalogue.users.row(user)
        text = self.users.texts[row]
        return self._names.get(row) or self.page["page_user"].format(user=text)

    def search(self, kind: str, text: str) -> list[schemas.Found]:
        """Return the first users or items that a text is found in; what begins with it first."""
        sought = _plain(text)
        if not sought:
            return []
        if kind == "user":
            texts = list(map(_plain, self.users.texts))
            named = [row for row, name in self._names.items() if _plain(name).startswith(sought)]
            return [self._found_user(row) for row in [*named, *_first(texts, sought)][:_N_FOUND]]
        columns = _first(self._sought, sought, self._n_took)[:_N_FOUND]
        return [
            schemas.Found(
                id=self.items.texts[column], name=self.titles[column], note=self.years[column]
            )
            for column in columns
        ]

    def _found_user(self, row: int) -> schemas.Found:
        user = self.catalogue.users[row]
        taste = ", ".join(self._taste(row)[:3])
        return schemas.Found(id=self.users.texts[row], name=self.name_of(user), note=taste)

    def _taste(self, row: int) -> list[str]:
        profile = profile_of(self.tag_model, User.at(self.tag_model, row))
        best = profile.sort_values("liking", ascending=False, kind="stable")
        return [self.tags.text(tag) for tag in best["tag"].head(_N_TASTE)]

    def _person(self, row: int, name: str) -> schemas.Person:
        user, taste = self.catalogue.users[row], self._taste(row)
        # Of all that was taken, the titles that others know too, and that show the taste.
        wanted = {self.tags.row(tag) for tag in taste[:3]}
        took = sorted(
            self.catalogue.history(row).tolist(),
            key=lambda column: (
                -len(wanted & set(self.tags_of(column).tolist())),
                -self._n_took[column],
            ),
        )
        listed = self.explainer.recommend(user, _N_TOOK, exclude_seen=bool(took))["item"]
        return schemas.Person(
            user=self.users.texts[row],
            name=name,
            taste=taste,
            took=[self.titles[column] for column in took[:_N_TOOK]],
            next=[self.titles[self.catalogue.items.row(item)] for item in listed],
        )

    def _examples(self, n: int) -> list[int]:
        """Return users to begin with, each with another taste."""
        rows = np.flatnonzero(self.catalogue.active_users())
        if self.catalogue.interactions is not None:
            taken = np.diff(self.catalogue.interactions.indptr)[rows]
            usual = (taken >= _FEW) & (taken <= _MANY)
            rows = rows[usual] if usual.sum() >= n else rows
        rows = rows[:: max(1, len(rows) // _N_SOUGHT)]
        tag_model = self.tag_model
        likings = tag_model.vs_mean(tag_model.tag_preferences[rows])
        # Somebody is best told by tags that many items have.
        likings = likings[:, self._common[:_N_TELLING]]
        likings = likings - likings.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(likings, axis=1)
        found: list[int] = []
        free = lengths > 0
        while len(found) < n and free.any():
            # Of those whose liking is plain, the one in whose list it can be seen.
            plain = np.argsort(np.where(free, -likings.max(axis=1), np.inf), kind="stable")
            plain = plain[: min(_N_PLAIN, int(free.sum()))]
            best = max(plain, key=lambda at: self._shown(int(rows[at]), likings[at]))
            found.append(int(rows[best]))
            alike = likings @ likings[best] > _ALIKE * lengths * lengths[best]
            free &= ~alike & (likings.argmax(axis=1) != likings[best].argmax())
        return found

    def _shown(self, row: int, likings: NDArray) -> int:
        """Return how well a user's list shows each of the tags liked most, in turns."""
        liked = self._common[np.argsort(-likings)[:3]].tolist()
        user, took = self.catalogue.users[row], len(self.catalogue.history(row))
        listed = self.explainer.recommend(user, exclude_seen=bool(took))["item"]
        tags = [set(self.tags_of(self.catalogue.items.row(item)).tolist()) for item in listed]
        return sum(min(4, sum(tag in each for each in tags)) for tag in liked)

    def _well_known(self) -> list[int]:
        """Return items that many took, not all of them of one tag."""
        found: list[int] = []
        used = np.zeros(len(self._n_tagged))
        for column in np.argsort(-self._n_took, kind="stable")[: 5 * _N_FILMS].tolist():
            tags = self.tags_of(column)
            if not len(tags) or used[tags].min() < _N_FILMS / 4:
                found.append(column)
                used[tags] += 1
        return found[:_N_FILMS]


def _first(texts: list[str], sought: str, weights: NDArray | None = None) -> list[int]:
    """Return where all words are found: first what begins with them, then what has them as said."""
    words, joined = sought.split(), sought.replace(" ", "")
    return sorted(
        (
            row
            for row, text in enumerate(texts)
            if all(word in text for word in words) or joined in text.replace(" ", "")
        ),
        key=lambda row: (
            not texts[row].startswith(sought),
            sought not in texts[row],
            0 if weights is None else -weights[row],
            len(texts[row]),
        ),
    )


def _plain(text: str) -> str:
    """Return a text as it is sought: no capitals, accents or punctuation, words one space apart."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in parts if not unicodedata.combining(each))
    found = _BETWEEN_WORDS.sub(" ", _APOSTROPHES.sub("", letters)).strip()
    return found or text.strip().casefold()  # a title may be nothing but signs


def _counts(interactions: Any, n_items: int) -> NDArray:
    if interactions is None:
        return np.zeros(n_items)
    return np.bincount(interactions.indices, minlength=n_items)


def _split(name: str) -> tuple[str, str]:
    found = _YEAR.match(name)
    return (found["title"], found["year"]) if found else (name, "")


def _checked(ids: Ids, kinds: tuple[type, ...]) -> Ids:
    """Refuse ids that JSON has no way to say."""
    for kind in set(map(type, ids.array().tolist())):
        if not issubclass(kind, kinds) or kind is bool:
            wanted = " or ".join(each.__name__ for each in kinds)
            raise ValueError(
                f"the app needs {ids.kind} ids of type {wanted}, got {kind.__name__}; "
                f"fit the explainer with such ids"
            )
    return ids
