"""What the kernel shows of a process, a namespace, a mount, a cgroup: the twin of lsns and findmnt.

Read-only, in the caller's process. Every function takes a `Source` first, which is the live host
or a recording of one, and returns frozen dataclasses; so a pane, a lesson's check and a test read
the same values in the same way. Nothing here changes the host, and nothing imports Textual.
"""
