"""What each command of container-lab-oci does, one file per group of verbs.

`making` create run · `starting` start · `ending` kill delete · `entering` exec · `looking` state
list ps · `changing` pause resume · `updating` update · `counting` events · `telling` features
spec · `refusing` checkpoint restore; `stdio`, `foreground`, `log` and `pages` are what they share.
A command is a function of (Settings, options, arguments) that returns an exit code; `cli.py` finds
it, and turns what it raises into runc's error line.
"""
