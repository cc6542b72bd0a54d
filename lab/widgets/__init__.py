"""The panes: one file each, a pure function of a snapshot that returns lines, and what draws them.

Run in the program's own process, in Textual's thread. They read no file and ask no engine: all they
know is the `Snapshot` they are handed, so a test hands them one and reads the lines.
"""
