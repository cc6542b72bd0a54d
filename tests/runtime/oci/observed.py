"""What a container's own process sees, as sections that can be compared.

PROBE runs inside, in busybox's shell; `observe(output)` turns what it prints into {section: value},
with what is bound to differ taken out: mount ids, the test's own paths, inode numbers (a namespace
is "own" or "host").
"""

from __future__ import annotations

import os
import re
from typing import Any

# Shell builtins as far as can be, for every program started inside costs a millisecond.
PROBE = r"""
say() { echo "## $1"; }
say status; while read -r line; do case $line in
Uid*|Gid*|Groups*|Cap*|NoNewPrivs*|Seccomp:*|SigBlk*|SigIgn*|SigCgt*) echo "$line" ;; esac
done < /proc/$$/status
say limits; cat /proc/$$/limits
say environment; env | grep -v '^SHLVL\|^_=\|^OLDPWD' | sort
say place; pwd; hostname; umask; cat /proc/$$/oom_score_adj /proc/sys/kernel/domainname
say groups; cat /proc/$$/cgroup
say maps; cat /proc/$$/uid_map /proc/$$/gid_map /proc/$$/setgroups /proc/$$/timens_offsets
say namespaces; for kind in mnt pid net uts ipc cgroup user time; do
echo $kind $(readlink /proc/$$/ns/$kind); done
say descriptors; ls -1 /proc/$$/fd
say devices; ls -ln /dev /dev/net 2>/dev/null |
awk '/^[bcpls-]/ { print $1, $3, $4, $NF, ($1 ~ /^[cb]/) ? $5 $6 : "" }' | sort
say sysctls; cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/ping_group_range kernel/shmmni \
kernel/msgmax fs/mqueue/msg_max kernel/sem 2>&1
say limits_of_group; cd /sys/fs/cgroup 2>/dev/null && for file in memory/memory.limit_in_bytes \
memory/memory.memsw.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.swappiness \
memory/memory.oom_control cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us \
cpu/cpu.cfs_burst_us cpu/cpu.idle cpu/cpu.rt_runtime_us cpuset/cpuset.cpus cpuset/cpuset.mems \
pids/pids.max blkio/blkio.throttle.read_bps_device blkio/blkio.throttle.write_bps_device \
blkio/blkio.throttle.read_iops_device blkio/blkio.throttle.write_iops_device \
blkio/blkio.bfq.weight devices/devices.list; do
[ -f $file ] && while read -r line; do case $line in oom_kill\ *|under_oom*) ;;
*) echo "$file: $line" ;; esac; done < $file; done
say hidden; for path in $PROBED; do stat -c '%n %F %a' $path 2>/dev/null; ls $path 2>&1 | wc -l
done
say own; cd /; eval "$OWN" 2>&1
say mounts; cat /proc/self/mountinfo
"""
SUPER = {"relatime", "rw", "ro", "inode64", "seclabel"}


def observe(output: str, folder: str) -> dict[str, Any]:
    """The sections of one run; `folder` is the bundle's, which no other run has."""
    found: dict[str, Any] = {}
    for line in output.replace(folder, "BUNDLE").splitlines():
        if line.startswith("## "):
            found[line[3:]] = []
        elif found:
            found[list(found)[-1]].append(line)
    for name, turn in (("mounts", mount_table), ("namespaces", whose), ("groups", groups)):
        if name in found:
            found[name] = turn(found[name])
    if "limits_of_group" in found:
        # The list of devices is a set: whoever writes fewer rules gets them in another order.
        found["limits_of_group"] = sorted(set(found["limits_of_group"]))
    return found


def mount_table(lines: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    """target → what is mounted there, the lowest first: (type, options, propagation, its own)."""
    table: dict[str, list[tuple[Any, ...]]] = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        _, _, _, _, target, options, *tags = before.split(" ")
        kind, _, own = after.split(" ")[:3]
        table.setdefault(target, []).append(
            (kind, sorted(options.split(",")), sorted(tag.partition(":")[0] for tag in tags),
             sorted(set(own.split(",")) - SUPER)))
    return table


def whose(lines: list[str]) -> dict[str, str]:
    """kind → "own" or "host"."""
    found = {}
    for line in lines:
        kind, _, name = line.partition(" ")
        path = f"/proc/self/ns/{kind}"
        found[kind] = "host" if os.path.lexists(path) and os.readlink(path) == name else "own"
    return found


def groups(lines: list[str]) -> dict[str, str]:
    """controller → its group, without the hierarchies that limit nothing."""
    found = {}
    for line in lines:
        _, names, path = line.split(":", 2)
        found.update({name: re.sub(r"container-lab-test-\d+-\d+", "GROUP", path)
                      for name in names.split(",") if name and not name.startswith("name=")})
    return found
