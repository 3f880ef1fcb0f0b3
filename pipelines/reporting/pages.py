"""Pages from templates. What a template is given is data: it is shown as it is, and never becomes markup."""

import html
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.reporting.visible import cut, markdown_line, visible


def page(template: str, values: Mapping[str, Any]) -> str:
    """Return a page made of a template of this folder, `.html` or `.md`; a value that is `Markup` stands as it is."""
    environment = _HTML if template.endswith(".html") else _MARKDOWN
    return environment.get_template(template).render(values)


def figure(value: float | None) -> str:
    """Return a number in three digits after the point, a tiny one as a power; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.1e}" if 0 < abs(value) < 0.001 else f"{value:.3f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in per cent; a dash for None."""
    return "–" if share is None else f"{share:.{digits}%}"


def on_scale(value: float, total: float, least: float = 0.0) -> str:
    """Return where a value stands on a bar 1,000 units long that ends at `total`."""
    return f"{max(least, min(1.0, value / total) * 1000 if total else 0.0):.1f}"


def _html(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(html.escape(visible(str(value))))


def _markdown(value: object) -> str:
    return value if isinstance(value, Markup) else markdown_line(str(value))


def _environment(shown: Callable[[object], str]) -> Environment:
    environment = Environment(
        loader=PackageLoader("pipelines.reporting", ""),
        autoescape=shown is _html,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": "{:,}".format,
        "cut": lambda text, most=200: cut(text, most),
        "figure": figure,
        "percent": percent,
        "on_scale": on_scale,
    }
    return environment


_HTML = _environment(_html)
_MARKDOWN = _environment(_markdown)
