"""A system call typed into the lab, and what the container's filter does with it."""

from __future__ import annotations

import asyncio

from lab.screens.ask import AskScreen
from lab.screens.free import FreeScreen
from lab.widgets.live import LiveSide
from tests.lab.screens.test_screens import settle, text


def test_f_asks_the_filter_and_the_security_pane_answers(lab, shown):
    async def go() -> None:
        async with lab.run_test(size=(80, 24)) as pilot:
            await settle(pilot, shown)
            lab.push_screen(FreeScreen())
            await settle(pilot, shown)
            await pilot.press("f")
            await settle(pilot)
            assert isinstance(lab.screen, AskScreen) and "which system call?" in text(lab)
            await pilot.press(*"clone3", "enter")
            await settle(pilot, shown)
            assert "clone3 → ✖ SCMP_ACT_ERRNO ENOSYS" in text(lab)
            assert lab.screen.query_one(LiveSide).active == "security"
            await pilot.press("f")
            await settle(pilot)
            await pilot.press(*"read", "escape")
            await settle(pilot)
            assert isinstance(lab.screen, FreeScreen), "escape only closes the line"
            assert "clone3 → ✖" in text(lab)

    asyncio.run(go())
