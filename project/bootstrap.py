"""Standard library only: makes `.venv` from the lock when Django is not there, and goes on inside it."""


def enter_environment(arguments: list[str]) -> None:
    """Filled in by the next step."""
