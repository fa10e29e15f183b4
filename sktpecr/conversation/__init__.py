"""Several turns with one user."""

from sktpecr.conversation._conversation import Conversation
from sktpecr.conversation._conversation_turn import ConversationTurn

__all__ = ["Conversation", "ConversationTurn"]
