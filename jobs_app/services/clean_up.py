"""What nobody needs any more: ended sessions and tokens, kept answers, old throttles and the history of old runs."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from jobs_app.domain.maintenance import Counts, Deadline
from jobs_app.models import IdempotentAnswer, PersonSession, TaskRun
from jobs_app.services import failures, idempotency, library_copies, operations, throttle, tokens

HISTORY_KEPT = timedelta(days=30)
ENDED_TOKENS_KEPT = timedelta(days=90)


def run(deadline: Deadline) -> Counts:
    counts = {}
    for name, step in STEPS.items():
        if deadline.passed:
            break
        counts[name] = step()
    return counts


def _sessions() -> int:
    return PersonSession.objects.filter(expire_date__lt=timezone.now()).delete()[0]


def _tokens() -> int:
    return tokens.remove_ended(timezone.now() - ENDED_TOKENS_KEPT)


def _answers() -> int:
    return IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - idempotency.KEPT).delete()[0]


def _history() -> int:
    return TaskRun.objects.filter(ended_at__lt=timezone.now() - HISTORY_KEPT).delete()[0]


STEPS: dict[str, Callable[[], int]] = {
    "sessions": _sessions,
    "tokens": _tokens,
    "answers": _answers,
    "throttles": throttle.remove_ended,
    "runs": _history,
    "operations": operations.remove_ended,
    "failures": failures.remove_forgotten,
    "texts": library_copies.remove_needless,
}
