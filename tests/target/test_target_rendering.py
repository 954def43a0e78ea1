"""Templates are filled in, and a hostile one reaches nothing and ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from evaluator.records import Failure, FailureKind, JsonValue
from evaluator.target.rendering import Renderer, variables_of

Render = Callable[..., Awaitable[tuple[str, ...] | Failure]]


@pytest_asyncio.fixture
async def render() -> AsyncIterator[Render]:
    """Render one template for an input."""
    made: list[Renderer] = []

    async def run(template: str, value: JsonValue = "x", *, timeout_s: float = 5.0) -> tuple[str, ...] | Failure:
        renderer = Renderer([template], timeout_s=timeout_s)
        made.append(renderer)
        return await renderer.render(variables_of(value))

    yield run
    for renderer in made:
        await renderer.close()


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("Say {{input}}!\n", "안녕 🎉", "Say 안녕 🎉!\n"),
        ("{{ question }} / {{ n }}", {"question": "q", "n": 2.5}, "q / 2.5"),
        ("{{ input }}", {"q": "가", "ok": True}, '{"q": "가", "ok": true}'),
        ("{{ input }}", {"input": "own"}, "own"),
        ("{{ input | tojson }}", ["<a>", None], '["<a>", null]'),
        ("{{ ok }} {{ none_ }} {{ items }}", {"ok": False, "none_": None, "items": [1]}, "false null [1]"),
        ("{% for p in parts %}{{ loop.index }}:{{ p.name }} {% endfor %}", {"parts": [{"name": "a"}]}, "1:a "),
        ("{{ input }}", "{{ 7 * 7 }} {% raw %}", "{{ 7 * 7 }} {% raw %}"),
        ("{% raw %}{{ literal }}{% endraw %} <b>&", "x", "{{ literal }} <b>&"),
        ("{{ input | upper | trim }}", " a ", "A"),
        ("{{ input['a b'] }}", {"a b": 1}, "1"),
        ("{{ missing | default('none') }}", "x", "none"),
    ],
)
async def test_a_template_is_filled_in(render: Render, template: str, value: JsonValue, expected: str) -> None:
    assert await render(template, value) == (expected,)


@pytest.mark.parametrize("name", ["question", "expected", "metadata", "case"])
async def test_a_missing_variable_is_named(render: Render, name: str) -> None:
    failure = await render(f"{{{{ {name} }}}}")
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.RENDER
    assert f"'{name}' is undefined" in failure.message


HOSTILE = {
    "class walk": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "attr filter": "{{ ''|attr('__class__') }}",
    "format": "{{ '{0.__class__.__init__.__globals__}'.format(input) }}",
    "format by attr": "{{ ('{0.__class__.__mro__}'|attr('format'))(1) }}",
    "format map": "{{ '{x.__class__}'.format_map({'x': input}) }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "self": "{{ self.__init__.__globals__ }}",
    "range": "{% for i in range(10**9) %}{% endfor %}",
    "nested range": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "two recursions": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "multiplication": "{{ ('x' * 10**10)|length }}",
    "power": "{{ 9 ** (9 ** (9 ** 9)) }}",
    "centre": "{{ 'x'|center(10**10) }}",
    "much output": "{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
    "changing a list": "{{ input.append(1) }}",
    "lipsum": "{{ lipsum() }}",
}


@pytest.mark.parametrize("template", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_template_is_a_failure_and_soon(render: Render, template: str) -> None:
    started = time.monotonic()
    failure = await render(template, ["x"], timeout_s=1.0)
    assert isinstance(failure, Failure)
    assert failure.kind is FailureKind.RENDER
    assert len(failure.message) < 3_000
    assert time.monotonic() - started < 10


async def test_after_a_hostile_case_the_next_is_rendered() -> None:
    long_loops = HOSTILE["nested range"]
    renderer = Renderer([f"{{% if n %}}{long_loops}{{% endif %}}ok", "{{n}}"], timeout_s=0.5)
    await renderer.start()
    for _ in range(2):
        assert isinstance(await renderer.render({"n": 1}), Failure)
        assert await renderer.render({"n": 0}) == ("ok", "0")
    await renderer.close()


async def test_of_cases_that_are_rendered_together_only_the_hostile_one_fails() -> None:
    long_loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    renderer = Renderer(
        [f"{{% if n == 41 %}}{long_loops}{{% endif %}}{{{{ 7 // (n - 5) }}}} of {{{{ n }}}}"], timeout_s=0.5
    )
    await renderer.start()
    try:
        texts = await asyncio.gather(*(renderer.render({"n": n}) for n in range(100)))
    finally:
        await renderer.close()
    assert [n for n, text in enumerate(texts) if isinstance(text, Failure)] == [5, 41]
    assert texts[99] == ("0 of 99",)


async def test_the_rendering_process_has_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    renderer = Renderer(["x"])
    await renderer.start()
    assert await renderer.render({}) == ("x",)
    worker = renderer._worker
    assert "OPENAI_API_KEY" not in worker._env
    await renderer.close()
