"""The floor: a bare ASGI loop with Trimtab's predictor and Trimtab's capture, and nothing else.

It checks nothing, counts nothing and cannot swap. Run as `python floor.py SOURCE SPOOL PORT`, where
SOURCE is the `src` folder of a bento.
"""

import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from trimtab.records.rows import Rows
from trimtab.records.schema import ColumnType
from trimtab_services.bundle import read_bundle
from trimtab_services.captured import CapturedRequest, encode
from trimtab_services.segments import SegmentWriter
from trimtab_services.swap import load_champion

Message = MutableMapping[str, Any]


class Floor:
    """One version, one file of records."""

    def __init__(self, source: Path, spool: Path) -> None:
        bundle = read_bundle(source)
        self.champion = load_champion(source, bundle.version, bundle.manifest_sha256, "cpu")
        contract = self.champion.predictor.contract
        self.classes = [str(name) for name in contract.classes]
        columns = contract.schema.columns
        self.names = contract.schema.names
        self.times = [i for i, column in enumerate(columns) if column.type is ColumnType.DATETIME]
        self.model = bundle.model
        self.writer = SegmentWriter(spool)

    def answer(self, body: bytes) -> bytes:
        """Predict, capture, answer."""
        began, received = time.perf_counter_ns(), datetime.now(UTC)
        request = os.urandom(16)
        values = orjson.loads(body)["data"]
        for row in values:
            for place in self.times:
                row[place] = datetime.fromisoformat(row[place]).replace(tzinfo=UTC)
        answers = self.champion.answer(Rows(self.names, values))
        shares = answers.probabilities.tolist() if answers.probabilities is not None else []
        told = [
            {
                "prediction_id": f"{request.hex()}-{i}",
                "prediction": said,
                "probabilities": dict(zip(self.classes, share, strict=True)),
            }
            for i, (said, share) in enumerate(zip(answers.predictions, shares, strict=True))
        ]
        head = {"model": self.model, "version": self.champion.version, "request_id": request.hex()}
        text = orjson.dumps({**head, "predictions": told})
        record = CapturedRequest(
            request_id=request.hex(),
            version=self.champion.version,
            received=received,
            status=200,
            latency_us=(time.perf_counter_ns() - began) // 1000,
            source="",
            device=self.champion.device,
            detail=None,
            time=received,
            columns=self.names,
            inputs=values,
            predictions=answers.predictions,
            probabilities=shares,
        )
        self.writer.append(request, encode(record))
        return text

    def counts(self) -> bytes:
        """Say what was captured, as the endpoint's readiness does."""
        captured, dropped = self.writer.captured, self.writer.dropped
        return orjson.dumps({"answered": captured + dropped, "captured": captured})

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Read a whole body and answer it; anything without one asks whether it is ready."""
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(parts)
        text = self.answer(body) if body else self.counts()
        length = str(len(text)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


def main() -> None:
    """Serve until the end."""
    source, spool, port = sys.argv[1:]
    app = Floor(Path(source), Path(spool))
    gc.collect()
    gc.freeze()  # as the endpoint does
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
    )


if __name__ == "__main__":
    main()
