import json
from pathlib import Path

import pytest

from evaluator.config.scorers import ContainsOptions, RegexOptions
from evaluator.errors import EvalGateError
from evaluator.records import Case, Output
from evaluator.scoring.text.contains import ContainsScorer
from evaluator.scoring.text.regex_match import RegexScorer
from evaluator.starter.interface import Imported
from evaluator.starter.promptfoo import import_config
from tests.starter.commands import Sample

CONFIG = "evals/promptfooconfig.yaml"


@pytest.fixture
def imported(sample: Sample) -> Imported:
    return import_config(sample("promptfoo"), CONFIG)


def config(root: Path, **keys: object) -> Imported:
    (root / "promptfooconfig.json").write_text(json.dumps(keys), "utf-8")
    return import_config(root, "promptfooconfig.json")


def with_checks(root: Path, *checks: object) -> Imported:
    tests = [{"vars": {"q": f"question {number}"}, "assert": [check]} for number, check in enumerate(checks)]
    return config(root, prompts=["{{q}}"], tests=tests)


def reasons(imported: Imported) -> str:
    return "\n".join(f"{note.where}: {note.what}: {note.reason}" for note in imported.left_out)


def test_tests_from_everywhere_become_cases(imported: Imported) -> None:
    questions = [case.input["question"] for case in imported.cases if isinstance(case.input, dict)]
    assert questions == [
        "What is the capital of France?",
        "서울의 강은 무엇입니까?",
        "What is 2 + 2?",
        "What is 1 + 3?",
        "Name a primary colour, in one word",
        "반품 기한은 며칠인가요?",
        "Say hello",
        "Write a haiku",
        "List three fruits",
    ]


def test_what_no_prompt_takes_stays_out_of_the_input(imported: Imported) -> None:
    first = imported.cases[0]
    assert first.input == {"company": "Hangang Shop", "question": "What is the capital of France?"}
    assert first.metadata == {"reference": "Paris", "topic": "geography", "description": "capital"}


def test_prompts_and_model_are_taken_over(imported: Imported) -> None:
    assert [prompt.path for prompt in imported.prompts] == [
        "evals/prompts/support.txt",
        "prompts/chat.prompt.yml",
        "prompts/promptfoo-3.j2",
    ]
    assert imported.prompts[0].text is None
    assert (imported.provider, imported.model, imported.params) == (
        "openai",
        "gpt-5-mini",
        {"temperature": 0, "max_tokens": 200},
    )


def test_thresholds_of_cost_and_latency_become_bounds(imported: Imported) -> None:
    assert imported.limits == {"latency_p95": "4s", "cost_per_request": "$0.002"}


@pytest.mark.parametrize(
    "words",
    [
        "javascript: output.length < 100",
        "python: len(output) < 20",
        "levenshtein",
        "build_prompt.py:make",
        "generate.js",
        "docs.google.com",
        "own_provider.js",
        "scenarios",
        "extra.jsonl, line 2",
        "apiKey",
    ],
)
def test_what_cannot_be_carried_over_is_listed(words: str, imported: Imported) -> None:
    assert words in reasons(imported)


@pytest.mark.parametrize("words", ["/etc/passwd: absolute paths", "../outside.txt: .. is not allowed"])
def test_paths_out_of_the_folder_are_refused(words: str, imported: Imported) -> None:
    assert words in reasons(imported)


async def verdicts(imported: Imported, answers: list[str]) -> list[float | None]:
    """What the scorer of the cases' own checks says of an answer a case."""
    raw = next(scorer for scorer in imported.scorers if "values" not in scorer)
    scorer: RegexScorer | ContainsScorer
    if raw["type"] == "regex":
        scorer = RegexScorer(RegexOptions.model_validate(raw))
    else:
        scorer = ContainsScorer(ContainsOptions.model_validate(raw))
    found = []
    for number, (case, answer) in enumerate(zip(imported.cases, answers, strict=True)):
        made = Case(str(number), case.input, case.expected)
        found.append((await scorer.score(made, Output(text=answer))).values.get(scorer.name))
    return found


async def test_the_pattern_of_mixed_checks_means_what_the_checks_meant(imported: Imported) -> None:
    right = [
        "It is Paris.",
        "han river",
        "The sum is 4",
        "The sum is four",
        "Red",
        "14일 안에",
        "x",
        "x",
        "apple, pear",
    ]
    assert await verdicts(imported, right) == [1, 1, 1, 1, 1, 1, None, None, 1]
    wrong = ["paris", "강", "4", "The 14", "Reddish", "14일, 잘 모르겠어요", "x", "x", "apple"]
    assert await verdicts(imported, wrong) == [0, 0, 0, 0, 0, 0, None, None, 0]


@pytest.mark.parametrize(
    ("checks", "scorer", "expected"),
    [
        (
            [{"type": "contains", "value": "a"}, {"type": "contains-all", "value": ["b", "c"]}],
            {"type": "contains", "mode": "all", "ignore_case": False},
            ["a", ["b", "c"]],
        ),
        (
            [{"type": "icontains-any", "value": "a, b"}, {"type": "icontains", "value": "c"}],
            {"type": "contains", "mode": "any", "ignore_case": True},
            [["a", "b"], "c"],
        ),
        (
            [{"type": "equals", "value": 4}, {"type": "equals", "value": "예"}],
            {"type": "exact_match", "normalize": False},
            ["4", "예"],
        ),
        (
            [{"type": "regex", "value": r"^\d{2}$"}, {"type": "regex", "value": "a|b"}],
            {"type": "regex", "ignore_case": False},
            [r"^\d{2}$", "a|b"],
        ),
        ([{"type": "rouge-n", "value": "a b"}], {"type": "rouge_l"}, ["a b"]),
        ([{"type": "similar", "value": "hi"}], {"type": "similarity", "model": "text-embedding-3-small"}, ["hi"]),
    ],
)
def test_checks_of_one_kind_get_a_readable_scorer(
    checks: list[dict[str, object]], scorer: dict[str, object], expected: list[object], tmp_path: Path
) -> None:
    found = with_checks(tmp_path, *checks)
    assert found.scorers == (scorer,)
    assert [case.expected for case in found.cases] == expected


def test_a_criterion_of_each_test_becomes_what_the_judge_expects(tmp_path: Path) -> None:
    found = with_checks(
        tmp_path,
        {"type": "llm-rubric", "value": "공손하다", "provider": "openai:gpt-5"},
        {"type": "llm-rubric", "value": "is short"},
    )
    assert [case.expected for case in found.cases] == ["공손하다", "is short"]
    assert found.scorers == ({"type": "judge"},)
    assert found.judge == ("openai", "gpt-5")
    assert "criterion" in (found.rubric or "")


def test_a_criterion_for_all_becomes_the_rubric(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        prompts=["{{q}}"],
        defaultTest={"assert": [{"type": "llm-rubric", "value": "is kind"}]},
        tests=[{"vars": {"q": "a"}}, {"vars": {"q": "b"}}],
    )
    assert (found.scorers, found.rubric) == (({"type": "judge"},), "- is kind\n")
    assert [case.expected for case in found.cases] == [None, None]


def test_json_is_checked_only_where_all_tests_want_it(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["이름"]}
    every = with_checks(tmp_path, *[{"type": "is-json", "value": schema}] * 2)
    assert every.scorers == ({"type": "json_schema", "inline": schema},)
    some = with_checks(tmp_path, {"type": "is-json"}, {"type": "contains", "value": "x"})
    assert [scorer["type"] for scorer in some.scorers] == ["contains"]
    assert "the JSON check of 1 of 2 tests" in reasons(some)


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        ({"type": "equals", "value": {"a": 1}}, "no text"),
        ({"type": "contains"}, "no `value`"),
        ({"type": "regex", "value": "(["}, "not a regular expression"),
        ({"type": "contains", "value": "{{ nobody }}"}, "'nobody'"),
        ({"type": "contains", "value": "{{ q | upper }}"}, "more than plain"),
        ({"type": "contains", "value": "file://../../etc/passwd"}, "file of its own"),
        ({"type": "contains", "value": "x", "transform": "output.trim()"}, "code"),
        ({"type": "is-json", "value": {"$ref": "https://evil.example/schema"}}, "refers to"),
        ({"type": "not-similar", "value": "x"}, "turned around"),
        ({"type": "cost"}, "no `threshold`"),
        ({"$ref": "#/assertionTemplates/x"}, "`$ref` is not read"),
        ({"type": "made-up"}, "no scorer like it"),
        ("contains: x", "no `type`"),
    ],
)
def test_an_assertion_without_counterpart_says_why(check: object, reason: str, tmp_path: Path) -> None:
    found = with_checks(tmp_path, check)
    assert reason in reasons(found)
    assert len(found.cases) == 1


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("{{ q | upperFirst }}", "no filter 'upperFirst'"),
        ("{% if q %}", "Jinja2 cannot read it"),
        ("{{ env.OPENAI_API_KEY }}", "environment variables"),
        ('[{"role": "tool", "content": "x"}]', "a role other"),
        ("exec:./make-prompt.sh", "code"),
        ("langfuse://prompt:1:text", "another service"),
        (7, "neither text"),
    ],
)
def test_a_prompt_that_cannot_be_the_target_says_why(prompt: object, reason: str, tmp_path: Path) -> None:
    found = config(tmp_path, prompts=[prompt], tests=[{"vars": {"q": "a"}}])
    assert found.prompts == ()
    assert reason in reasons(found)


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret {{q}}", "utf-8")
    root = tmp_path / "repo"
    root.mkdir()
    (root / "link.txt").symlink_to(secret)
    (root / "linked").symlink_to(tmp_path)
    found = config(
        root,
        prompts=["file://link.txt", "file://linked/secret.txt"],
        tests=["file://linked/*.csv", {"vars": {"q": "file://link.txt"}}, {"vars": "linked/vars.yaml"}],
    )
    assert (found.prompts, found.cases) == ((), ())
    assert reasons(found).count("leads out") >= 3
    assert "the secret" not in repr(found)


def test_too_many_combinations_are_not_multiplied_out(tmp_path: Path) -> None:
    lists = {name: list(range(100)) for name in "abcdefgh"}
    found = config(tmp_path, prompts=["{{a}}"], tests=[{"vars": lists}])
    assert found.cases == ()
    assert "combinations" in reasons(found)


def test_a_yaml_bomb_is_refused(tmp_path: Path) -> None:
    levels = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30))
    (tmp_path / "promptfooconfig.yaml").write_text(f"a0: &a0 [x]\n{levels}\n", "utf-8")
    with pytest.raises(EvalGateError, match="anchors and aliases"):
        import_config(tmp_path, "promptfooconfig.yaml")


def test_a_model_answer_beside_other_checks_is_kept_in_the_metadata(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        prompts=["{{q}}"],
        tests=[
            {
                "vars": {"q": "a"},
                "assert": [{"type": "contains", "value": "x"}, {"type": "factuality", "value": "x is y"}],
            }
        ],
    )
    assert [scorer["type"] for scorer in found.scorers] == ["contains"]
    assert found.cases[0].metadata["reference"] == "x is y"
    assert "kept in the metadata" in reasons(found)


def test_defaults_and_variables_may_stand_in_files(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text("vars: {company: 한강}\nthreshold: 0.5\n", "utf-8")
    (tmp_path / "vars.yaml").write_text("q: file://long.txt\ndate: 2026-01-02\n", "utf-8")
    (tmp_path / "long.txt").write_text("긴 글", "utf-8")
    found = config(
        tmp_path,
        prompts=["{{company}} {{q}} {{date}}"],
        defaultTest="file://defaults.yaml",
        tests=[{"vars": "vars.yaml"}],
    )
    assert found.cases[0].input == {"company": "한강", "q": "긴 글", "date": "2026-01-02"}


def test_a_file_of_several_prompts_gives_each_a_file(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("One {{q}}\n---\nTwo {{q}}\n", "utf-8")
    found = config(tmp_path, prompts=["p.txt"], tests=[{"vars": {"q": "a"}}])
    assert [(prompt.path, prompt.text) for prompt in found.prompts] == [
        ("prompts/p-1.j2", "One {{q}}\n"),
        ("prompts/p-2.j2", "Two {{q}}\n"),
    ]


@pytest.mark.parametrize("pattern", ["a**b/*.csv", "**x.csv", "[.csv", "*\0.csv", "*.csv", "/etc/*.csv", "../../*.csv"])
def test_a_pattern_that_names_nothing_says_so(pattern: str, tmp_path: Path) -> None:
    found = config(tmp_path, prompts=["{{q}}"], tests=f"file://{pattern}")
    assert found.cases == ()
    assert "the tests" in reasons(found)
