"""How fast a provider may be asked: limits as told, calls at once, and who is next."""

from evaluator.gateway.pace.lane import NO_LIMITS as NO_LIMITS
from evaluator.gateway.pace.lane import Call as Call
from evaluator.gateway.pace.lane import Ending as Ending
from evaluator.gateway.pace.lane import Limits as Limits
from evaluator.gateway.pace.told import NOTHING as NOTHING
from evaluator.gateway.pace.told import Told as Told
from evaluator.gateway.pace.told import read_told as read_told
from evaluator.gateway.pace.turns import Line as Line
from evaluator.gateway.pace.turns import Pace as Pace
from evaluator.gateway.pace.turns import PatienceSpent as PatienceSpent
