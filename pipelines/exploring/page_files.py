"""The page's own files: as the server gives them, and joined into one that needs no server."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources

_LINK = re.compile(r'<link rel="stylesheet" href="page/([\w-]+\.css)">')
_SCRIPT = re.compile(r'<script src="page/([\w-]+\.js)"></script>')
INDEX = "index.html"


@cache
def page_files() -> dict[str, str]:
    """Return the page and the files that it names, by name: nothing else is ever given out."""
    folder = resources.files("pipelines.exploring.page")
    index = (folder / INDEX).read_text("utf-8")
    names = [*_LINK.findall(index), *_SCRIPT.findall(index)]
    return {INDEX: index, **{name: (folder / name).read_text("utf-8") for name in names}}


def joined(data: str, encoding: str) -> str:
    """Return the page as one file with its styles, scripts and data in it, and a policy that allows nothing else.

    `data` is base64 of JSON, packed by `encoding`, so that no text in it can end the element that holds it.
    """
    files = page_files()
    digests: dict[str, list[str]] = {"style": [], "script": []}

    def inlined(kind: str, name: str) -> str:
        digest = base64.b64encode(hashlib.sha256(files[name].encode()).digest()).decode()
        digests[kind].append(f"'sha256-{digest}'")
        return f"<{kind}>{files[name]}</{kind}>"

    html = _LINK.sub(lambda found: inlined("style", found[1]), files[INDEX])
    html = _SCRIPT.sub(lambda found: inlined("script", found[1]), html)
    policy = (
        f"default-src 'none'; script-src {' '.join(digests['script'])}; style-src {' '.join(digests['style'])}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    html = html.replace("<!-- policy -->", f'<meta http-equiv="Content-Security-Policy" content="{policy}">', 1)
    bundle = f'<script type="text/plain" id="bundle" data-encoding="{encoding}">{data}</script>'
    return html.replace("<!-- bundle -->", bundle, 1)
