"""When two pieces of work are the same: equal content, equal options, for the same kind of worker, with the same texts
of the library.

Content is known by its SHA-256, whatever kind of hash a storage gives; a name, a path and a storage say nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs_app.domain.library import Use


def canonical(options: Mapping[str, Any]) -> str:
    """One text for options that say the same: the order of keys does not count; 1 and 1.0 are two things."""
    return json.dumps(options, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def of(content: str, content_type: str, options: Mapping[str, Any], uses: Sequence[Use] = ()) -> str:
    """The fingerprint of work on `content`, a `sha256:` hash. A text that is used counts by what it holds."""
    if not content.startswith("sha256:"):
        raise ValueError(f"{content[:20]!r} is no sha256: hash")
    texts = [canonical({"kind": use.kind, "hash": use.hash, "variables": use.variables}) for use in uses]
    parts = [content, content_type, canonical(options), *texts]
    written = b"".join(b"%d:%s" % (len(part), part) for part in (part.encode() for part in parts))
    return hashlib.sha256(written).hexdigest()
