"""The `container` target: an app that our image cannot run, in a container of its own beside us."""

from evaluator.target.container.box import DEFAULT_USER, Box, description
from evaluator.target.container.image import Build, Named
from evaluator.target.container.serving import Listening
from evaluator.target.container.target import ContainerTarget

__all__ = ["DEFAULT_USER", "Box", "Build", "ContainerTarget", "Listening", "Named", "description"]
