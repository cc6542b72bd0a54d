"""Linux, one thin function per system call, under the manual's own names.

Real twin: the kernel. Whoever calls runs it, in their own process. Every function with an effect is
an operation; no function here has a policy. Constants are the kernel headers' own.
Standard library only, and of that only what costs no start-up time.
"""
