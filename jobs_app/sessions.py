"""Django's session engine over `PersonSession`: a login can be listed and ended, and knows where it came from."""

import re
from datetime import UTC, datetime
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore

from jobs_app.models import PersonSession

KEY = re.compile(r"[a-z0-9]{8,40}")


class SessionStore(DatabaseSessionStore):
    """Copies who, from where and with what into columns, so that the list needs no decoding."""

    def _validate_session_key(self, key: str | None) -> bool:
        # a quoted cookie can spell any character, and no key of ours has any but these
        return KEY.fullmatch(key or "") is not None

    @classmethod
    def get_model_class(cls) -> type[PersonSession]:
        return PersonSession

    def create_model_instance(self, data: dict[str, Any]) -> PersonSession:
        row = super().create_model_instance(data)
        assert isinstance(row, PersonSession)
        row.user_id = int(data["_auth_user_id"]) if "_auth_user_id" in data else None
        row.address = str(data.get("address", ""))[:64]
        row.agent = str(data.get("agent", ""))[:300]
        if "logged_in_at" in data:
            row.created_at = datetime.fromtimestamp(data["logged_in_at"], UTC)
        return row
