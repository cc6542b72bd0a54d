"""A throw-away machine with a stock kernel and nothing but cgroup v2: `container-lab vm`.

Runs on the host (cli → machine → session) and, as its pid 1, in the machine (agent). The host's
root file system is the machine's, read-only, below a tmpfs that goes with it.

    cli ── kernel, initramfs, snapshot ──► machine (QEMU) ──► session ◄── frames ──► agent (guest)
"""
