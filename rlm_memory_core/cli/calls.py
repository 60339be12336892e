"""The command `rlm-memory calls`: lists, exports or deletes recorded calls. It does not ask a model."""

import argparse
import json
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from ..models.call_store import CallStore, cache_path
from ..models.normalise import usage_of
from ..models.pricing import Usage
from ..models.types import Response
from .common import Refused, confirm


def list_calls(options: argparse.Namespace) -> None:
    """Print how many calls are recorded for each model, their tokens, their size, and when they were made."""
    models: dict[str, tuple[Usage, int, str, str]] = {}
    with _opened(options) as calls:
        for call in calls.records(options.model):  # oldest first
            usage, size, first, _ = models.get(call.model, (Usage(), 0, call.created, ""))
            usage, size = usage + usage_of(Response(call.response).body or {}), size + len(call.response.encode())
            models[call.model] = usage, size, first, call.created
        print(f"recorded calls in {calls.path}: {calls.count(options.model):,}")
    width = max(map(len, ["model", *models]))
    print(f"{'model':<{width}} {'calls':>9} {'prompt tokens':>15} {'completion':>12} {'size':>10}  first, last (UTC)")
    for model, (usage, size, first, last) in sorted(models.items()):
        figures = f"{usage.calls:>9,} {usage.prompt_tokens:>15,} {usage.completion_tokens:>12,}"
        print(f"{model:<{width}} {figures} {size / 1e6:>7,.1f} MB  {first} {last}")


def export_calls(options: argparse.Namespace) -> None:
    """Print the recorded answers as JSON Lines."""
    with _opened(options) as calls:
        records = ({**asdict(call), "response": Response(call.response).body} for call in calls.records(options.model))
        sys.stdout.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def prune_calls(options: argparse.Namespace) -> None:
    """Delete recorded calls."""
    days = options.older_than
    if (options.model is not None or days is not None) == options.all:
        raise Refused("say what to prune: --model or --older-than, or --all")
    before = None if days is None else f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S}"
    with _opened(options) as calls:
        count = calls.count(options.model, before)
        print(f"{count:,} of {len(calls):,} calls in {calls.path} will be deleted; asking again costs money again.")
        if count:
            confirm(options.yes, "stopped before anything was deleted")
            print(f"{calls.prune(options.model, before):,} calls deleted.")


def _opened(options: argparse.Namespace) -> closing[CallStore]:
    """Open the file of recorded calls, without creating it."""
    path = options.file or cache_path() / "calls.sqlite"
    if not path.is_file():
        raise Refused(f"there are no recorded calls in {path}")
    return closing(CallStore(path))
