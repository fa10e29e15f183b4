"""What of feedback a recommender cannot follow, said where the list shows it."""

from __future__ import annotations

import warnings
from typing import Any

from sktpecr._inputs._feedback import Feedback
from sktpecr.refinement._refinement import Refinement
from sktpecr.tags._tag_model import TagModel

# A warning names so many tags, and no more.
_MAX_CAVEATS = 5


def warn_of_hard_tags(
    tag_model: TagModel, feedback: Feedback, refinements: list[Refinement]
) -> None:
    """Say which tags are hard to steer, if a list did not do what was asked of them."""
    named: dict[int, Any] = {
        **dict.fromkeys(feedback.like, "like"),
        **dict.fromkeys(feedback.dislike, "dislike"),
        **feedback.set,
    }
    unmet = {tag for refined in refinements for tag in refined.unmet()}
    # Costs a decomposition of the tags: only for those.
    caveats = tag_model.steerability.caveats(named, unmet) if unmet else []
    if caveats:
        more = "; and more" if len(caveats) > _MAX_CAVEATS else ""
        warnings.warn(
            f"the list does not show what was asked for; these tags cannot be changed alone: "
            f"{'; '.join(caveats[:_MAX_CAVEATS])}{more}. Give feedback on such tags together, or "
            f"fit the explainer on the tags in explainer.extractor_.steerability("
            f"explainer.user_embeddings_).suggested",
            stacklevel=3,
        )
