"""The container's door: event -> one activity -> exit code. Everything else is in `evaluator.action`."""

import os
import sys

from evaluator.action.main import run_action
from evaluator.starting import collect_less_often

if __name__ == "__main__":
    collect_less_often()
    sys.exit(run_action(os.environ, sys.stdout))
