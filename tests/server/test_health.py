"""/healthz, which everybody on this machine may ask."""

import asyncio
import time

from bucketvault.server.app import ASKED_EVERY_S, _Health


class Engine:
    """Answers slowly, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def fault(self) -> str:
        self.asked += 1
        time.sleep(0.05)
        return f"fault {self.asked}"


async def test_a_flood_of_questions_asks_the_database_once_a_second() -> None:
    engine = Engine()
    health = _Health(engine)  # type: ignore[arg-type]

    told = await asyncio.gather(*(health.fault() for _ in range(500)))

    assert set(told) == {"fault 1"} and engine.asked == 1
    health._asked_at -= ASKED_EVERY_S + 1
    assert await health.fault() == "fault 2"


async def test_who_stops_asking_takes_the_answer_from_nobody() -> None:
    health = _Health(Engine())  # type: ignore[arg-type]
    impatient, patient = (asyncio.create_task(health.fault()) for _ in range(2))
    await asyncio.sleep(0)

    impatient.cancel()

    assert await patient == "fault 1"
