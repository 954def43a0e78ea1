"""What may be written about the app: its kinds, its set-up, what it may touch."""

import jsonschema
import pytest
import yaml

from evaluator.config.loading import parse_config
from evaluator.config.schema import config_schema
from evaluator.errors import ConfigError

REST = "version: 1\ndataset: d.jsonl\nscorers: [exact_match]\nobjectives: {exact_match: {min: 0}}\n"


@pytest.mark.parametrize(
    "text",
    [
        "target: {python: 'app:answer'}",
        "target: {python: {function: 'pkg.bot:Bot.answer', path: src, interpreter: python3.12, workers: 2, timeout: 2s}}",
        "target: {command: python app.py}",
        "target: {command: {run: [python, app.py], workers: 3, env: [A]}}",
        "target: {http: {run: node server.js, ready: /health, path: /answer, answer: $.text}}",
        "target: {http: {run: [a, '{port}'], port_env: P, body: {q: $.input}, headers: {X-A: b}, servers: 4, contexts: '$.s[*]'}}",
        "target: {container: {build: .}}",
        "target: {container: {image: 'reg.example:5000/a/b@sha256:00', run: serve --fast, user: '1000:1000', env: [A]}}",
        "target: {command: a, provider: local}\nsetup: uv pip install -r requirements.txt",
        "target: {command: a}\nsetup: [uv sync, [npm, ci]]",
        "target: {command: a}\nsetup: {run: [make], python: python3.12, timeout: 10m, env: [INDEX]}",
        "target: {command: a}\nsandbox: {network: allow, read: [/opt/data], env: [A], memory: 2GB, processes: 256}",
        "target: {command: a}\nsandbox: {memory: 512MiB, shared: true}",
        "target: {command: a}\nproviders: {a: {base_url: 'http://x/v1', url_env: MY_URL, key_env: [GROQ_API_KEY, GITLAB_AI]}}",
    ],
)  # fmt: skip
def test_forms_that_are_valid_for_the_program_and_for_the_schema(text: str) -> None:
    parse_config(f"{REST}{text}\n", "c.yml")
    jsonschema.validate(yaml.safe_load(f"{REST}{text}\n"), config_schema())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("target: {}", "exactly one of prompt, command, python, http, container; found none"),
        ("target: {command: a, python: 'a:b'}", "found command and python"),
        ("target: {command: a, model: m}", "`model` and `params` belong to a prompt"),
        ("target: {python: app.py}", "target.python.function"),
        ("target: {python: 'app:'}", "target.python.function"),
        ("target: {http: {run: a, ready: health}}", "target.http.ready"),
        ("target: {http: {run: a, answer: text}}", "target.http.answer"),
        ("target: {http: {run: a, method: GET}}", "target.http.method"),
        ('target: {command: "sh -c \'x"}', "No closing quotation"),
        ("target: {container: {}}", "expected exactly one of build and image; found neither"),
        ("target: {container: {build: ., image: a}}", "found both"),
        ("target: {container: {build: ., user: '0:0'}}", "target.container.user"),
        ("target: {container: {build: ., user: '1000'}}", "target.container.user"),
        ("target: {container: {image: --privileged}}", "target.container.image"),
        ("target: {command: ''}", "target.command.run"),
        ("target: {command: {run: a, env: [A-B]}}", "target.command.env"),
        ("target: {command: a}\nsetup: []", "setup.run"),
        ("target: {command: a}\nsetup: {run: ['']}", "setup.run.0"),
        *(
            (
                f"target: {{command: a}}\nproviders: {{a: {{base_url: 'http://x/v1', key_env: [{name}]}}}}",
                f"expected a variable that the app alone reads, such as MY_LLM_URL; found '{name}'",
            )
            for name in (
                "PATH",
                "LD_PRELOAD",
                "PYTHONPATH",
                "NODE_OPTIONS",
                "https_proxy",
                "HTTP_PROXY",
                "HOME",
                "PORT",
                "GITHUB_TOKEN",
                "ACTIONS_RUNTIME_TOKEN",
                "BASH_ENV",
                "GIT_SSH",
                "JAVA_TOOL_OPTIONS",
                "LC_ALL",
                "DYLD_INSERT_LIBRARIES",
                "SSL_CERT_FILE",
                "PERL5OPT",
                "LLM_EVAL_GATE_HOME",
            )
        ),
        ("target: {command: a}\nproviders: {a: {base_url: 'http://x/v1', url_env: [A-B]}}", "providers.a.url_env"),
        (
            "target: {command: a}\nproviders: {a: {base_url: 'http://x/v1', url_env: [A], key_env: A}}",
            "A stands there twice",
        ),
        ("target: {command: a}\nsandbox: {network: maybe}", "sandbox.network"),
        ("target: {command: a}\nsandbox: {read: [data]}", "sandbox.read.0"),
        ("target: {command: a}\nsandbox: {memory: much}", "expected a size such as 2GB or 512MB, found 'much'"),
        ("target: {command: a}\nsandbox: {memory: 5}", "expected a size from 1MB"),
        ("target: {command: a}\nsandbox: {netwrk: allow}", "netwrk"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(f"{REST}{text}\n", "c.yml")
    assert told in raised.value.message
    assert "c.yml:" in raised.value.message


def test_a_command_line_is_split_by_a_shells_rules() -> None:
    config = parse_config(f"{REST}target: {{command: a}}\nsetup: [sh -c 'echo \"x y\"']\n", "c.yml").config
    assert config.setup is not None
    assert config.setup.run == (("sh", "-c", 'echo "x y"'),)
    assert (
        parse_config(f"{REST}target: {{command: a}}\nsandbox: {{memory: 1.5GiB}}\n", "c").config.sandbox.memory
        == 1610612736
    )
