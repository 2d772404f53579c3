"""Content of a file inside a JSON body: as text, or as base64."""

import base64
import binascii

from jobs_app.errors import InvalidError


def content_of(place: str, content: str | None, content_base64: str | None) -> bytes:
    """`place` is where the two stand in the body."""
    if (content is None) == (content_base64 is None):
        raise InvalidError.at(place, "give one of content and content_base64")
    if content is not None:
        return content.encode()
    try:
        return base64.b64decode(content_base64 or "", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidError.at(f"{place}.content_base64", "is not base64") from None
