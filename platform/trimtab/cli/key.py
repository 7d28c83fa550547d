"""`trimtab key`: who may call the endpoints."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from trimtab.records.keys import ApiKey, KeyScope, admit, hash_key, make_key
from trimtab.records.ledger import LedgerEntry

from .options import project_option
from .output import console
from .person import person

if TYPE_CHECKING:
    from trimtab.settings import Settings

_LONGEST_NAME = 100
_EVERY = "*"
"""How the ledger calls the model of a key that is for every one."""


class _Length(click.ParamType[timedelta]):
    """A length of time such as `90d`."""

    name = "length"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it, or say how to write it."""
        from trimtab.records.durations import parse_duration  # pydantic: not for --help

        try:
            length = parse_duration(value)
            datetime.now(UTC) + length
        except ValueError as error:
            self.fail(str(error), param, ctx)
        except OverflowError:
            self.fail(f"{value!r} is beyond the calendar", param, ctx)
        return length


@click.group()
def key() -> None:
    """Make, list and revoke the API keys of the endpoints.

    As soon as a model has a key, its endpoint answers only callers that send one as
    `Authorization: Bearer KEY`; probes need none. To change a key, create another one of the
    same name, hand it out, and then revoke the old one.
    """


@key.command(epilog="Example: trimtab key create shop --scope predict --model orders --expires 90d")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in KeyScope]),
    multiple=True,
    default=[KeyScope.PREDICT.value],
    show_default=True,
    help="What it opens: predictions, labels, or the rest (metrics). May be given several times.",
)
@click.option("--model", help="The one model it is for. [default: every model]")
@click.option("--expires", type=_Length(), help="When it ends, as 90d or 12h. [default: never]")
@project_option
def create(
    settings: "Settings",
    name: str,
    scopes: Sequence[str],
    model: str | None,
    expires: timedelta | None,
) -> None:
    """Make a key for NAME, who or what will use it, and print it - this once.

    Only its hash is kept. The key alone goes to the standard output, for a pipe into a secret
    store; endpoints know it within seconds.
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= _LONGEST_NAME:
        raise click.BadParameter(f"write 1 to {_LONGEST_NAME} printable characters for NAME")
    if model is not None:
        settings.model(model)
    now = datetime.now(UTC)
    id, secret = make_key()
    made = ApiKey(
        id=id,
        name=name.strip(),
        model=model,
        scopes=tuple(scope for scope in KeyScope if scope.value in scopes),
        sha256=hash_key(secret.encode()),
        created_by=person(),
        created_at=now,
        expires_at=now + expires if expires else None,
    )
    _store(settings, made, "key created")
    click.echo(f"Key {id}: {'; '.join(_facts(made))}. It is shown now and never again:", err=True)
    click.echo(secret)


@key.command("list", epilog="Example: trimtab key list --json")
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything, as JSON.")
@project_option
def list_(settings: "Settings", as_json: bool) -> None:
    """List the keys there ever were, newest first; never the keys themselves."""
    from trimtab.adapters.opening import open_database

    with open_database(settings).transaction() as stores:
        keys = stores.keys.all()
    now = datetime.now(UTC)
    if as_json:
        click.echo(_as_json([{**_shown(key), "state": key.state(now)} for key in keys]))
    elif keys:
        console.print(_table(keys, now))
    else:
        console.print("There is no key. Endpoints on loopback answer everybody on this machine.")


@key.command(epilog="Example: trimtab key revoke 0a1b2c3d4e")
@click.argument("id")
@project_option
def revoke(settings: "Settings", id: str) -> None:
    """Revoke the key with this ID; endpoints refuse it within seconds.

    A model whose last key was revoked stays closed.
    """
    from trimtab.adapters.opening import open_clock, open_database

    at = open_clock(settings).now()
    with open_database(settings).transaction() as stores:
        revoked = stores.keys.revoke(id, datetime.now(UTC))
        stores.ledger.append(_entry(revoked, "key revoked", at))
    console.print(f"Key {revoked.id} of {revoked.name} opens nothing any more.", markup=False)


@key.command(epilog="Example: trimtab key export orders > keys.json")
@click.argument("model")
@project_option
def export(settings: "Settings", model: str) -> None:
    """Print the active keys of MODEL, hashed, for a bento that is deployed elsewhere.

    Let its environment name the file in TRIMTAB_API_KEYS_FILE; a file that was replaced is read
    again within a second.
    """
    from trimtab.adapters.opening import open_database
    from trimtab.records.documents import to_json

    settings.model(model)
    with open_database(settings).transaction() as stores:
        keys = stores.keys.of(model)
    admission = admit(keys, datetime.now(UTC))
    click.echo(to_json(replace(admission, closed=True), indent=2))


def _store(settings: "Settings", made: ApiKey, event: str) -> None:
    from trimtab.adapters.opening import open_clock, open_database

    at = open_clock(settings).now()
    with open_database(settings).transaction() as stores:
        stores.keys.add(made)
        stores.ledger.append(_entry(made, event, at))


def _entry(key: ApiKey, event: str, at: datetime) -> LedgerEntry:
    return LedgerEntry(
        at=at,
        actor=person(),
        event=event,
        model=key.model or _EVERY,
        subject=key.id,
        reasons=tuple(_facts(key)),
    )


def _facts(key: ApiKey) -> list[str]:
    until = f"until {key.expires_at:%F %H:%M}" if key.expires_at else "without an end"
    scopes = ", ".join(key.scopes)
    return [f"for {key.name}", f"opens {scopes}", f"of {key.model or 'every model'}", until]


def _shown(key: ApiKey) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "sha256"}


def _as_json(value: Any) -> str:
    import orjson  # its own import, so that --help stays light

    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _table(keys: Sequence[ApiKey], now: datetime) -> Table:
    table = Table(box=None)
    for title in ("id", "name", "model", "opens", "state", "created", "expires"):
        table.add_column(title, overflow="fold")
    for key in keys:
        created, expires = key.created_at, key.expires_at
        cells = [key.id, key.name, key.model or "every", ", ".join(key.scopes), key.state(now)]
        cells += [f"{created:%F} by {key.created_by}", f"{expires:%F %H:%M}" if expires else ""]
        table.add_row(*map(Text, cells), style=None if key.state(now) == "active" else "dim")
    return table
