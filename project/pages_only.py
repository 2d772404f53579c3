"""Middleware that only pages need. A call of the API goes past it: each of these costs more than a trivial answer."""

from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django_htmx.middleware import HtmxMiddleware

from project.frame import is_api


class Common(CommonMiddleware):
    """Redirects to the address with a slash, which the API does not have; the frame has checked the host."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_api(request):
            return self.get_response(request)  # type: ignore[return-value]  # it is never async here
        return super().__call__(request)  # type: ignore[return-value]  # it is never async here


class Messages(MessageMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_api(request):
            return self.get_response(request)  # type: ignore[return-value]  # it is never async here
        return super().__call__(request)  # type: ignore[return-value]  # it is never async here


class Htmx(HtmxMiddleware):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_api(request):
            return self.get_response(request)  # type: ignore[return-value]  # it is never async here
        return super().__call__(request)  # type: ignore[return-value]  # it is never async here
