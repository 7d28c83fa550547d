"""Waiting for a platform that has just been started to serve its first version."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import httpx2

from trimtab.errors import TrimtabError
from trimtab.ports import Database
from trimtab.records.requests import RequestState

_LOOK_SECONDS = 0.25


class FirstVersionError(TrimtabError):
    """There will be no version to send traffic to."""

    def __init__(self, state: RequestState, reasons: tuple[str, ...]) -> None:
        super().__init__(f"The first version was {state}: {'; '.join(reasons)}")


async def until_served(database: Database, model: str, news: Callable[[], None]) -> str:
    """Wait for the first version to be trained, promoted, packaged and served; give its number.

    `news` is called at every look. Raises FirstVersionError.
    """
    while True:
        news()
        with database.transaction() as stores:
            endpoint = stores.endpoints.get(model)
            requests = stores.requests.recent(model, limit=1)
        if endpoint and endpoint.version:
            return endpoint.version
        for request in requests:
            if not request.state.is_open and request.state is not RequestState.PROMOTED:
                raise FirstVersionError(request.state, request.reasons)
        await asyncio.sleep(_LOOK_SECONDS)


async def until_ready(url: str) -> None:
    """Wait until the endpoint at a URL has a version loaded and proven.

    What the database says of an endpoint may be of a platform that was stopped since.
    """
    async with httpx2.AsyncClient(base_url=url, timeout=5.0, trust_env=False) as client:
        while True:
            with suppress(httpx2.HTTPError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(_LOOK_SECONDS)
