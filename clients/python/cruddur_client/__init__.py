"""A typed client of Cruddur Messages: see `Client`."""

from cruddur_client.answers import (
    Hint,
    ListedMessageGroup,
    LiveTicket,
    Me,
    Message,
    MessageGroup,
    Page,
    Position,
    SentMessage,
    User,
)
from cruddur_client.client import ApiError, Client, UnexpectedAnswerError

__all__ = [
    "ApiError",
    "Client",
    "Hint",
    "ListedMessageGroup",
    "LiveTicket",
    "Me",
    "Message",
    "MessageGroup",
    "Page",
    "Position",
    "SentMessage",
    "UnexpectedAnswerError",
    "User",
]
