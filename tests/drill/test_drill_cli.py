"""What cannot be drilled is refused before anything is started."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from trimtab.errors import TrimtabError
from trimtab_pipelines.drill_cli import drill


def refused(project: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(drill, [*arguments, "--project", str(project)])
    if isinstance(done.exception, TrimtabError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("returns",), "No model 'returns'"),
        (("orders", "--change", "earthquake"), "'earthquake' is not one of"),
        (("orders", "--size", "earthquake=1"), "no change 'earthquake'"),
        (("orders", "--size", "mean-shift=much"), "'much' is no number"),
        (("orders", "--size", "3"), "write it as CHANGE=SIZE"),
        (("orders", "--size", "null-burst=3"), "is no share of the rows"),
        (("orders", "--json", "nowhere/drill.json"), "there is no folder nowhere"),
        (("orders", "--column", "mean-shift=prise"), "Did you mean 'price'?"),
    ],
)
def test_bad_input_is_said_to_be_bad(project: Path, arguments: tuple[str, ...], why: str) -> None:
    code, output = refused(project, *arguments)

    assert code == 2, output
    assert why in output
    assert not (project / ".trimtab" / "drill" / "home").exists()


def test_a_model_without_time_cannot_be_drilled(project: Path) -> None:
    toml = (project / "trimtab.toml").read_text().replace('time = "at"\n', "")
    (project / "trimtab.toml").write_text(toml)
    code, output = refused(project, "orders")

    assert code == 2, output
    assert "models.orders.time is not set" in output
