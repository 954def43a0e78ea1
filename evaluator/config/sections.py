"""Which section of the config file stands at a path of keys, found in the models themselves."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from evaluator.config.model import Config
from evaluator.config.yaml_text import KeyPath


def section_at(path: KeyPath) -> type[BaseModel] | None:
    """The model of the section at a path; None if it is no section, or none of the file.

    Args:
        path: As pydantic names a place: keys, numbers of items, and the tag where there are several kinds of an item.
    """
    found: list[Any] = [Config]
    for step in path:
        found = [inner for kind in found for inner in _below(kind, step)]
    return next((kind for kind in found if _is_section(kind)), None)


def keys_of(section: type[BaseModel]) -> list[str]:
    """The keys that may stand in a section, as they are written, sorted."""
    return sorted(field.alias or name for name, field in section.model_fields.items())


def _below(kind: Any, step: str | int) -> list[Any]:
    """What may stand one step below a kind."""
    if _is_section(kind):
        fields = {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        # An item of one of several kinds: the step is its tag, and leads to the item itself.
        tag = kind.model_fields["type"].default if "type" in kind.model_fields else None
        return [kind] if step == tag else _kinds(fields[str(step)]) if step in fields else []
    if get_origin(kind) is dict:
        return _kinds(get_args(kind)[1])
    if get_origin(kind) in (list, tuple) and isinstance(step, int):
        return _kinds(get_args(kind)[0])
    return []


def _kinds(annotation: Any) -> list[Any]:
    """The kinds that an annotation allows, one by one."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    return [annotation]


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
