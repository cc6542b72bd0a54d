"""A runtime in the words of the OCI runtime specification: create, start, kill, delete.

Real twin: runc. Runs in the shim (create, start, delete) and becomes the container's first process
(`init.py`, the table of contents of a container). It is handed a bundle, and knows nothing of
images, names or Docker.
"""
