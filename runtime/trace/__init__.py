"""Operations: every effect on the kernel is announced, may be held, and is recorded.

`operation.py` is the choke point (`@operation`, `phase`), `recorder.py` keeps what happened,
`wire.py` sends it to a holder at the other end of a socket and waits for leave.
Standard library only; used by all, uses nothing but `errors` and `documents`.
"""
