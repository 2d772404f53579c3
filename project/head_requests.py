"""HEAD wherever the API has a GET: the same answer without its bytes. The innermost middleware.

An operation that knows a cheaper way to the headers, as files do, has a HEAD of its own, and is left to it.
"""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from project.frame import is_api


class HeadAsGet:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or not is_api(request):
            return response
        allowed = [method.strip() for method in response.headers.get("Allow", "").split(",")]
        if "GET" not in allowed or "HEAD" in allowed:
            return response
        if request.method != "HEAD":
            response.headers["Allow"] = ", ".join([*allowed, "HEAD"])
            return response
        request.method = "GET"
        try:
            return _without_bytes(self._get_response(request))
        finally:
            request.method = "HEAD"


def _without_bytes(answer: HttpResponseBase) -> HttpResponse:
    """Of a stream the length is not known, and nothing of it is begun. The request is not over: nothing is closed but
    what the answer itself holds."""
    head = HttpResponse(status=answer.status_code, headers=answer.headers)
    head.cookies = answer.cookies
    if isinstance(answer, HttpResponse):
        head.headers.setdefault("Content-Length", str(len(answer.content)))
    for close in answer._resource_closers:  # type: ignore[attr-defined]  # how Django closes files with a response
        close()
    return head
