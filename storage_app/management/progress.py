"""How long work is told of: a bar on a terminal, JSON lines elsewhere."""

import time
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import OutputWrapper

from storage_app import strict_json
from storage_app.records.answers import Progress


class Reporter:
    """Results go to standard output, the bar to standard error, so that neither spoils the other."""

    def __init__(self, output: OutputWrapper, errors: OutputWrapper, as_json: bool) -> None:
        self._output = output
        self._errors = errors
        self.as_json = as_json or not output.isatty()
        self._drawn = False

    def progress(self, operation: str) -> Progress:
        told = 0.0

        def tell(done: int, total: int | None) -> None:
            nonlocal told
            if time.monotonic() - told < _SECONDS:
                return
            told = time.monotonic()
            if self.as_json:
                self._line({"event": "progress", "operation": operation, "done": done, "total": total})
            else:
                self._draw(operation, done, total)

        return tell

    def result(self, sentence: str, **values: Any) -> None:
        if self.as_json:
            self._line({"event": "result", **values})
            return
        if self._drawn:
            self._errors.write("\r" + " " * _WIDTH + "\r", ending="")
            self._errors.flush()
            self._drawn = False
        self._output.write(sentence)

    def _line(self, values: Mapping[str, Any]) -> None:
        self._output.write(strict_json.dumps(dict(values)))
        self._output.flush()

    def _draw(self, operation: str, done: int, total: int | None) -> None:
        filled = int(_BAR * min(done / total, 1)) if total else 0
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}] {done:,} of {total:,}" if total else f"{done:,}"
        self._errors.write(f"\r{operation} {bar}"[:_WIDTH].ljust(_WIDTH), ending="")
        self._errors.flush()
        self._drawn = True


_SECONDS: Final = 0.2
_BAR: Final = 30
_WIDTH: Final = 78
