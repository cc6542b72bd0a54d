"""Docker's limits as the specification's, and what Docker's daemon refuses, in its words."""

from __future__ import annotations

import os

import pytest

from runtime.engine import resources
from runtime.errors import Invalid

MIB = 1 << 20


@pytest.mark.parametrize("host, words", [
    ({"Memory": 6 * MIB - 1}, "Minimum memory limit allowed is 6MB"),
    ({"MemorySwap": 64 * MIB}, "You should always set the Memory limit when using Memoryswap"),
    ({"Memory": 64 * MIB, "MemorySwap": 32 * MIB}, "Minimum memoryswap limit should be larger"),
    ({"MemoryReservation": MIB}, "Minimum memory reservation allowed is 6MB"),
    ({"Memory": 32 * MIB, "MemoryReservation": 64 * MIB}, "Minimum memory limit can not be less"),
    ({"NanoCpus": 10**9, "CpuQuota": 50000}, "Nano CPUs and CPU Quota cannot both be set"),
    ({"NanoCpus": 10**9, "CpuPeriod": 100000}, "Nano CPUs and CPU Period cannot both be set"),
    ({"NanoCpus": 10**13}, f"range of CPUs is from 0.01 to {os.cpu_count()}.00, as there are only"),
    ({"NanoCpus": -1}, "range of CPUs is from 0.01"),
    ({"CpuPeriod": 999}, "CPU cfs period can not be less than 1ms"),
    ({"CpuPeriod": 1_000_001}, "CPU cfs period can not be less than 1ms"),
    ({"CpuQuota": 999}, "CPU cfs quota can not be less than 1ms"),
])
def test_refused(host, words):
    with pytest.raises(Invalid, match=words):
        resources.check(host)


@pytest.mark.parametrize("host", [
    {}, {"Memory": 6 * MIB}, {"Memory": 32 * MIB, "MemorySwap": 32 * MIB}, {"MemorySwap": -1},
    {"Memory": 32 * MIB, "MemorySwap": -1}, {"NanoCpus": 10**7}, {"CpuQuota": -1},
    {"CpuQuota": 1000, "CpuPeriod": 1000}, {"PidsLimit": -1}])
def test_taken(host):
    resources.check(host)


@pytest.mark.parametrize("host, key, value", [
    ({"NanoCpus": 5 * 10**8}, "cpu", {"quota": 50000, "period": 100000}),
    ({"CpuShares": 512, "CpusetCpus": "0"}, "cpu", {"shares": 512, "cpus": "0"}),
    ({"CpuQuota": 20000, "CpuPeriod": 50000}, "cpu", {"quota": 20000, "period": 50000}),
    ({"PidsLimit": 20}, "pids", {"limit": 20}),
    ({"PidsLimit": -1}, "pids", None),
    ({"BlkioWeight": 300}, "blockIO", {"weight": 300}),
    ({}, "memory", None),
    ({"OomKillDisable": True}, "memory", {"disableOOMKiller": True}),
])
def test_as_the_specification_has_it(host, key, value):
    assert resources.linux_resources(host).get(key) == value


@pytest.mark.parametrize("counts", [True, False])
def test_memory_and_swap(monkeypatch, counts):
    """Not given, swap is once more the memory; on a kernel without it the default is left out."""
    monkeypatch.setattr(resources, "counts_swap", lambda: counts)
    found = resources.linux_resources({"Memory": 32 * MIB, "MemoryReservation": 16 * MIB})["memory"]
    assert found == {"limit": 32 * MIB, "reservation": 16 * MIB,
                     **({"swap": 64 * MIB} if counts else {})}
    asked = resources.linux_resources({"Memory": 32 * MIB, "MemorySwap": 48 * MIB})["memory"]
    assert asked["swap"] == 48 * MIB
    assert resources.swap_limit({"Memory": 32 * MIB, "MemorySwap": -1}) == -1


def test_devices():
    assert resources.linux_resources({"Privileged": True})["devices"] == [
        {"allow": True, "access": "rwm"}]
    rules = resources.linux_resources({})["devices"]
    assert rules[0] == {"allow": False, "access": "rwm"}
    assert {"allow": True, "type": "c", "access": "rwm", "major": 1, "minor": 3} in rules


def test_a_device_that_is_none():
    with pytest.raises(Invalid, match="/dev/nothing: no such device"):
        resources.linux_resources({"BlkioDeviceReadBps": [{"Path": "/dev/nothing", "Rate": 1}]})
    found = resources.linux_resources({"BlkioDeviceReadBps": [{"Path": "/dev/null", "Rate": 9}]})
    assert found["blockIO"]["throttleReadBpsDevice"] == [{"major": 1, "minor": 3, "rate": 9}]
