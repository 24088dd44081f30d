"""The conformance kit: what every host must do, as tests that run on any host.

    @pytest.mark.parametrize("weather", weathers(), ids=str)
    @pytest.mark.parametrize("case", cases(), ids=str)
    def test_my_host_conforms(case: Case, weather: Weather) -> None:
        asyncio.run(conforms(MyRig, case, weather))

Rule: the kit knows a host by its `Rig` alone, and it does the work of the steps itself, as a
`Worker` that the rig hands to the host. Each case is played twice, by the scripted world on
the pure reducer and on the host, in some weather; both must come to the same state, times
left out, whenever the flow is quiet and when it has ended.
"""

from conductor_core.testing.conformance.breakages import Breakage, Nonconformity
from conductor_core.testing.conformance.call import AskedToGiveUp, Call
from conductor_core.testing.conformance.case import Act, AtOnce, Case
from conductor_core.testing.conformance.cases import cases
from conductor_core.testing.conformance.rig import Rig
from conductor_core.testing.conformance.trial import RigOf, conforms
from conductor_core.testing.conformance.weather import Weather, weathers
from conductor_core.testing.conformance.worker import Generated, Worker

__all__ = [
    "Act",
    "AskedToGiveUp",
    "AtOnce",
    "Breakage",
    "Call",
    "Case",
    "Generated",
    "Nonconformity",
    "Rig",
    "RigOf",
    "Weather",
    "Worker",
    "cases",
    "conforms",
    "weathers",
]
