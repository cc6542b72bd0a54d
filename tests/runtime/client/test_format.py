"""--format: Go's templates over JSON, with Go's mistakes."""

from __future__ import annotations

import pytest

from runtime.client import format
from runtime.client.template_functions import TemplateError

TEA = {
    "Name": "/tea", "Args": ["hi", "you"], "Created": None,
    "State": {"Pid": 4213, "Status": "running", "Running": True},
    "Config": {"Labels": {"k": "v"}, "Env": None, "Cmd": ["echo", "hi"]},
    "HostConfig": {"PidsLimit": None, "Memory": 33554432},
    "NetworkSettings": {"Networks": {"none": {"IP": ""}, "host": {"IP": ""}}},
}


@pytest.mark.parametrize(("template", "text"), [
    ("{{.Name}} {{.Args}}", "/tea [hi you]"),
    ("{{json .State.Status}} {{json .Config.Cmd}}", '"running" ["echo","hi"]'),
    ("{{.State.Running}} {{.HostConfig.Memory}}", "true 33554432"),
    ("{{.HostConfig.PidsLimit}} {{.Config.Env}}", "<no value> []"),
    ("{{range .Args}}{{.}};{{end}}", "hi;you;"),
    ("{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}", "host none "),
    ("{{range .Config.Env}}x{{else}}none{{end}}", "none"),
    ('{{index .Config.Labels "k"}}{{index .Args 1}}', "vyou"),
    ("{{if gt .State.Pid 1}}alive{{end}}", "alive"),
    ('{{if eq .Name "/ink"}}1{{else if eq .Name "/tea"}}2{{else}}3{{end}}', "2"),
    ("{{with .State}}{{.Pid}} of {{$.Name}}{{end}}", "4213 of /tea"),
    ('{{join .Args ", "}} {{len .Args}} {{upper .Name}}', "hi, you 2 /TEA"),
    ('{{.Name | lower | printf "%q"}}', '"/tea"'),
    ('{{(index .NetworkSettings.Networks "none").IP}}', ""),
    ("a {{- .Name -}} b", "a/teab"),
    ("{{/* nothing */}}{{println .Name}}", "/tea\n"),
    ('{{"}}"}}{{`raw`}}', "}}raw"),
    ('{{slice .Name 1}} {{truncate .Name 2}} {{title "two words"}}', "tea /t Two Words"),
    ("{{$x := .Name}}{{$x}}", "/tea"),
    ("{{and .Name .State.Status}} {{or .Created .Name}} {{not .Created}}", "running /tea true"),
])
def test_templates(template: str, text: str) -> None:
    assert format.parse(template).render(TEA) == text


@pytest.mark.parametrize(("template", "message"), [
    ("{{.Name", "template: :1: unclosed action"),
    ("{{.Nosuch}}", 'template: :1:2: executing "" at <.Nosuch>: map has no entry for key "Nosuch"'),
    ("{{.State.Nosuch}}",
     'template: :1:8: executing "" at <.State.Nosuch>: map has no entry for key "Nosuch"'),
    ("{{nosuch .Name}}", 'template: :1: function "nosuch" not defined'),
    ("{{if .Name}}x", "template: :1: unexpected EOF"),
    ("{{end}}", "template: :1: unexpected {{end}}"),
    ("{{index .Args 7}}",
     'template: :1:2: executing "" at <index>: error calling index: index out of range: 7'),
])
def test_mistakes(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        format.parse(template).render(TEA)
    assert str(caught.value) == message
