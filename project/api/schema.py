"""What OpenAPI can't be told by serializers alone: ids, errors, headers. Whatever it says here, the tests hold it to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from project.api import fields, ids

if TYPE_CHECKING:
    from project.api.views import ResourceViewSet

DETAIL = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
MESSAGES = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}
NOT_NUL = r"[^\x00]"


def without_tolerated_slashes(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


class ResourceSchema(AutoSchema):
    view: ResourceViewSet

    def get_description(self) -> str:
        if self.method in ("POST", "PUT", "PATCH"):
            name = self.view.model._meta.model_name
            return (
                f"The body may be plain, as described here, or wrapped: `{{{name!r}: {{…}}}}`. "
                f"Forms may name their fields `{name}[…]`."
            ).replace("'", '"')
        return ""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        if "{id}" not in self.path:
            return []
        return [OpenApiParameter("id", ids.schema(self.view.model), OpenApiParameter.PATH)]

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
            responses["200"]["headers"] = {
                "Link": _header("First, previous, next and last page (RFC 8288).")
            }
            responses["404"] = _response("There is no such page.", DETAIL)
            responses["422"] = _response("A parameter is invalid.", MESSAGES)
        return operation

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)
        if isinstance(field, fields.TextField):
            schema["pattern"] = (
                f"^{NOT_NUL}*$" if field.allow_blank else rf"^{NOT_NUL}*\S{NOT_NUL}*$"
            )

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self.view.action == "list"

    def _require_any_field(self, body: dict[str, Any]) -> None:
        names = [
            name for name, field in self._get_serializer().fields.items() if not field.read_only
        ]
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
    target_class = fields.ReferenceField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return ids.schema(self.target.queryset.model)


class IdFieldExtension(OpenApiSerializerFieldExtension):
    target_class = fields.IdField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return {**ids.schema(self.target.parent.Meta.model), "readOnly": True}
