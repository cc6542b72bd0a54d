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
     'template: :1:2: executing "" at <index .Args 7>: error calling index: index out of range: '
     "7"),
])
def test_mistakes(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        format.parse(template).render(TEA)
    assert str(caught.value) == message


@pytest.mark.conformance
@pytest.mark.parametrize("template", [
    "{{.Name}} {{len .Name}}", "{{.Endpoints.docker.Host}}", "{{json .Endpoints}}",
    "{{range $k, $v := .Endpoints}}{{$k}}={{$v.Host}}{{end}}",
    '{{upper .Name}} {{title "a b-c d_e"}} {{lower "ABC"}}', '{{split .Name "a"}}',
    '{{join (split .Name "a") "-"}}', "{{truncate .Name 3}}", "{{pad .Name 2 3}}|",
    '{{printf "%s %d %v %q %5s|%-5s|" .Name 7 true .Name "a" "b"}}', '{{println 1 2 "x"}}',
    '{{print 1 2 "x" "y" 3}}', '{{eq .Name "default"}} {{ne 1 2}} {{lt 1 2}} {{ge 1 2}}',
    '{{and 1 0}} {{or 0 "x"}} {{not 0}} {{eq 1 2 1}}', "{{slice .Name 1 3}}",
    "{{with $x := .Name}}{{$x}}{{end}}", '{{range split .Name "a"}}[{{.}}]{{else}}none{{end}}',
    '{{"quoted"}} {{`raw`}} {{1.5}} {{true}}', '{{.Name | upper | printf "%s!"}}',
    "{{ .Name -}}  x", "{{/* c */}}ok", '{{range $i, $e := split "a,b" ","}}{{$i}}{{$e}}{{end}}',
    '{{html "<a>"}} {{urlquery "a b"}}', "{{index .Name 0}}", "{{print nil}}",
    "{{nosuch}}", "{{.Name", "{{if}}", "{{end}}", "{{else}}", "{{if .Name}}x", "{{nil}}",
    '{{"unclosed}}', "{{$nope}}", '{{index (split .Name "a") 9}}', '{{eq 1 "a"}}', "{{.Name.x}}",
    "{{range .Name}}{{end}}",
])
def test_as_the_docker_command_does(template: str) -> None:
    """Its context is the one document that the docker client prints without a daemon."""
    import json
    import shutil
    import subprocess

    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("no docker client here to compare with")
    command = [docker, "context", "inspect", "default"]
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode:
        pytest.skip("this docker has no contexts")
    theirs = subprocess.run([*command, "--format", template], capture_output=True, text=True)
    try:
        ours = format.parse(template).render(json.loads(told.stdout)[0]), ""
    except TemplateError as error:
        ours = "", str(error)
    message = theirs.stderr.strip().removeprefix("template parsing error: ")
    assert ours == (theirs.stdout.removesuffix("\n"), message)
