"""What a project's slug may be."""

import re

SLUG = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
SLUG_SENTENCE = "1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end"


def is_slug(text: str) -> bool:
    # fullmatch, since $ alone would let a trailing line break through
    return re.fullmatch(SLUG.strip("^$"), text) is not None
