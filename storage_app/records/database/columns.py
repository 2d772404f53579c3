"""Column and index types of record tables, which mean the same on SQLite and PostgreSQL."""

import copy
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement

if TYPE_CHECKING:
    _TextField: TypeAlias = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class CodePointTextField(_TextField):
    """Text that is compared code point by code point, whatever the language of the database."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


class OrderIndex(models.Index):
    """An index in which null comes before everything, and last where descending, as SQLite has it anyway."""

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, using: str = "", **kwargs: Any
    ) -> Statement:
        index = copy.copy(self)
        if schema_editor.connection.vendor == "postgresql":
            index.fields_orders = [
                (name, _with_nulls(order) if model._meta.get_field(name).null else order)
                for name, order in self.fields_orders
            ]
        return models.Index.create_sql(index, model, schema_editor, using, **kwargs)


def _with_nulls(order: str) -> str:
    return "DESC NULLS LAST" if order else "NULLS FIRST"
