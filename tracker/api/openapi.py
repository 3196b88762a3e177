"""`/openapi.json`."""

import orjson


def document() -> bytes:
    return orjson.dumps({"openapi": "3.1.0"})
