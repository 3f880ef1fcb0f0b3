"""Pages from templates. What a template is given is data: it is shown as it is, and never becomes markup."""

import html
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pipelines.reporting.visible import cut, markdown_line, visible

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_OWN = "pipelines.reporting"


def page(template: str, values: Mapping[str, Any], package: str = _OWN) -> str:
    """Return a page made of a template of a package, `.html` or `.md`; a value that is `Markup` stands as it is.

    A template may extend page.html and import macros.html of this folder.
    """
    return compiled(template, package).render(values)


def compiled(template: str, package: str = _OWN) -> "Template":
    """Return a template of a package, which is compiled once a process: half a second."""
    return _environment(template.endswith(".html"), package).get_template(template)


def figure(value: float | None) -> str:
    """Return a number in three digits after the point, a tiny one as a power; a dash for None."""
    return "–" if value is None else f"{value:.1e}" if 0 < abs(value) < 0.001 else f"{value:.3f}"


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


@cache
def _environment(is_html: bool, package: str) -> "Environment":
    from jinja2 import (
        ChoiceLoader,
        Environment,
        PackageLoader,
        StrictUndefined,
    )  # takes 30 ms, and most commands make no page

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, "") for name in (package, _OWN)]),
        autoescape=is_html,
        finalize=_html if is_html else _markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "count": "{:,}".format,
        "cut": lambda text, most=200: cut(text, most),
        "figure": figure,
        "percent": percent,
        "on_scale": on_scale,
    }
    return environment
