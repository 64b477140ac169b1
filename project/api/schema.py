"""What serializers alone can't tell OpenAPI: ids, errors, headers.

The tests hold the API to what it promises here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from project.api import fields, ids

if TYPE_CHECKING:
    from django.db import models
    from rest_framework.serializers import Serializer

    Parameter = OpenApiParameter | Serializer[Any] | type[Serializer[Any]]

DETAIL = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
MESSAGES = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}
NOT_NUL = r"[^\x00]"


def without_tolerated_slashes(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Leaves out the variant with a trailing slash that every URL has."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


class Resource(Protocol):
    """What the schema needs to know of a view."""

    action: str

    @property
    def model(self) -> type[models.Model]: ...
    @property
    def model_name(self) -> str: ...


class ResourceSchema(AutoSchema):
    """The schema of a view that is a `Resource`."""

    @property
    def resource(self) -> Resource:
        return cast("Resource", self.view)

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's
        if self.method in ("POST", "PUT", "PATCH"):
            name = self.resource.model_name
            return (
                f'The body may be plain, as described here, or wrapped: `{{"{name}": {{…}}}}`. '
                f"Forms may name their fields `{name}[…]`."
            )
        return ""

    def get_override_parameters(self) -> list[Parameter]:
        if "{id}" not in self.path:
            return []
        schema = ids.schema(self.resource.model)
        return [OpenApiParameter("id", schema, OpenApiParameter.PATH)]

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        responses = operation["responses"]
        responses["503"] = _response("The database doesn't answer.", DETAIL)
        if "{id}" in self.path:
            responses["404"] = _response("There is no record with this id.", DETAIL)
        if "requestBody" in operation:
            responses["400"] = _response("The body can't be read, or holds no field.", DETAIL)
            responses["413"] = _response("The body is too large.", DETAIL)
            responses["415"] = _response("The body is neither JSON nor a form.", DETAIL)
            responses["422"] = _response("A field is invalid.", MESSAGES)
        if self.method == "POST":
            responses["201"]["headers"] = {"Location": _header("The new record's URL.")}
        if self.method == "PATCH":
            self._require_any_field(operation["requestBody"])
        if self._is_list_view():
            link = _header("First, previous, next and last page (RFC 8288).")
            responses["200"]["headers"] = {"Link": link}
            responses["400"] = _response("A parameter is too long.", DETAIL)
            responses["404"] = _response("There is no such page.", DETAIL)
            responses["422"] = _response("A parameter is invalid.", MESSAGES)
        return operation

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)
        if isinstance(field, fields.TextField):
            not_blank = "" if field.allow_blank else rf"\S{NOT_NUL}*"
            schema["pattern"] = f"^{NOT_NUL}*{not_blank}$"

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self.resource.action == "list"

    def _require_any_field(self, body: dict[str, Any]) -> None:
        fields = self._get_serializer().fields
        names = [name for name, field in fields.items() if not field.read_only]
        for content in body["content"].values():
            content["schema"] = {
                "allOf": [content["schema"]],
                "anyOf": [{"required": [name]} for name in names],
            }
        body["required"] = True


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "required": True, "schema": {"type": "string"}}


class ReferenceFieldExtension(OpenApiSerializerFieldExtension):
    """Registers itself with drf-spectacular, as every subclass does."""

    target_class = fields.ReferenceField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return ids.schema(self.target.queryset.model)


class IdFieldExtension(OpenApiSerializerFieldExtension):
    """Registers itself in the same way."""

    target_class = fields.IdField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return {**ids.schema(self.target.parent.Meta.model), "readOnly": True}
