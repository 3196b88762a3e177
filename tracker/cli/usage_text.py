"""What models have used, in a few words; servers before it existed tell nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_TOKENS: Final = {
    "input_tokens": "in",
    "output_tokens": "out",
    "cache_read_tokens": "read from the cache",
    "cache_write_tokens": "written to it",
}


def usage_text(usage: Mapping[str, Any] | None) -> str:
    """`12,345 tokens in, 678 out; $0.42`; `about $0.42` where it was estimated; nothing where
    nothing was told."""
    if not usage:
        return ""
    counts = [f"{usage[name]:,} {what}" for name, what in _TOKENS.items() if usage.get(name)]
    tokens = ", ".join(counts).replace(" ", " tokens ", 1)
    told, estimated = _dollars(usage.get("cost_usd")), _dollars(usage.get("estimated_cost_usd"))
    costs = [told, estimated and f"about {estimated}{' more' if told else ''}"]
    return "; ".join(filter(None, [tokens, *costs]))


def by_model(usage: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Each model with its own."""
    return [
        (str(model.get("model") or "a model not named"), usage_text(model))
        for model in (usage or {}).get("models") or ()
    ]


def _dollars(cost: float | None) -> str:
    if not cost:
        return ""
    return f"${cost:,.2f}" if cost >= 1 else f"${cost:.6f}".rstrip("0").ljust(5, "0")
