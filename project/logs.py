"""One JSON object a line: time, level, logger, message, and what is known of the request."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from project.request_context import current

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "request", "taskName"}


class JsonFormatter(logging.Formatter):
    """JSON escapes line breaks and terminal codes, so that no text from outside can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        context = current.get()
        if context is not None:
            line |= {"request_id": context.request_id, "actor": context.actor, "project": context.project}
        line |= {name: value for name, value in record.__dict__.items() if name not in STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configuration(level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "holdfast": {"level": level},
            # the frame logs each answer once, with its code; Django's own line would say it again
            "django.request": {"level": "CRITICAL"},
            "django.security.csrf": {"level": "ERROR"},
            "huey": {"level": "WARNING"},
        },
    }
