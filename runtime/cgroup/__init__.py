"""Control groups: one interface, two drivers, one table of names and units.

Real twin: opencontainers/cgroups ("libcgroups"). Runs in the caller's process: the shim makes and
removes groups, init joins, the engine and the panes read. Start: `cgroup.open_group("/a/b")`.
"""
