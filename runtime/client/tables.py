"""Tables as Docker prints them: columns at least ten wide, three spaces between, the last bare.

The twin of Go's text/tabwriter with docker's settings, and of cli/command/formatter: rows are
dictionaries of ready texts, `--format` is "table", "table TEMPLATE", "json" or a template.

    render([["NAMES", "STATE"], ["first", "exited"]]) → "NAMES     STATE\\nfirst     exited"
"""

from __future__ import annotations

from runtime.client.options import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from runtime.client.format import Template
    from runtime.client.session import Session


def render(rows: list[list[str]], narrowest: int = 10, gap: int = 3) -> str:
    """The rows, padded column by column; a line's last cell is not padded."""
    widths: dict[int, int] = {}
    for row in rows:
        for column, cell in enumerate(row[:-1]):
            widths[column] = max(widths.get(column, narrowest), len(cell) + gap)
    lines = []
    for row in rows:
        padded = [cell.ljust(widths[column]) for column, cell in enumerate(row[:-1])]
        lines.append("".join([*padded, row[-1]]))
    return "\n".join(lines)


class Columns:
    """What a listing can show: the fields, their titles, and Docker's name for a row's type."""

    def __init__(self, titles: Mapping[str, str], usual: tuple[str, ...], kind: str) -> None:
        self.titles, self.usual, self.kind = titles, usual, kind


def show(session: Session, rows: list[dict[str, Any]], columns: Columns, form: str = "") -> None:
    """Print the rows as --format asks."""
    if form == "json":
        form = "{{json .}}"
    if form in ("", "table"):
        form = "table " + "\\t".join("{{." + name + "}}" for name in columns.usual)
    in_table = form.startswith("table ")
    text = form.removeprefix("table ").strip() if in_table else form
    template = parsed(text.replace("\\t", "\t").replace("\\n", "\n"))
    lines = [rendered(template, Row(row, columns.kind)) for row in rows]
    if in_table:
        # The head of a table is the same template over the titles.
        head = rendered(template, Row(columns.titles, columns.kind))
        session.say(render([line.split("\t") for line in [head, *lines]]))
    else:
        for line in lines:
            session.say(line)


def parsed(text: str) -> Template:
    """The template, with Docker's words before Go's if it is wrong."""
    from runtime.client import format
    from runtime.client.template_functions import TemplateError

    try:
        return format.parse(text)
    except TemplateError as error:
        raise ClientError(f"failed to parse template: {error}") from None


def rendered(template: Template, row: Row) -> str:
    from runtime.client.template_functions import TemplateError

    try:
        return template.render(row)
    except TemplateError as error:
        raise ClientError(f"failed to execute template: {error}") from None


class Row(dict[str, "Any"]):
    """A row that knows Docker's name for its type, which a mistake in a template mentions."""

    def __init__(self, fields: Mapping[str, Any], kind: str) -> None:
        super().__init__(fields)
        self.kind = kind
