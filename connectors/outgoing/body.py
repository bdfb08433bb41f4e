"""The body of an outgoing webhook: the update as JSON, or an operator's template of JSON filled in.

Pure; what a template may name, and how its values are encoded, is told in `config.bodies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from config import bodies
from connectors.base import Json
from connectors.tools import whole_percent
from connectors.words import percent, progress_words
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS

STEADY = ("workspace", "kind", "id", "title", "percent", "state", "health", "url")
"""what is worth a delivery when it changes; the rest moves with the calendar"""


def data_of(update: StatusUpdate) -> dict[str, Json]:
    """Return all that is told about a subject as JSON, ratios 0…1 beside the percent that people read."""
    forecast = update.forecast
    return {
        "workspace": update.workspace,
        "kind": update.kind,
        "id": update.id,
        "title": update.title,
        "progress": update.progress,
        "percent": whole_percent(update),
        "state": update.state,
        "coverage": update.coverage,
        "health": update.health.value,
        "reasons": list(update.drivers),
        "changed": list(update.changed),
        "summary": update.summary,
        "text": update.text,
        "flags": list(update.flags),
        "forecast": None
        if forecast is None
        else {
            "p50": forecast.p50.isoformat() if forecast.p50 else None,
            "p85": forecast.p85.isoformat() if forecast.p85 else None,
            "probability": forecast.probability,
        },
        "period": update.period,
        "complete_to": utc(update.complete_to),
        "url": update.url,
    }


def utc(moment: datetime | None) -> str | None:
    """Return an instant as ``2026-11-24T12:00:00Z``."""
    text = moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None
    return text.replace("+00:00", "Z") if text else None


def names_of(update: StatusUpdate, key: str) -> Mapping[str, object]:
    """Return what a template may name (`config.bodies.SAMPLE`), ratios in whole percent as in all templates."""
    forecast = update.forecast
    return {
        **data_of(update),
        "progress": whole_percent(update),
        "progress_words": progress_words(update),
        "coverage": percent(update.coverage) if update.coverage is not None else None,
        "health": HEALTH_WORDS[update.health],
        "health_id": update.health.value,
        "forecast": {
            "p50": forecast.p50 if forecast else None,
            "p85": forecast.p85 if forecast else None,
            "probability": percent(forecast.probability) if forecast and forecast.probability is not None else None,
        },
        "key": key,
    }


def filled(text: str, update: StatusUpdate, row: str) -> Json:
    """Return the body that the template of a row makes; raise RejectedError that says why it makes none."""
    key = f"keyrail:{update.workspace}:{row}:{update.kind}:{update.id}"
    try:
        return bodies.filled(text, names_of(update, key))
    except ValueError as error:
        raise RejectedError(f"{row}: `body` of the webhook: {error}") from error
