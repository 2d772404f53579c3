"""The Django models of a collection, built from its declaration, so that migrations follow what is declared.

    # jobs_app/models.py
    JobRecord = record_model(JOBS, __name__)

and `manage.py makemigrations` sees a table with a typed, indexed column for every indexed field.
"""

from typing import Any, Final, cast

from django.db import models

from storage_app.records.database.columns import CodePointTextField, OrderIndex
from storage_app.records.database.layout import Layout
from storage_app.records.declarations import Collection, Kind


def record_model(collection: Collection, module: str, app_label: str | None = None) -> type[models.Model]:
    """The model of a declared collection, registered with the app that `module` belongs to (or `app_label`)."""
    layout = Layout(collection)
    if layout.lists:
        _elements_model(layout, module, app_label)
    attributes: dict[str, Any] = {
        "pk": models.CompositePrimaryKey("project", "id"),
        "project": CodePointTextField(),
        "id": models.BigIntegerField() if layout.numbered else CodePointTextField(),
        "version": models.BigIntegerField(),
        "document": models.TextField(),
    }
    for name, column in layout.key_columns:
        attributes[column] = _COLUMNS[collection.by_name[name].kind](null=True)
    indexes = [
        OrderIndex(
            fields=["project", *(("-" if down else "") + layout.column(name) for name, down in index.terms)],
            name=index.name,
        )
        for index in layout.indexes
    ]
    constraints = [
        models.UniqueConstraint(fields=["project", layout.columns[field.name]], name=f"{layout.table}_{column}")
        for field in collection.unique_fields
        for column in (layout.columns[field.name],)
    ]
    return _model(
        f"{_camel(collection.name)}Record",
        module,
        attributes,
        {"db_table": layout.table, "indexes": indexes, "constraints": constraints, **_labelled(app_label)},
    )


def element_model(collection: Collection) -> type[models.Model] | None:
    """The model of the elements of a collection's text lists, where it has any."""
    return _ELEMENTS.get(collection.name)


_COLUMNS: Final[dict[Kind, Any]] = {
    Kind.TEXT: CodePointTextField,
    Kind.INTEGER: models.BigIntegerField,
    Kind.NUMBER: models.FloatField,
    Kind.TIME: models.BigIntegerField,  # microseconds since 1970, so that equal instants are equal
    Kind.BOOLEAN: models.BooleanField,
    Kind.SEARCH: CodePointTextField,
}
_ELEMENTS: Final[dict[str, type[models.Model]]] = {}


def _elements_model(layout: Layout, module: str, app_label: str | None) -> None:
    attributes = {
        "pk": models.CompositePrimaryKey("project", "field", "element", "id"),
        "project": CodePointTextField(),
        "field": CodePointTextField(),
        "element": CodePointTextField(),
        "id": models.BigIntegerField() if layout.numbered else CodePointTextField(),
    }
    meta: dict[str, Any] = {
        "db_table": layout.elements_table,
        "indexes": [models.Index(fields=["project", "id"], name=f"e_{layout.table[8:20].rstrip('_')}_id")],
        **_labelled(app_label),
    }
    _ELEMENTS[layout.name] = _model(f"{_camel(layout.name)}Element", module, attributes, meta)


def _model(name: str, module: str, attributes: dict[str, Any], meta: dict[str, Any]) -> type[models.Model]:
    body = {**attributes, "__module__": module, "Meta": type("Meta", (), meta)}
    return cast("type[models.Model]", type(name, (models.Model,), body))


def _labelled(app_label: str | None) -> dict[str, str]:
    return {"app_label": app_label} if app_label else {}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
