"""What came of something done to several jobs, said to whoever did it."""

from collections import Counter
from collections.abc import Iterable

from django.contrib import messages
from django.urls import reverse

from jobs_app.domain.operation import Action, Item
from jobs_app.pages.requests import PageRequest
from jobs_app.services.job_actions import Done
from jobs_app.templatetags import wording

MOST_REASONS = 3
DONE = {
    Action.RETRY: "put back into the queue",
    Action.CANCEL: "cancelled, or their workers are told",
    Action.DELETE: "moved to the trash",
    Action.RESTORE: "brought back",
}


def tell_done(request: PageRequest, slug: str, action: Action, done: Done) -> None:
    """Of what was done at once; an operation speaks for itself on its page."""
    if done.changed:
        was = "was" if done.changed == 1 else "were"
        undo = reverse("jobs-trash", args=[slug]) if action is Action.DELETE else ""
        also = " The trash has them." if undo else ""
        messages.success(request, f"{wording.count_of(done.changed, 'job')} {was} {DONE[action]}.{also}")
    elif not done.refused:
        messages.info(request, "No job matches any more, so nothing was done.")
    for reason, number in reasons(done.refused).most_common(MOST_REASONS):
        left = "it was" if number == 1 else "they were"
        messages.error(request, f"{wording.count_of(number, 'job')} left as {left}: {reason}")


def reasons(refused: Iterable[Item]) -> Counter[str]:
    """How often each was given, the ids taken out of the sentences."""
    return Counter(item.detail.replace(item.job_id, "").replace("''", "").strip() for item in refused)
