"""Every answer carries the headers; what a view sets itself stays."""

import asyncio

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from project.security_headers import CONTENT_SECURITY_POLICY, HEADERS, SecurityHeaders


def test_every_header_is_there() -> None:
    response = SecurityHeaders(lambda _: HttpResponse())(HttpRequest())
    assert isinstance(response, HttpResponseBase)
    assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_the_policy_allows_nothing_inline_and_nothing_foreign() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    for directive in (
        "default-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ):
        assert directive in CONTENT_SECURITY_POLICY


def test_what_a_view_set_itself_stays() -> None:
    own = {"Cache-Control": "public, max-age=60", "Content-Security-Policy": "sandbox"}
    response = SecurityHeaders(lambda _: HttpResponse(headers=own))(HttpRequest())
    assert isinstance(response, HttpResponseBase)
    assert {name: response.headers[name] for name in own} == own


def test_it_serves_async_too() -> None:
    async def view(_: HttpRequest) -> HttpResponse:
        return HttpResponse()

    async def ask() -> HttpResponseBase:
        answer = SecurityHeaders(view)(HttpRequest())
        assert not isinstance(answer, HttpResponseBase)
        return await answer

    assert asyncio.run(ask()).headers["X-Content-Type-Options"] == "nosniff"
