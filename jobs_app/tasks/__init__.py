"""What the Huey consumer runs. Huey finds tasks by importing this package, so each module is imported here."""

from jobs_app.tasks import maintenance, ticker

__all__ = ["maintenance", "ticker"]
