"""The command line: Docker's words over the engine. The twin of the docker command.

`cli.py` finds the command, `options.py` reads its flags, one file a family of commands does the
work: `run`, `lifecycle` (start, stop, kill, …), `inside` (exec, logs, top), `listing` (ps, images),
`inspection`, `statistics`, `images`, `explain` (why, operations, clean). Uses `engine`, and nothing
below it.
"""
