"""One small process per container that stays when everybody else has gone.

Real twin: containerd-shim-runc-v2, and conmon. It is the parent of the container's init, owns its
stdin, stdout and stderr, writes the log, keeps the exit status, and speaks on a socket. It does not
know images or Docker's words, and never imports the engine.
"""
