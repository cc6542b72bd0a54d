"""The program `hog`: takes memory a megabyte at a time, slowly enough to watch its cgroup fill up.

    hog SIZE[k|m|g] [PAUSE_MS]      hog 200M: 200 MiB, a megabyte every 20 ms, then success

It has to be one process whose own memory grows, so that the OOM killer takes *it* and the container
ends with 137. A pipeline of small tools cannot be that, and a lab's host need not have a compiler,
so the program is written out here: on the left the bytes of the x86-64 machine code, beside them
the assembler text they stand for. `>name` is the distance to a label in one byte, `>>name` in four.
Other machines get the script at the end, which keeps the megabytes in variables of its shell.

Runs while lab/base is being made, off the start path. Sources: Intel SDM volume 2, elf(5), mmap(2),
the register order of system calls in syscall(2).
"""

from __future__ import annotations

import struct

LISTING = r"""
start:
    48 83 3c 24 02        | cmp qword [rsp], 2      | argc
    0f 82 >>usage         | jb usage
    48 8b 74 24 10        | mov rsi, [rsp+16]       | argv[1]: the size
    e8 >>number           | call number
    49 89 c4              | mov r12, rax            | r12: bytes still to take
    8a 0e                 | mov cl, [rsi]           | the suffix
    84 c9                 | test cl, cl
    74 >sized             | je sized
    80 c9 20              | or cl, 0x20             | K is k
    80 f9 6b              | cmp cl, 'k'
    74 >kilo              | je kilo
    80 f9 6d              | cmp cl, 'm'
    74 >mega              | je mega
    80 f9 67              | cmp cl, 'g'
    0f 85 >>usage         | jne usage
    49 c1 e4 0a           | shl r12, 10
mega:
    49 c1 e4 0a           | shl r12, 10
kilo:
    49 c1 e4 0a           | shl r12, 10
sized:
    4d 85 e4              | test r12, r12
    0f 84 >>usage         | je usage
    41 bd 14 00 00 00     | mov r13d, 20            | r13: pause in milliseconds
    48 83 3c 24 03        | cmp qword [rsp], 3
    72 >grow              | jb grow
    48 8b 74 24 18        | mov rsi, [rsp+24]       | argv[2]: another pause
    e8 >>number           | call number
    49 89 c5              | mov r13, rax
grow:
    4d 85 e4              | test r12, r12
    74 >hold              | je hold
    41 be 00 00 10 00     | mov r14d, 0x100000      | a megabyte,
    4d 39 e6              | cmp r14, r12
    4d 0f 47 f4           | cmova r14, r12          | or what is left
    31 ff                 | xor edi, edi            | mmap: anywhere,
    4c 89 f6              | mov rsi, r14            | so many bytes,
    ba 03 00 00 00        | mov edx, 3              | PROT_READ | PROT_WRITE,
    41 ba 22 00 00 00     | mov r10d, 0x22          | MAP_PRIVATE | MAP_ANONYMOUS,
    49 c7 c0 ff ff ff ff  | mov r8, -1              | no file
    45 31 c9              | xor r9d, r9d
    b8 09 00 00 00        | mov eax, 9
    0f 05                 | syscall                 | so far it costs an address, no memory
    48 3d 01 f0 ff ff     | cmp rax, -4095
    0f 83 >>refused       | jae refused
    4a 8d 0c 30           | lea rcx, [rax+r14]
touch:
    c6 00 01              | mov byte [rax], 1       | a page fault: now the cgroup pays
    48 05 00 10 00 00     | add rax, 4096
    48 39 c8              | cmp rax, rcx
    72 >touch             | jb touch
    4d 29 f4              | sub r12, r14
    4c 89 e8              | mov rax, r13
    e8 >>pause            | call pause
    eb >grow              | jmp grow
hold:
    b8 f4 01 00 00        | mov eax, 500
    e8 >>pause            | call pause
    31 ff                 | xor edi, edi            | success
leave:
    b8 3c 00 00 00        | mov eax, 60             | exit
    0f 05                 | syscall
pause:
    31 d2                 | xor edx, edx            | rax: milliseconds
    b9 e8 03 00 00        | mov ecx, 1000
    48 f7 f1              | div rcx                 | rax: seconds, rdx: the rest
    48 69 d2 40 42 0f 00  | imul rdx, rdx, 1000000
    52                    | push rdx                | struct timespec, on the stack
    50                    | push rax
    48 89 e7              | mov rdi, rsp
    31 f6                 | xor esi, esi
    b8 23 00 00 00        | mov eax, 35             | nanosleep
    0f 05                 | syscall
    58                    | pop rax
    5a                    | pop rdx
    c3                    | ret
number:
    31 c0                 | xor eax, eax            | rsi: text; rax: its number
digit:
    0f b6 0e              | movzx ecx, byte [rsi]
    83 e9 30              | sub ecx, '0'
    83 f9 09              | cmp ecx, 9
    77 >counted           | ja counted
    48 6b c0 0a           | imul rax, rax, 10
    48 01 c8              | add rax, rcx
    48 ff c6              | inc rsi
    eb >digit             | jmp digit
counted:
    c3                    | ret
usage:
    48 8d 35 >>usage_text | lea rsi, [usage_text]
    ba 22 00 00 00        | mov edx, usage_size
    bb 02 00 00 00        | mov ebx, 2
    eb >complain          | jmp complain
refused:
    48 8d 35 >>refused_text | lea rsi, [refused_text]
    ba 21 00 00 00        | mov edx, refused_size
    bb 01 00 00 00        | mov ebx, 1
complain:
    bf 02 00 00 00        | mov edi, 2              | standard error
    b8 01 00 00 00        | mov eax, 1              | write
    0f 05                 | syscall
    89 df                 | mov edi, ebx
    eb >leave             | jmp leave
usage_text:
    "usage: hog SIZE[k|m|g] [PAUSE_MS]\n"
refused_text:
    "hog: mmap: no more address space\n"
"""

SCRIPT = r"""#!/bin/sh
# hog SIZE[k|m|g] [PAUSE_MS]: hold SIZE bytes of memory, taken a megabyte at a time.
case $1 in
  *[kK]) kilobytes=${1%?} ;;
  *[mM]) kilobytes=$((${1%?} * 1024)) ;;
  *[gG]) kilobytes=$((${1%?} * 1024 * 1024)) ;;
  *[0-9]) kilobytes=$(($1 / 1024)) ;;
  *) echo 'usage: hog SIZE[k|m|g] [PAUSE_MS]' >&2; exit 2 ;;
esac
pause=$((${2:-20} / 1000)).$(printf %03d $((${2:-20} % 1000)))
kilobyte=$(printf %01024d 0)
eighth=; i=0
while [ $i -lt 128 ]; do eighth=$eighth$kilobyte; i=$((i + 1)); done
megabyte=$eighth$eighth$eighth$eighth$eighth$eighth$eighth$eighth
taken=0
while [ $((taken + 1024)) -le "$kilobytes" ]; do
  taken=$((taken + 1024))
  eval "held_$taken=\$megabyte"
  sleep "$pause"
done
while [ $taken -lt "$kilobytes" ]; do taken=$((taken + 1)); eval "held_$taken=\$kilobyte"; done
sleep 0.5
"""

ADDRESS = 0x400000
HEADERS = 64 + 56


def program(machine: str) -> bytes:
    """The file /bin/hog for a machine, as uname(2) names it."""
    return elf(assemble(LISTING)) if machine == "x86_64" else SCRIPT.encode()


def assemble(listing: str) -> bytes:
    """The bytes of a listing, its labels replaced by distances."""
    labels: dict[str, int] = {}
    code = bytearray()
    gaps: list[tuple[int, int, str]] = []
    for line in filter(None, listing.splitlines()):
        text = line.strip()
        if text.endswith(":"):
            labels[text[:-1]] = len(code)
        elif text.startswith('"'):
            code += text[1:-1].encode().replace(b"\\n", b"\n")
        else:
            for token in text.partition("|")[0].split():
                if token.startswith(">"):
                    width = 4 if token.startswith(">>") else 1
                    gaps.append((len(code), width, token.lstrip(">")))
                    code += bytes(width)
                else:
                    code.append(int(token, 16))
    for place, width, name in gaps:
        # The processor counts from the end of the instruction, which here always ends in its gap.
        distance = labels[name] - (place + width)
        code[place:place + width] = distance.to_bytes(width, "little", signed=True)
    return bytes(code)


def elf(code: bytes) -> bytes:
    """The smallest ELF file around the code: one header, one segment to load, no sections."""
    size = HEADERS + len(code)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)          # 64 bits, little endian, version 1
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1,                           # ET_EXEC, EM_X86_64, version
        ADDRESS + HEADERS, 64, 0,                             # entry, program headers, no sections
        0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5,                  # PT_LOAD, readable and executable
                          0, ADDRESS, ADDRESS, size, size, 0x1000)
    return header + segment + code
