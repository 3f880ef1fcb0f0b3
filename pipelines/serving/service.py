"""The service: HTTP around the doors, with its limits, its token and its end.

Every call ends in a reply or in a count. A client that goes away takes nothing with it: what it asked for is judged and
stored, and a call for the same finds it.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import orjson
from aiohttp import web

from pipelines.serving.canary import MEANINGS, Canary
from pipelines.serving.counts import Counts, metrics
from pipelines.serving.doors import DOORS, CallError, Door, Member
from pipelines.serving.groups import Groups, Joined, Key
from pipelines.serving.judging import Judges, Question, all_of, judged
from pipelines.serving.verdicts import Cause, Verdict, failed
from schemas.record import canonical_json
from schemas.strict_json import strict_json

BODY_S = 30.0
"""How long a body may take to come in."""
POLL_S = 0.05

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Service:
    """What the calls share."""

    judges: Judges
    token: str | None
    canary: Canary
    counts: Counts = field(default_factory=Counts)
    groups: Groups = field(init=False)
    is_stopping: bool = False

    def __post_init__(self) -> None:
        self.groups = Groups(self._judge, self.judges.section.group_wait_s, self.counts.waited)

    async def _judge(self, question: Question, texts: Sequence[str]) -> Verdict:
        began = time.monotonic()
        verdict = await judged(self.judges, question, texts)
        self.counts.add(verdict, time.monotonic() - began)
        return verdict

    async def member(self, member: Member) -> Joined:
        """Return what becomes of a call's responses, or that it took too long."""
        self.canary.seen(member.step)
        if member.size is None:
            judging = self.groups.at_once(member.question, member.texts)
        else:
            key = Key(member.run, member.step, member.group, member.question)
            judging = self.groups.join(key, member.texts, member.size, member.call)
        try:
            async with asyncio.timeout(self.judges.section.timeout_s) as limit:
                joined = await judging
        except TimeoutError:
            if not limit.expired():
                raise
            verdict = failed(len(member.texts), Cause.TIMED_OUT)
            joined = Joined(verdict.rewards, verdict)
        self.counts.add_beside(joined.rewards)
        return joined

    def gauges(self) -> dict[str, tuple[str, float | None]]:
        """Return what can be read now of those who ask."""
        asked = [one for one in (self.judges.judge, self.judges.scorer) if one is not None]
        return {
            "in_flight": ("Requests at the endpoints.", sum(one.in_flight for one in asked)),
            "open_groups": ("Groups that wait for members.", self.groups.waiting),
            "bought_answers": ("Answers that were sent for since the start.", sum(one.bought for one in asked)),
            "stored_answers": ("Answers that were there already.", sum(one.stored for one in asked)),
            **{name: (MEANINGS[name], value) for name, value in self.canary.figures.items()},
        }

    async def drain(self) -> None:
        """Return when all that was begun has come to its end and was told."""
        self.is_stopping = True
        self.groups.stop()
        await self.groups.drained()
        while self.counts.open_calls:
            await asyncio.sleep(POLL_S)


def application(service: Service) -> web.Application:
    """Return the HTTP application of a service."""
    most = int(service.judges.section.most_body_mb * 1_000_000)
    app = web.Application(client_max_size=most, middlewares=[_outer(service, most)])
    for path, door in DOORS.items():
        app.router.add_post(path, _answering(service, door))
    app.router.add_get("/metrics", _page(lambda: metrics(service.counts, service.gauges()), "text/plain"))
    app.router.add_get("/openapi.json", _page(_openapi, "application/json"))
    app.router.add_get("/healthz", _page(lambda: "stopping\n" if service.is_stopping else "ok\n", "text/plain"))
    return app


def _openapi() -> str:
    return resources.files("pipelines.serving").joinpath("openapi.json").read_text("utf-8")


def _page(text: Callable[[], str], kind: str) -> Handler:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=text(), content_type=kind)

    return page


def _outer(service: Service, most: int) -> Any:
    """Return what stands around every call: token, limits, counts, and one form for all errors."""

    @web.middleware
    async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path if request.path in DOORS else "other"
        service.counts.open_calls += 1
        try:
            _check(service, request, most)
            response = await handler(request)
        except CallError as error:
            response = _error(error.status, error.name, error.why)
        except web.HTTPRequestEntityTooLarge:
            response = _error(413, "too_large", _size_words(most))
        except web.HTTPNotFound:
            response = _error(404, "no_door", f"there is nothing; POST to {', '.join(DOORS)}, or GET /openapi.json")
        except web.HTTPException as error:
            response = _error(error.status, "http", error.reason)
        except Exception:
            service.counts.calls[path, 500] += 1
            raise
        finally:
            service.counts.open_calls -= 1
        if request.transport is None or request.transport.is_closing():
            service.counts.gone_clients += 1
        service.counts.calls[path, response.status] += 1
        return response

    return around


def _check(service: Service, request: web.Request, most: int) -> None:
    """Raise CallError for a call that is not let in."""
    if request.path == "/healthz":
        return
    if "Origin" in request.headers:
        # A browser says which page asks; no trainer does. So no page that is open here can spend what a judge costs.
        raise CallError("calls from pages of a browser are refused", "origin", 403)
    if service.token is not None:
        # A trainer that is given nothing but an address can carry the token in it alone.
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.query.get("token", "")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), service.token.encode()):
            raise CallError("the token is missing or wrong: send Authorization: Bearer ..", "token", 401)
    if request.method != "POST":
        return
    if service.is_stopping:
        raise CallError(Cause.STOPPING.meaning.words, Cause.STOPPING.value, 503)
    if service.counts.open_calls > service.judges.section.most_calls:
        limit = f"[serve] most_calls = {service.judges.section.most_calls}"
        raise CallError(f"too many calls are open: come again ({limit})", "busy", 503)
    if (request.content_length or 0) > most:
        raise CallError(_size_words(most), "too_large", 413)


def _answering(service: Service, door: Door) -> Handler:
    section, job = service.judges.section, service.judges.job

    async def answer(request: web.Request) -> web.Response:
        body = await _body(request)
        if service.is_stopping:  # since the call was let in
            raise CallError(Cause.STOPPING.meaning.words, Cause.STOPPING.value, 503)
        address = {name: value for name, value in request.query.items() if name != "token"}
        members = door.read(body, address, section)
        for member in members:
            _check_criteria(member, job.principles, "principles" in job.template.slots)
        joined = await all_of([service.member(member) for member in members])
        reply = door.tell(joined, section)
        return web.Response(status=reply.status, body=orjson.dumps(reply.body), content_type="application/json")

    return answer


def _check_criteria(member: Member, principles: str, has_place: bool) -> None:
    """Raise CallError where criteria would be dropped without a word, or are missing."""
    if member.question.criteria and not has_place:
        raise CallError('criteria: the judge is shown none; [grm] principles = "rubric" has a place for them')
    if principles == "rubric" and not member.question.criteria:
        raise CallError('criteria: missing; [grm] principles = "rubric" gives the judge criteria: send them')


async def _body(request: web.Request) -> Mapping[str, Any]:
    """Return a call's JSON. Raises CallError."""
    try:
        async with asyncio.timeout(BODY_S):
            raw = await request.read()
    except TimeoutError:
        raise CallError(f"the body did not come within {BODY_S:g} s", "slow", 408) from None
    try:
        body = orjson.loads(raw)
    except ValueError:
        try:
            body = strict_json(raw)  # a trainer's own writer may send lone surrogates, which `cleaned` replaces
        except (ValueError, RecursionError):
            raise CallError("the body is not JSON", "not_json") from None
    if not isinstance(body, dict):
        raise CallError("the body is no JSON object", "not_json")
    return body


def _size_words(most: int) -> str:
    return f"the body is larger than {most:,} bytes ([serve] most_body_mb)"


def _error(status: int, name: str, why: str) -> web.Response:
    headers = {"Retry-After": "1"} if status == 503 else None
    body = canonical_json({"error": {"name": name, "why": why}})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
