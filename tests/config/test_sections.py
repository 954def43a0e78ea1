"""Every section of the config file, whichever it is, tells its keys and how it is written; units as people write them."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from evaluator.config import model, scorers, section, targets
from evaluator.config.loading import parse_config
from evaluator.config.sections import keys_of, section_at
from evaluator.config.units import parse_duration, parse_money, parse_share
from evaluator.errors import ConfigError

GOOD: dict[str, Any] = {
    "version": 1,
    "dataset": {"path": "a.jsonl"},
    "target": {"prompt": "p.yml", "model": "m"},
    "scorers": ["f1"],
    "objectives": {"f1": {"max_drop": "5%"}},
}
PLACES: list[tuple[str, ...]] = [
    (),
    ("dataset",),
    ("target",),
    ("target", "command"),
    ("target", "python"),
    ("target", "http"),
    ("target", "container"),
    ("target", "container", "http"),
    ("setup",),
    ("sandbox",),
    ("judge",),
    ("objectives", "f1"),
    ("budget",),
    ("providers", "x"),
    ("prices", "m"),
    ("anchor",),
    ("slices",),
    ("baseline",),
    ("when",),
    ("ray",),
]


def subclasses(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in kind.__subclasses__():
        yield from (below, *subclasses(below))


def said(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yml")
    return str(caught.value)


def written(place: tuple[str, ...], value: str) -> str:
    """The good config as YAML, with a value at a place."""
    inner = value
    for key in reversed(place[1:]):
        inner = f"{{{key}: {inner}}}"
    lines = [f"{key}: {known}" for key, known in GOOD.items() if not place or key != place[0]]
    return "\n".join([*lines, f"{place[0]}: {inner}" if place else "zzz: 1", ""])


def test_no_section_is_forgotten_here() -> None:
    found = {section_at(place) for place in PLACES}
    known = {kind for kind in subclasses(section.Section) if kind.__module__ in (model.__name__, targets.__name__)}
    assert known - {model.ObjectivesOnly, targets.ExchangeSection} == found


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_an_unknown_key_is_told_with_the_keys_that_there_are(place: tuple[str, ...]) -> None:
    there = section_at(place)
    assert there is not None
    assert f"unknown key 'zzz' (expected one of: {', '.join(keys_of(there))})" in said(written(place, "{zzz: 1}"))


@pytest.mark.parametrize("place", [place for place in PLACES if place], ids=".".join)
def test_what_is_no_section_is_told_with_what_may_be_written(place: tuple[str, ...]) -> None:
    there = section_at(place)
    assert there is not None
    told = said(written(place, "7"))
    assert f"'{'.'.join(place)}': expected " in told
    assert "instance of" not in told
    assert all(key in told for key in keys_of(there)[:3])


@pytest.mark.parametrize("kind", scorers.SCORER_TYPES)
def test_an_unknown_option_of_a_scorer_is_told_with_its_options_alone(kind: str) -> None:
    told = said(written(("scorers",), f"[{{{kind}: {{zzz: 1}}}}]"))
    assert "unknown key 'zzz' (expected one of: " in told
    assert "field, " in told
    assert "at least" not in told


@pytest.mark.parametrize(
    ("line", "fragments"),
    [
        ("when: {path: [a]}", ["did you mean 'paths'"]),
        ("baseline: {max_ages: 7d}", ["did you mean 'max_age'"]),
        ("slices: [neg]", ["`slices: {gate: [billing, ko]}`", "`slices: {gate: all}`", "['neg']"]),
        ("slices: {gate: neg}", ["`all` or a list of tags", "'neg'"]),
        ("baseline: off", ["`baseline: {pool: 0}`", "false (as YAML reads `off`"]),
        ("baseline: {max_age: 7 days}", ["800ms, 2s, 12h or 7d", "'7 days'"]),
        ("anchor: {ref: v1, share: 60}", ["60% or 0.6", "did you mean 60%?"]),
        ("anchor: {ref: v1, share: 2s}", ["60% or 0.6", "'2s'"]),
        ("anchor: {ref: v1, share: 0}", ["60% or 0.6", "'0'"]),
        ("when: {drafts: maybe}", ["expected true or false, found 'maybe'"]),
        ("when: {paths: a}", ["expected a list"]),
        ("judge: {model: m, provider: lokal}", ["did you mean 'local'?", "known: local, openai"]),
    ],
)
def test_a_mistake_in_a_newer_section_is_told_in_plain_words(line: str, fragments: list[str]) -> None:
    told = said(written((), "").replace("zzz: 1", line))
    assert told.startswith("c.yml:6: ")
    for fragment in fragments:
        assert fragment in told


@pytest.mark.parametrize(("text", "share"), [("60%", 0.6), ("0.6", 0.6), ("100%", 1.0)])
def test_a_share_is_written_as_people_write_it(text: str, share: float) -> None:
    config = parse_config(written((), "").replace("zzz: 1", f"anchor: {{ref: v1, share: {text}}}"), "c.yml").config
    assert config.anchor is not None
    assert config.anchor.share == pytest.approx(share)


def test_each_unit_names_its_own_examples() -> None:
    for parse, example in ((parse_duration, "12h or 7d"), (parse_money, "$0.01"), (parse_share, "60% or 0.6")):
        with pytest.raises(ValueError, match=example.replace("$", r"\$")):
            parse("free")
    assert [parse_duration(text) for text in ("12h", "7d", "800ms")] == [43_200, 604_800, 0.8]


def test_a_provider_of_the_config_may_be_named_and_an_app_names_its_own() -> None:
    text = written(("target",), "{prompt: p.yml, model: m, provider: ours}")
    parse_config(text + "providers: {ours: {base_url: http://x}}\n", "c.yml")
    parse_config(written(("target",), "{command: ./app, provider: anthropic}"), "c.yml")
