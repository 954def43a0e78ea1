"""What every activity of the action works with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pydantic import SecretStr

from evaluator.github import commands
from evaluator.github.client import Client
from evaluator.github.comment import Pace
from evaluator.github.settings import Settings
from evaluator.source.remote import Remote


@dataclass(frozen=True, slots=True)
class Work:
    """The job, GitHub, and a private folder."""

    settings: Settings
    environ: Mapping[str, str]
    client: Client
    out: TextIO
    scratch: Path
    """Goes when the job ends."""
    pace: Pace | None = None
    """Waits of the comment; as usual if None."""

    @property
    def remote(self) -> Remote:
        """Where the repository is fetched from."""
        server = self.settings.server_url
        # A GitHub Enterprise Server may be without TLS; the address comes from the runner, not from the event.
        protocols = ("https", "http") if server.startswith("http://") else ("https",)
        return Remote(f"{server}/{self.settings.repository}.git", self.settings.token, protocols)

    @property
    def rerun(self) -> str:
        """The command that repeats this job."""
        return f"gh run rerun {self.settings.run_id} --repo {self.settings.repository}"

    def say(self, text: str) -> None:
        """Write a line to the log, harmless whoever wrote it."""
        self.out.write(f"{commands.foreign(text)}\n")
        self.out.flush()

    def provider_environ(self) -> dict[str, str]:
        """The environment for the gateway: the inputs `api-key` and `base-url` go before variables of their kind."""
        inputs = self.settings.inputs
        found = dict(self.environ)
        key: SecretStr | None = inputs.api_key
        if key is not None:
            found["OPENAI_API_KEY"] = key.get_secret_value()
        if inputs.base_url is not None:
            found["OPENAI_BASE_URL"] = inputs.base_url
        return found
