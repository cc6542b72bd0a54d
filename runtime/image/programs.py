"""What lab/base brings beside the usual tools: programs that use up one resource, to be watched.

Shell scripts, so that a student inside a container can read them with `cat`; only hog has to be one
process of its own (hog.py). Written for any POSIX shell: busybox's, dash, bash. Also the accounts.
Used while lab/base is being made, off the start path.
"""

from __future__ import annotations

from runtime.image import hog

BURN = r"""#!/bin/sh
# burn [SECONDS]: keep one CPU busy, for ever or for so long (to a second more).
[ -n "$1" ] || while :; do :; done
read -r now rest </proc/uptime
end=$((${now%.*} + $1))
while [ "${now%.*}" -le "$end" ]; do read -r now rest </proc/uptime; done
"""

FORKBOMB = r"""#!/bin/sh
# forkbomb [N] [SECONDS]: start N sleeping children (64), at most 1000, and say how many there were
# before the kernel refused. They and the program itself last so many seconds (5).
n=${1:-64} seconds=${2:-5}
[ "$n" -le 1000 ] 2>/dev/null || { echo 'usage: forkbomb [N] [SECONDS], N <= 1000' >&2; exit 2; }
# In a shell of its own, because a refused fork ends the shell that asked for it.
said=$(
  exec 2>&1
  i=0
  while [ "$i" -lt "$n" ]; do
    sleep "$seconds" </dev/null >/dev/null 2>&1 &
    i=$((i + 1))
    echo "$i"
  done
)
last=${said##*
}
if [ "$last" = "$n" ]; then
  echo "forked $n, and the kernel allowed them all"
  sleep "$seconds"
  exit 0
fi
before=${said%"$last"}
before=${before%
}
before=${before##*
}
echo "forked ${before:-0}, then: ${last##*: }"
sleep "$seconds"
exit 1
"""

CHATTER = r"""#!/bin/sh
# chatter [COUNT] [PAUSE]: COUNT lines (10), odd ones on stdout, even ones on stderr.
i=1
while [ "$i" -le "${1:-10}" ]; do
  if [ $((i % 2)) = 1 ]; then echo "line $i"; else echo "line $i" >&2; fi
  [ -n "$2" ] && sleep "$2"
  i=$((i + 1))
done
exit 0
"""

PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
student:x:1000:1000:student:/home/student:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
"""

GROUP = """root:x:0:
daemon:x:1:
lab:x:500:student
student:x:1000:
nogroup:x:65534:
"""


def programs(machine: str) -> dict[str, bytes]:
    """The lab's own programs by name, as files for /bin."""
    return {"burn": BURN.encode(), "chatter": CHATTER.encode(), "forkbomb": FORKBOMB.encode(),
            "hog": hog.program(machine)}
