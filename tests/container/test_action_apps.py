"""The action's own container, with the engine's socket as GitHub's runner mounts it, and an app in containers beside it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container.bridged import bridged
from tests.container.contained import DOCKERFILE, METERED, left
from tests.container.docker_run import ContainerRun
from tests.container.scene import Scene
from tests.pipeline.commands import right
from tests.standin.provider import StandIn
from tests.standin.threaded import running
from tests.wiring.process_apps import ASK, config

THRICE = METERED.replace(
    'ask(question["input"])',
    '[ask("a " + question["input"]), ask("b " + question["input"]), ask(question["input"])][-1]',
)
assert THRICE != METERED


@dataclass(frozen=True)
class Gated:
    """A pull request that makes an app ask three times where it asked once."""

    run: ContainerRun
    provider: StandIn


@pytest.fixture(params=["bridge", "host"])
def gated(request: pytest.FixtureRequest, scene: Scene, node_image: str, monkeypatch: pytest.MonkeyPatch) -> Gated:
    with (
        running(right) as provider,
        bridged(scene.engine, provider.url, scene.github.url, scene.git_server.url) as bridge,
    ):
        url = provider.url
        if request.param == "bridge":
            url = bridge.seen(url)
            monkeypatch.setattr(scene.github, "url", bridge.seen(scene.github.url))
            monkeypatch.setattr(scene.git_server, "url", bridge.seen(scene.git_server.url))
        text = config("{{container: {{build: .}}, provider: standin}}").format(url=url)
        scene.change_main(
            **{"llm-eval-gate_dot_yml": text.replace("STANDIN_KEY", "OPENAI_API_KEY")},
            app_dot_py=METERED, asking_dot_py=ASK, Dockerfile=DOCKERFILE,
        )  # fmt: skip
        pull = scene.open_pull(app_dot_py=THRICE)
        run = scene.container(
            payload=scene.pull_payload(pull), at="refs/pull/7/merge", ref="refs/pull/7/merge",
            network=bridge.name if request.param == "bridge" else "host",
        )  # fmt: skip
        assert left(scene.engine) == []
        return Gated(run, provider)


def test_an_app_in_containers_is_gated_by_the_actions_own_container_and_metered_to_the_token(gated: Gated) -> None:
    assert gated.run.exit_code == 0, gated.run.log
    assert gated.run.outputs["verdict"] == "pass"
    result = json.loads((gated.run.workspace / Path(gated.run.outputs["result-path"])).read_text("utf-8"))
    log, spend = gated.provider.log, result["spend"]
    cases = len(result["cases"])
    assert spend["calls"] == len(log) == 4 * cases  # one at base, three at head
    assert spend["input_tokens"] == sum(charged.given for charged in log)
    assert spend["output_tokens"] == sum(charged.made for charged in log)
    costs = [case[ref]["cost_usd"] for case in result["cases"] for ref in ("base", "head")]
    assert sum(costs) == pytest.approx(sum(charged.given + 2 * charged.made for charged in log) / 1e6, abs=1e-12)
    assert all(head > 2 * base > 0 for base, head in zip(costs[::2], costs[1::2], strict=True))
