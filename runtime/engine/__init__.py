"""The engine: containers, images and events as Docker knows them, with its state on disk.

Real twin: containerd, and the half of dockerd that is not HTTP. A library: the command line, the
lab and the daemon embed it. It starts shims and talks to them; it never enters a namespace.
"""
