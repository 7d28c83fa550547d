"""Sending the replay's requests, and counting what came of them."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import httpx2
import orjson

from .history import Batch

_TIMEOUT_SECONDS = 30.0
_CONNECTIONS = 4


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    requests: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Failed requests by status or kind of error."""
    prediction_ids: set[str] = field(default_factory=set)
    by_version: Counter[str] = field(default_factory=Counter)
    """Predictions by the version that made them."""


class Traffic:
    """Clients that keep their connections open, as those of a real system do."""

    def __init__(self, url: str, api_key: str | None, tally: Tally) -> None:
        headers = {"content-type": "application/json"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        limits = httpx2.Limits(max_connections=_CONNECTIONS)
        self._client = httpx2.AsyncClient(
            base_url=url, headers=headers, limits=limits, timeout=_TIMEOUT_SECONDS, trust_env=False
        )
        self.tally = tally

    async def send(self, batch: Batch) -> None:
        """Send all requests of a batch and wait for their answers."""
        await asyncio.gather(*(self._ask(body) for body in batch.bodies))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, body: bytes) -> None:
        self.tally.requests += 1
        try:
            answer = await self._client.post("/predict", content=body)
        except httpx2.HTTPError as error:
            self.tally.failed[type(error).__name__] += 1
            return
        if answer.status_code != 200:
            self.tally.failed[f"{answer.status_code} {answer.text[:200]}"] += 1
            return
        content = orjson.loads(answer.content)
        ids = [prediction["prediction_id"] for prediction in content["predictions"]]
        self.tally.prediction_ids.update(ids)
        self.tally.by_version[content["version"]] += len(ids)
