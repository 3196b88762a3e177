"""The names of `typing` that hooks need, without `typing`: an agent waits for a hook, and that
import is a tenth of its time. To a type checker they are `typing`'s own."""

from __future__ import annotations

from collections import namedtuple

__all__ = ["TYPE_CHECKING", "Any", "ClassVar", "Final", "NamedTuple", "NoReturn"]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, ClassVar, Final, NamedTuple, NoReturn
else:
    # Annotations are never evaluated here.
    Any = ClassVar = Final = NoReturn = object

    class _Fields(type):
        def __new__(cls, name, bases, namespace):
            """A class of tuples whose fields are those that are annotated."""
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = namespace.pop("__annotations__", {})
            defaults = [namespace.pop(field) for field in fields if field in namespace]
            made = namedtuple(name, fields, defaults=defaults, module=namespace["__module__"])
            for member, value in namespace.items():
                if member not in ("__module__", "__qualname__"):
                    setattr(made, member, value)
            return made

    class NamedTuple(metaclass=_Fields):
        """See `typing.NamedTuple`."""
