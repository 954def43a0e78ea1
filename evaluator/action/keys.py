"""Whether this job knows anything that a stranger's code must not."""

from evaluator.action.work import Work
from evaluator.config.model import Config
from evaluator.report.secrets import sounds_secret

_OF_THE_RUNNER = ("INPUT_", "ACTIONS_", "GITHUB_", "RUNNER_")
_JOB_TOKEN = "ghs_"  # noqa: S105  # how GitHub's own tokens of a job begin
_OPENAI_KEY = "OPENAI_API_KEY"


def holds_keys(work: Work, config: Config) -> bool:
    """Tell whether there is a provider's key, a token of a person's, or anything that sounds like a secret.

    The job's own token does not count: in a run for a fork it can only read.
    """
    environ, inputs = work.environ, work.settings.inputs
    named = {section.api_key_env for section in config.providers.values() if section.api_key_env} | {_OPENAI_KEY}
    if inputs.api_key is not None or any(environ.get(name, "").strip() for name in named):
        return True
    if not work.settings.token.get_secret_value().startswith(_JOB_TOKEN):
        return True
    return any(
        value.strip() and sounds_secret(name) for name, value in environ.items() if not name.startswith(_OF_THE_RUNNER)
    )
