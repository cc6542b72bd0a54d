"""What a student who may not look at the lab's state still gets: the course to read."""

from __future__ import annotations

import pytest

from lab.course.evidence import EngineWorld
from lab.course.loader import Course
from lab.course.progress import Progress
from lab.course.stepper import Stepper
from runtime.errors import Denied
from runtime.inspect.source import Recording

STATE = "/var/lib/container-lab/containers"


class Closed:
    """An engine whose state belongs to root."""

    def _denied(self, *_args):
        raise PermissionError(13, "Permission denied", STATE)

    containers = events = find = operations = last_cgroup = _denied


def test_a_container_that_may_not_be_looked_at_is_denied_in_one_line():
    world = EngineWorld(Closed(), Recording({}))
    assert world.containers() == []
    for look in (lambda: world.container("ink"), lambda: world.events(0)):
        with pytest.raises(Denied, match=f"read {STATE}: permission denied"):
            look()


@pytest.mark.parametrize("lesson", ["just-a-process", "throttled-and-killed",
                                    "states-and-signals", "copy-up"])
def test_every_step_can_be_read_and_no_check_passes(tmp_path, lesson):
    stepper = Stepper(Course.load().lesson(lesson), Closed(), Recording({}),
                      Progress.load(str(tmp_path)))
    while not stepper.finished:
        assert stepper.text()
        assert stepper.phases() == []
        if stepper.step.kind == "predict":
            stepper.predict("1")
        if stepper.step.checks:
            results = stepper.check()
            assert not any(result.passed for result in results)
            assert f"read {STATE}: permission denied" in results[0].observed
        stepper.skip()
    assert stepper.reset() == []
