"""What the S3 endpoint of the tests is asked with; it takes anything."""

from typing import Any, Final

KEYS: Final[dict[str, Any]] = {"access_key": "an-access-key", "secret_key": "a-secret-key", "region": "us-east-1"}
