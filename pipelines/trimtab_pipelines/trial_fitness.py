"""Which versions can be compared by their answers to the same requests."""

from trimtab.records.contracts import Contract, Task
from trimtab.records.trials import TrialKind


def unfit(champion: Contract, challenger: Contract, kind: TrialKind) -> str:
    """Say why a version cannot be tried beside the champion; empty when it can.

    Both must answer in the same words. A shadow may do with fewer inputs than the champion gets;
    a canary takes the very same requests. Of a bake the challenger is the champion before.
    """
    if (champion.task, champion.classes) != (challenger.task, challenger.classes):
        return "its answers are not in the words of the champion's (task and classes differ)"
    if champion.task is Task.CLUSTERING:
        return "clusters are found anew by each version: that two answers differ says nothing"
    if champion.task is Task.EMBEDDING:
        return "dimensions are found anew by each version: that two places differ says nothing"
    inputs = {column.name: column for column in champion.schema.columns}
    for column in challenger.schema.columns:
        if inputs.get(column.name) is None:
            return f"it needs {column.name!r}, which callers do not send"
        if inputs[column.name].type != column.type:
            return f"it takes {column.name!r} as {column.type}, the champion as " + (
                f"{inputs[column.name].type}"
            )
    if kind is TrialKind.CANARY and champion.schema != challenger.schema:
        return "its request is not that of the champion; try it as a shadow"
    return ""
