"""A bento served by one process that ends when it cannot: what runs in a container.

Run as `python -P -m trimtab_services.alone BENTO` with the bento's `src` as PYTHONPATH. It listens
on BENTOML_HOST and BENTOML_PORT as `bentoml serve` does, and opens nothing else.
"""

import socket
import sys
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from trimtab.errors import ExitCode, SettingsError
from trimtab.records.documents import to_json

from .bundle import read_bundle, read_contract, source_of
from .environment import ServingEnvironment
from .flood import log_to_stderr
from .host import host
from .keys import Keyring
from .orders import Line, Order
from .pointer import Pointer
from .redacting import redactor_for


def listen(address: str, port: int) -> socket.socket:
    """Take the port. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=2048)


def _refuse(bento: Path, why: object) -> NoReturn:
    sys.stderr.write(f"{bento} is not served: {why}\n")
    sys.exit(ExitCode.USAGE)


def _words(part: ErrorDetails) -> str:
    return ": ".join([*map(str, part["loc"]), part["msg"]])


def main() -> None:
    """Serve the bento that the command line names until SIGTERM."""
    log_to_stderr()
    bento = Path(sys.argv[1]).resolve()
    try:
        environment = ServingEnvironment()
        bundle = read_bundle(source_of(bento))
        if environment.spool is not None:
            redactor_for(environment, bundle, read_contract(source_of(bento)))
        Keyring(environment.api_key, environment.api_keys_file, environment.bentoml_host)
        listening = listen(environment.bentoml_host or "127.0.0.1", environment.bentoml_port)
    except ValidationError as error:  # its own words show values
        _refuse(bento, "; ".join(_words(part) for part in error.errors(include_input=False)))
    except (OSError, ValueError, SettingsError) as error:
        _refuse(bento, error)
    pointer = Pointer(
        epoch=1, version=bundle.version, manifest_sha256=bundle.manifest_sha256, bento=bento
    )
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.send(to_json(Order(do="accept")))  # the only order ever; nobody reads the reports
    host(pointer, listening, Line(its))


if __name__ == "__main__":
    main()
