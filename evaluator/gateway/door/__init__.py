"""The gateway's HTTP door: apps that know nothing of us ask their provider through it, metered, capped and kept."""

from evaluator.gateway.door.entrance import Entrance as Entrance
from evaluator.gateway.door.refusal import Refused as Refused
from evaluator.gateway.door.routes import Dialect as Dialect
from evaluator.gateway.door.routes import Route as Route
from evaluator.gateway.door.routes import app_providers as app_providers
from evaluator.gateway.door.routes import key_warnings as key_warnings
from evaluator.gateway.door.routes import offline_environment as offline_environment
from evaluator.gateway.door.routes import standard_routes as standard_routes
from evaluator.gateway.door.server import Door as Door
from evaluator.gateway.door.server import open_door as open_door
from evaluator.gateway.door.settings import DoorSettings as DoorSettings
from evaluator.gateway.door.settings import Patience as Patience
from evaluator.gateway.door.slot import Slot as Slot
from evaluator.gateway.door.trace import Trace as Trace
