"""The container runtime: every folder is one link of the chain docker → … → runc → kernel.

Imports go down this list only (tests/house holds it): client, engine, shim, image, oci,
inspect, cgroup, kernel, trace, and `errors` and `documents`, which everything may use.
"""
