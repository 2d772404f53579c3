"""Free records and messages as they come in and go out."""

from typing import Annotated, Any

from ninja import Schema
from pydantic import ConfigDict, Field, RootModel, StrictInt

from jobs_app.api import segment_examples as examples
from jobs_app.api.schemas import Body, Time, shown_as
from jobs_app.services.paging import DEFAULT_LIMIT, LARGEST_LIMIT


class RecordIn(RootModel[dict[str, Any]]):
    """Any JSON object."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RECORD["data"]]})


class RecordOut(Schema):
    """`data` is exactly what came in; `id` and `version` are the store's."""

    model_config = shown_as(examples.RECORD)
    id: int
    version: int
    created_at: Time | None
    updated_at: Time | None
    data: dict[str, Any]


class RecordPage(Schema):
    """A page of a query may hold fewer than were asked for: go on with `next_cursor`."""

    model_config = shown_as({"items": [examples.RECORD], "next_cursor": None, "previous_cursor": None})
    items: list[RecordOut]
    next_cursor: str | None
    previous_cursor: str | None


class RecordQuery(Body):
    """`filters` are fields and values, all of which must hold: equal, or by a suffix: `__in __lt __lte __gt __gte __ne
    __contains __startswith __isnull __search`. Dots lead into objects.
    """

    model_config = shown_as({"filters": {"done": False, "priority__gte": 3}, "order": "-id", "limit": 20})
    filters: dict[str, Any]
    order: str = Field("id", max_length=100, description="`id` or `-id`.")
    limit: Annotated[StrictInt, Field(ge=1, le=LARGEST_LIMIT)] = DEFAULT_LIMIT
    cursor: str | None = Field(None, max_length=2000)


class CollectionOut(Schema):
    name: str
    records: int
    bytes: int


class CollectionList(Schema):
    model_config = shown_as({"items": [{"name": "tasks", "records": 12, "bytes": 4096}]})
    items: list[CollectionOut]


class MessageIn(Body):
    """`storage_save` `{"task": {…}}`, `storage_get` and `storage_delete` `{"task_id": 1}`, `storage_list` `{}`,
    `storage_query` `{"filters": {…}}`; each with an optional `collection` (default `tasks`). `record` and `id` do for
    `task` and `task_id`.
    """

    model_config = shown_as({"action": "storage_save", "payload": {"task": {"title": "Write the report"}}})
    action: Any = None
    payload: Any = Field(default_factory=dict)


class MessageOut(Schema):
    """`success` with a result, or `error` with a sentence and its kind: `not_found`, `conflict`, `validation_error` or
    `storage_error`. `next_cursor` where a list goes on.
    """

    model_config = shown_as({"status": "success", "result": {"title": "Write the report", "id": 1}})
    status: str
    result: Any = None
    error: str = ""
    error_type: str = ""
    next_cursor: str = ""
