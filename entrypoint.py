"""The container's door: event -> one activity -> exit code. Everything else is in `evaluator.action`."""

import os
import sys

from evaluator.action.main import run_action

if __name__ == "__main__":
    sys.exit(run_action(os.environ, sys.stdout))
