"""Several turns with one user: feedback, lists, undo."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from copy import copy
from typing import Any, Self

import numpy as np
import pandas as pd

from sktpecr._inputs._feedback import AMOUNTS
from sktpecr._inputs._numbers import check_n
from sktpecr.conversation._conversation_state import ConversationState
from sktpecr.conversation._conversation_turn import ConversationTurn
from sktpecr.conversation._heard import Heard
from sktpecr.conversation._past import Past
from sktpecr.conversation._replay import Replay, repeated
from sktpecr.conversation._saved_conversation import SavedConversation, who_it_is
from sktpecr.conversation._statement import FEEDBACK, Statement
from sktpecr.explanation._contrast import Contrast, contrast_items
from sktpecr.explanation._explanation import Explanation
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.refinement._feedback_refiner import FeedbackRefiner, Tags
from sktpecr.refinement._refinement import Refinement
from sktpecr.tags._user import one_row

# What a turn can say.
_SAID = (*FEEDBACK, "strength", "units", "amount", "keep")


class Conversation:
    r"""Talk with one user about tags, turn by turn.

    Parameters
    ----------
    explainer : TPECRExplainer
        An explainer that is fitted or needs no fit.
    user : hashable, optional
        Raw user id. Give exactly one of `user`, `interactions` and `tags`.
    interactions, tags : optional
        A new user in place of `user`, see :meth:`TPECRExplainer.explain`.
    solver : str or object, default="auto"
        What feedback changes, see :class:`FeedbackRefiner`.
    long_term : float, default=0.5
        The share of answers that changes lasting taste, see :class:`FeedbackRefiner`.
    n : int, default=10
        Length of the list that turns are judged by.
    candidates : iterable of hashable, optional
        Raw ids of the items that can be listed, such as those that a candidate generator found for
        this user. All items by default.

    Attributes
    ----------
    user : hashable
        Raw user id, or a few words for a user who has none.
    n : int
        Length of the list that turns are judged by.
    replay : Replay or None
        For a conversation that :meth:`from_json` loaded: ``items`` compares the list that the user
        saw with the one of this model, and ``left_out`` names what this model does not know.

    Notes
    -----
    A conversation is a list of what was said, and a place in it. Every turn starts from what
    :meth:`FeedbackRefiner.refine` made of the turns before. :meth:`undo`, :meth:`redo` and
    :meth:`fork` are exact: with ``solver="auto"`` few states are kept, and one that is not is
    reached again, to the last bit, from one at most 16 turns before; with others all are kept.
    There are at most 300 turns, and on 100,000 items they hold 30 MB. An operation that fails
    leaves everything as it was. Items that the user has seen are not listed, where it is known
    what was seen. Nothing is inferred from an item that is rejected. Several threads may read one
    conversation; let one at a time speak. If the explainer is fitted again, the conversation cannot
    go on, and says so: ``Conversation.from_json(conversation.to_json(), explainer)`` can.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import Conversation, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> conversation = Conversation(explainer.fit(data.interactions), user=3, n=5)
    >>> turn = conversation.like("tag_1")
    >>> turn = conversation.dislike({"tag_2": 0.5})
    >>> conversation
    Conversation(user=3, 'more tag_1; less tag_2 (strength 0.5)')
    >>> str(conversation.undo().said)
    'less tag_2 (strength 0.5)'
    >>> again = Conversation.from_json(conversation.to_json(), explainer)
    >>> bool((again.refinement.embedding == conversation.refinement.embedding).all())
    True
    """

    def __init__(
        self,
        explainer: TPECRExplainer,
        user: Hashable | None = None,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        solver: Any = "auto",
        long_term: float = 0.5,
        n: int = 10,
        candidates: Iterable[Hashable] | None = None,
    ) -> None:
        if isinstance(user, list | np.ndarray):
            raise ValueError(f"user must be one user id, got {type(user).__name__}: {user!r:.80}")
        self._refiner = FeedbackRefiner(explainer, solver=solver, long_term=long_term)
        self.n = check_n(n)
        tag_model = self._refiner.tag_model_
        if interactions is not None:
            # A copy: what the caller does to theirs later changes nothing here.
            interactions = one_row(tag_model.catalogue, interactions).copy()
        first = self._refiner.refine(
            user, interactions=interactions, tags=tags, candidates=candidates
        )
        self.user = first.user
        self.replay: Replay | None = None
        self._who = who_it_is(tag_model, first.user, interactions, tags)
        self._start = ConversationState(tag_model, first)
        # All turns, and how many of them count; one attribute, so that nobody reads half of it.
        self._at = Past(self._refiner, self.n, self._start), 0

    @property
    def history(self) -> tuple[ConversationTurn, ...]:
        """The turns so far, without undone ones, the first one first."""
        past, position = self._at
        return past.turns[:position]

    @property
    def undone(self) -> tuple[ConversationTurn, ...]:
        """The undone turns that :meth:`redo` repeats, the next one first."""
        past, position = self._at
        return past.turns[position:]

    @property
    def refinement(self) -> Refinement:
        """The user after all feedback so far; rejected and hidden items and tags are not applied.

        Its ``embedding`` is what a recommender that serves the user needs: the taste that outlives
        the conversation.
        """
        return self.state.refinement

    @property
    def state(self) -> ConversationState:
        """The current state: user, candidates, rejected items and hidden tags."""
        past, position = self._at
        return past.state(position)

    @property
    def rejected(self) -> list[Any]:
        """Raw ids of the rejected items."""
        items = self._start.tag_model.catalogue.items
        return [items[column] for column in sorted(self.state.rejected)]

    @property
    def hidden(self) -> list[Any]:
        """Names of the hidden tags."""
        tags = self._start.tag_model.tags
        return [tags[column] for column in sorted(self.state.hidden)]

    def recommend(self, n: int = 10) -> pd.DataFrame:
        """List the best items after all turns so far.

        Parameters
        ----------
        n : int, default=10
            Length of the list.

        Returns
        -------
        DataFrame
            Columns item, name, score, rank, and rank_first: before anything was said.
        """
        state, n = self.state, check_n(n)
        columns, frame = state.tag_model.ranked(state.refinement.scores, state.candidates, n)
        frame["rank_first"] = self._start.ranks(columns).astype(np.intp)
        return frame

    def explain(self, item: Hashable) -> Explanation:
        """Explain by tags why an item gets its score after all turns so far.

        Parameters
        ----------
        item : hashable
            Raw item id.

        Returns
        -------
        Explanation
            Without the tags that are hidden.
        """
        explanation = self.state.refinement.explain(item)
        return explanation.without(self.hidden) if self.hidden else explanation

    def contrast(self, item: Hashable, other: Hashable) -> Contrast:
        """Explain by tags why one item ranks above another after all turns so far.

        Parameters
        ----------
        item, other : hashable
            Raw item ids.

        Returns
        -------
        Contrast
            Without the tags that are hidden, and without what was asked for only for now.
        """
        state = self.state
        return contrast_items(state.tag_model, state.user, item, other).without(self.hidden)

    def like(
        self, tags: Tags, strength: float | None = None, *, amount: str | None = None
    ) -> ConversationTurn:
        """Ask for more of tags.

        Parameters
        ----------
        tags : tag name, list of tag names or dict of tag name to strength
            What to show more of.
        strength : float, optional
            See :meth:`FeedbackRefiner.refine`.
        amount : {"a bit", "more", "a lot"}, optional
            How much is to be seen of it in the list, see :meth:`FeedbackRefiner.refine`.

        Returns
        -------
        ConversationTurn
            What it changed.
        """
        return self.say(like=tags, strength=strength, amount=amount)

    def dislike(
        self, tags: Tags, strength: float | None = None, *, amount: str | None = None
    ) -> ConversationTurn:
        """Ask for less of tags.

        Parameters
        ----------
        tags : tag name, list of tag names or dict of tag name to strength
            What to show less of.
        strength : float, optional
            See :meth:`FeedbackRefiner.refine`.
        amount : {"a bit", "more", "a lot"}, optional
            How much is to be seen of it in the list, see :meth:`FeedbackRefiner.refine`.

        Returns
        -------
        ConversationTurn
            What it changed.
        """
        return self.say(dislike=tags, strength=strength, amount=amount)

    def set(self, tags: Mapping[Hashable, float], units: str = "std") -> ConversationTurn:
        """Set the values that tag preferences should have.

        Parameters
        ----------
        tags : dict of tag name to value
            Where tag preferences should be.
        units : {"std", "raw"}, default="std"
            See :meth:`FeedbackRefiner.refine`.

        Returns
        -------
        ConversationTurn
            What it changed.
        """
        return self.say(set=tags, units=units)

    def say(self, **feedback: Any) -> ConversationTurn:
        """Give feedback on several tags in one turn.

        Parameters
        ----------
        **feedback
            Any of like, dislike, set, together, less_than, strength, units, amount, until and
            keep, see :meth:`FeedbackRefiner.refine`.

        Returns
        -------
        ConversationTurn
            What it changed.

        Raises
        ------
        ValueError
            As :meth:`FeedbackRefiner.refine` does, and if a tag is hidden.
        TypeError
            If anything else is given.
        """
        return self._keep(self._refined(feedback))

    def preview(self, **feedback: Any) -> ConversationTurn:
        """Show what feedback would change, without taking the turn.

        Parameters
        ----------
        **feedback
            Any of like, dislike, set, together, less_than, strength, units, amount, until and
            keep, see :meth:`FeedbackRefiner.refine`.

        Returns
        -------
        ConversationTurn
            What it would change.
        """
        said, after = self._refined(feedback)
        return ConversationTurn(said, self.state, after, self.n)

    def preview_amounts(
        self, like: Tags | None = None, dislike: Tags | None = None, *, keep: float = 0.5
    ) -> dict[str, ConversationTurn]:
        """Show what each of the three amounts would change, without taking the turn.

        Parameters
        ----------
        like, dislike : tag name, list of tag names or dict of tag name to strength, optional
            What to show more and less of.
        keep : float, default=0.5
            Share of the list that must stay, see :meth:`FeedbackRefiner.refine`.

        Returns
        -------
        dict of str to ConversationTurn
            For "a bit", "more" and "a lot", in this order, what :meth:`preview` returns: its
            ``items`` say what enters the list and what leaves it. Two are alike where the list
            cannot show more.

        Raises
        ------
        ValueError
            As :meth:`preview` does.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import Conversation, TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> conversation = Conversation(explainer.fit(data.interactions), user=3, n=5)
        >>> for amount, turn in conversation.preview_amounts(like="tag_1").items():
        ...     print(amount, turn.items.query("change == 'enters'")["item"].tolist())
        a bit ['item_029']
        more ['item_029', 'item_185']
        a lot ['item_029', 'item_185']
        """
        state = self.state
        previews = state.refined_amounts(self._refiner, self.n, like, dislike, keep)
        return {
            amount: ConversationTurn(said, state, after, self.n)
            for amount, (said, after) in zip(AMOUNTS, previews, strict=True)
        }

    def reject(self, item: Hashable) -> ConversationTurn:
        """Remove an item from all lists; nothing is inferred from it.

        Parameters
        ----------
        item : hashable
            Raw item id.

        Returns
        -------
        ConversationTurn
            What it changed.
        """
        return self._keep(self.state.rejecting(item))

    def not_these(self) -> ConversationTurn:
        """Remove the `n` items of the current list from all lists; nothing is inferred from them.

        Returns
        -------
        ConversationTurn
            What it changed.

        Raises
        ------
        ValueError
            If nothing is left to list.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import Conversation, TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> conversation = Conversation(explainer.fit(data.interactions), user=3, n=5)
        >>> conversation.not_these().kept
        0.0
        """
        listed = self.state.listed(self.n)
        if not len(listed):
            raise ValueError("there is nothing in the list to leave out")
        return self._keep(self.state.passing(listed))

    def forget(self) -> ConversationTurn:
        """Drop what was asked for in this session only; taste and rejected items stay.

        Returns
        -------
        ConversationTurn
            What it changed.
        """
        return self._keep(self.state.forgetting())

    def hide(self, tag: Hashable) -> ConversationTurn:
        """Hide a tag from explanations, turns and questions.

        The recommendations stay. What the tag contributes counts in explanations as what no tag
        shown sees.

        Parameters
        ----------
        tag : hashable
            Name of the tag.

        Returns
        -------
        ConversationTurn
            What it changed.
        """
        return self._keep(self.state.hiding(tag))

    def undo(self) -> ConversationTurn:
        """Undo the last turn.

        Returns
        -------
        ConversationTurn
            The turn that was taken back.

        Raises
        ------
        ValueError
            If there is none.
        """
        past, position = self._at
        if not position:
            raise ValueError("there is no turn to undo")
        self._at = past, position - 1
        return past.turns[position - 1]

    def redo(self) -> ConversationTurn:
        """Redo the turn that was undone last; a new turn discards undone turns.

        Returns
        -------
        ConversationTurn
            The turn that was said again.

        Raises
        ------
        ValueError
            If there is none.
        """
        past, position = self._at
        if position == len(past.turns):
            raise ValueError("there is no turn to redo")
        self._at = past, position + 1
        return past.turns[position]

    def reset(self) -> Self:
        """Undo all turns; :meth:`redo` repeats them.

        Returns
        -------
        Conversation
            The conversation itself.
        """
        self._at = self._at[0], 0
        return self

    def fork(self) -> Self:
        """Copy the conversation, to continue in another direction.

        Returns
        -------
        Conversation
            Another one, which stands where this one does and goes its own way.
        """
        return copy(self)

    def suggest_question(self, n: int = 1) -> pd.DataFrame:
        """Suggest which tags to ask about next.

        Parameters
        ----------
        n : int, default=1
            How many tags to suggest.

        Returns
        -------
        DataFrame
            See :meth:`TPECRExplainer.suggest_question`; without tags that are hidden, or were
            spoken of already.
        """
        return self.state.questions().head(check_n(n))

    def to_json(self) -> str:
        """Return what the user said as JSON, including undone turns.

        Returns
        -------
        str
            Ids, names, strengths and the ids of the list as it stands: nothing of the model.

        Raises
        ------
        ValueError
            If an id is neither text nor a number nor a UUID nor a tuple of them.
        """
        items = self._start.tag_model.catalogue.items
        solver = self._refiner.solver
        among = self._start.user.among
        return SavedConversation(
            *self._who,
            among=None if among is None else tuple(items[column] for column in among),
            solver=solver if isinstance(solver, str) else repr(solver),
            long_term=self._refiner.long_term,
            n=self.n,
            said=self._at[0].said,
            position=self._at[1],
            listed=tuple(items[column] for column in self.state.listed(self.n)),
        ).to_json()

    @classmethod
    def from_json(cls, text: str, explainer: TPECRExplainer, *, solver: Any = None) -> Conversation:
        """Load a conversation, with the same model or another one.

        Parameters
        ----------
        text : str
            From :meth:`to_json`.
        explainer : TPECRExplainer
            Fitted. With the one that the conversation was had with, the state is the same to the
            last bit, unless the solver draws anew each time.
        solver : str or object, optional
            By default the one of the conversation, if it has a name.

        Returns
        -------
        Conversation
            With its ``replay``, which says what another model makes of it.

        Raises
        ------
        ValueError
            If the text is no conversation, or one of a newer version, or the user is unknown.
        """
        saved = SavedConversation.parse(text)
        tag_model = FeedbackRefiner(explainer).tag_model_
        who, left_out = saved.known_to(tag_model)
        how: dict[str, Any] = {
            "solver": saved.solver if solver is None else solver,
            "long_term": saved.long_term,
            "n": saved.n,
        }
        if saved.among is not None:
            known = tag_model.catalogue.items
            how["candidates"] = [item for item in saved.among if item in known]
            left_out += [f"item {item!r}" for item in saved.among if item not in known]
        conversation = cls(explainer, **who, **how)
        past, also = repeated(saved, conversation._at[0])
        conversation._at = past, saved.position
        seen, listed = saved.listed, conversation.state.listed(saved.n)
        conversation.replay = Replay.of(tag_model.catalogue, seen, listed, left_out + also)
        return conversation

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept for every item, at most."""
        return self._at[0].nbytes

    def _refined(self, feedback: Mapping[str, Any]) -> tuple[Statement, ConversationState]:
        other = sorted(feedback.keys() - _SAID)
        if other:
            raise TypeError(
                f"say and preview take {', '.join(_SAID)}, got {other[0]!r}; what else a list "
                f"depends on, such as n and candidates, is given to Conversation itself"
            )
        return self.state.refined(self._refiner, self.n, **feedback)

    def _keep(self, said: tuple[Statement, ConversationState]) -> ConversationTurn:
        past, position = self._at
        past = past.followed_by(position, Heard.whole(said[0]), said[1])
        self._at = past, position + 1
        return past.turns[position]

    def __repr__(self) -> str:
        said = "; ".join(str(turn.said) for turn in self.history) or "nothing said"
        return f"Conversation(user={self.user!r}, {said!r})"

    def __str__(self) -> str:
        turns = [f"{number}. {turn.said}" for number, turn in enumerate(self.history, start=1)]
        table = self.recommend(self.n).to_string(index=False)
        return "\n".join([f"user {self.user}", *turns, table])
