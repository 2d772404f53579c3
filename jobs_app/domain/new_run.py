"""What a run may be asked to be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jobs_app.domain import fingerprint, new_job
from jobs_app.domain.job import DEFAULT_MAX_RETRIES
from jobs_app.domain.library import Wanted

MOST_OUTPUTS: Final = 50
LARGEST_OPTIONS: Final = 256 * 1024  # bytes of JSON: each job carries them
_LIKE_JOBS: Final = ("name", "content_type", "tags", "priority", "max_retries")


@dataclass(frozen=True, slots=True)
class NewRun:
    name: str = ""
    content_type: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    uses: Sequence[Wanted] = ()
    storage: str = "default"
    priority: int = 0
    tags: Sequence[str] = ()
    max_retries: int = DEFAULT_MAX_RETRIES


def faults(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Place and reason of each of these fields that is not as it must be."""
    yield from new_job.faults({name: values[name] for name in _LIKE_JOBS if name in values})
    if reason := options_fault(values.get("options", {})):
        yield "options", reason
    outputs = values.get("outputs", ())
    if len(outputs) > MOST_OUTPUTS:
        yield "outputs", f"has {len(outputs)} outputs; {MOST_OUTPUTS} is the most"
    for output in outputs:
        if reason := new_job.word_fault(output):
            yield "outputs", f"{output[:40]!r}: {reason}"
            break
    if len(set(outputs)) < len(outputs):
        yield "outputs", "names one twice"


def options_fault(options: Mapping[str, Any]) -> str:
    size = len(fingerprint.canonical(options).encode(errors="surrogatepass"))
    return f"has {size} bytes as JSON; {LARGEST_OPTIONS} is the most" if size > LARGEST_OPTIONS else ""
