"""HTML by construction: text becomes markup only through `element`, which escapes it and shows what it hides."""

import html
from collections.abc import Iterable

from pipelines.reporting.visible import cut, visible


class Html(str):
    """Markup that is safe as it stands. Any other string is data."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | int | float) -> Html:
    """Return an element. Children are escaped unless they are Html; `class_` is class, `data_x` is data-x."""
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{_safe(str(value))}"' for key, value in attributes.items())
    return Html(f"<{name}{shown}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Html:
    """Return children one after another, escaped unless they are Html."""
    return Html("".join(child if isinstance(child, Html) else _safe(child) for child in children))


def short(text: str, most: int = 200) -> Html:
    """Return a text of data as markup, cut where it is longer than `most` characters."""
    return Html(_safe(cut(text, most)))


def table(head: Iterable[str], rows: Iterable[Iterable[str]], numbers: frozenset[int] = frozenset()) -> Html:
    """Return a table whose rows become cards on a narrow screen; `numbers` are the columns set flush right."""
    names = list(head)

    def cell(column: int, text: str) -> Html:
        kind = {"class_": "number"} if column in numbers else {}
        return element("td", text, data_label=names[column], **kind)

    heads = (
        element("th", name, **({"class_": "number"} if column in numbers else {})) for column, name in enumerate(names)
    )
    body = (element("tr", *(cell(column, text) for column, text in enumerate(row))) for row in rows)
    return element("table", element("thead", element("tr", *heads)), element("tbody", *body))


def _safe(text: str) -> str:
    return html.escape(visible(text))
