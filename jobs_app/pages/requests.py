"""What middleware added to a request, and who is asking."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from jobs_app.domain.access import Actor
from jobs_app.services import access


class PageRequest(HttpRequest):
    """A page's request: somebody is logged in, and htmx has been looked at."""

    user: User
    htmx: HtmxDetails


def actor_of(request: PageRequest) -> Actor:
    return access.actor_for_person(request.user, address_of(request), request.META.get("request_id", ""))


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def is_partial(request: PageRequest) -> bool:
    """Whether htmx asks for a part; boosted links and Back ask for the whole page."""
    return request.htmx.request_type == "partial"
