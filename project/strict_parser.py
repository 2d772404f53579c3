"""Bodies are JSON, said to be JSON, and read by the one strict reader."""

from typing import Any, cast

from django.http import HttpRequest
from ninja.parser import Parser

from jobs_app.errors import RefusedError
from storage_app import strict_json


class MalformedJsonError(RefusedError):
    code = "malformed_json"


class UnsupportedMediaTypeError(RefusedError):
    code = "unsupported_media_type"


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise UnsupportedMediaTypeError("Send the body as Content-Type: application/json.")
        try:
            return cast(dict[str, Any], strict_json.loads(request.body))
        except strict_json.StrictJSONError as error:
            raise MalformedJsonError(f"The body is not JSON as it must be: {error}") from error
