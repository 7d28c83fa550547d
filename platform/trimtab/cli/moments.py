"""Moments on the command line."""

from datetime import UTC, datetime

import click


class Moment(click.ParamType[datetime]):
    """A moment in ISO 8601; without a zone it is UTC."""

    name = "ISO 8601"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it; a bad one is a usage error."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write 2013-04-01 or 2013-04-01T12:00", param, ctx)
        return moment.replace(tzinfo=moment.tzinfo or UTC)
