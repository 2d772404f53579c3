"""What is known of the request being answered in this thread, for logs; set and cleared by the frame."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestContext:
    request_id: str
    actor: str = ""
    project: str = ""


current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)
