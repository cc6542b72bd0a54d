from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import runtime
from runtime.errors import Conflict, Invalid, KernelError, NotFound
from runtime.image.imports import import_tar
from runtime.image.store import Store

ROOT = Path(runtime.__file__ or "").parent.parent
HEAVY = ("json", "re", "enum", "typing", "collections", "functools", "signal", "socket", "pathlib",
         "dataclasses", "subprocess", "shutil", "contextlib", "tempfile", "hashlib", "tarfile",
         "datetime", "threading", "logging", "argparse")


@pytest.fixture
def tea(store: Store, tar) -> str:
    return import_tar(store, tar(("etc/",), ("etc/tea", b"green")), "lab/tea:1", ['CMD ["sh"]'])


def test_every_way_to_say_it(store: Store, tea: str) -> None:
    digest = tea.removeprefix("sha256:")
    ways = ["lab/tea:1", "docker.io/lab/tea:1", tea, digest, digest[:12], digest[:2],
            f"sha256:{digest[:7]}"]
    assert {store.resolve(way).id for way in ways} == {tea}
    manifest = store.resolve(tea).manifest
    assert store.resolve(f"lab/tea@{manifest}").id == tea


def test_the_image_has_what_the_engine_needs(store: Store, tea: str) -> None:
    image = store.resolve("lab/tea:1")
    assert image.config["Config"] == {"Cmd": ["sh"]}
    assert image.names == ["lab/tea:1"]
    assert (image.size_bytes, len(image.layers)) == (5, 1)
    assert Path(image.layers[0], "etc/tea").read_text() == "green"
    assert image.config["RootFS"]["DiffIDs"] == ["sha256:" + os.path.basename(image.layers[0])]
    assert set(image.document) == {"architecture", "os", "created", "config", "history", "rootfs"}


@pytest.mark.parametrize(("text", "message"), [
    ("nosuch", "No such image: nosuch:latest"), ("lab/tea", "No such image: lab/tea:latest"),
    ("lab/tea:2", "No such image: lab/tea:2"), ("a", "No such image: a:latest"),
    ("0" * 64, "No such image: " + "0" * 64),
    ("sha256:" + "0" * 64, "No such image: sha256:" + "0" * 64),
])
def test_not_found_in_dockers_words(store: Store, tea: str, text: str, message: str) -> None:
    for call in (store.resolve, store.remove, lambda name: store.tag(name, "xen")):
        with pytest.raises(NotFound) as caught:
            call(text)
        assert str(caught.value) == message


def test_no_name_at_all_is_invalid(store: Store) -> None:
    for call in (store.resolve, store.remove):
        with pytest.raises(Invalid, match=r"^invalid reference format: repository name "
                                          r"\(library/UPPER\) must be lowercase$"):
            call("UPPER")


def test_an_ambiguous_beginning_is_no_image(store: Store, tar) -> None:
    ids = [import_tar(store, tar((f"{n}", b"x"))) for n in range(40)]
    starts = [ident[7:9] for ident in ids]
    twice = next((start for start in starts if starts.count(start) > 1), None)
    assert store.resolve(ids[0][7:40]).id == ids[0]
    if twice:
        with pytest.raises(NotFound):
            store.resolve(twice)


def test_a_name_wins_over_the_beginning_of_an_id(store: Store, tea: str, tar) -> None:
    other = import_tar(store, tar(("b", b"x")), tea[7:11])
    assert store.resolve(tea[7:11]).id == other


def test_tag_and_remove_as_docker_tells_it(store: Store, tea: str) -> None:
    store.tag("lab/tea:1", "lab/copy")
    assert store.resolve("lab/copy").names == ["lab/copy:latest", "lab/tea:1"]
    assert store.remove("lab/copy") == [{"Untagged": "lab/copy:latest"}]
    with pytest.raises(NotFound, match="^No such image: lab/copy:latest$"):
        store.remove("lab/copy")
    layer = store.resolve(tea).layers[0]
    assert store.remove("lab/tea:1") == [{"Untagged": "lab/tea:1"}, {"Deleted": tea}]
    assert not os.path.exists(layer)
    assert store.images() == [] and os.listdir(store.path("blobs", "sha256")) == []


def test_a_bad_target_changes_nothing(store: Store, tea: str) -> None:
    for target in ("UPPER", "bad name", "x@sha256:" + "0" * 64):
        with pytest.raises(Invalid):
            store.tag("lab/tea:1", target)
    assert store.resolve(tea).names == ["lab/tea:1"]


def test_an_image_in_use_is_kept_in_dockers_words(store: Store, tea: str) -> None:
    stopped, running = {tea: ("c" * 64, False)}, {tea: ("c" * 64, True)}
    short, box = tea[7:19], "c" * 12
    refused = [
        ("lab/tea:1", False, stopped,
         'unable to remove repository reference "lab/tea:1" (must force) - '
         f"container {box} is using its referenced image {short}"),
        (short, False, stopped, f"unable to delete {short} (must be forced) - "
                                f"image is being used by stopped container {box}"),
        (short, False, running, f"unable to delete {short} (cannot be forced) - "
                                f"image is being used by running container {box}"),
    ]
    for text, force, used, message in refused:
        with pytest.raises(Conflict) as caught:
            store.remove(text, force, used)
        assert str(caught.value) == f"conflict: {message}"
    with pytest.raises(Conflict, match="- container is using its referenced image"):
        store.remove("lab/tea:1", used=[tea])
    store.tag(tea, "lab/copy")
    assert store.remove("lab/copy", used=running) == [{"Untagged": "lab/copy:latest"}]
    assert store.remove("lab/tea:1", True, running) == [{"Untagged": "lab/tea:1"}]
    assert store.resolve(tea).names == []
    with pytest.raises(Conflict, match="cannot be forced"):
        store.remove(short, True, stopped)
    assert store.remove(short) == [{"Deleted": tea}]


def test_by_id_with_several_repositories_needs_force(store: Store, tea: str) -> None:
    store.tag(tea, "other")
    with pytest.raises(Conflict) as caught:
        store.remove(tea)
    assert str(caught.value) == (f"conflict: unable to delete {tea[7:19]} (must be forced) - "
                                 "image is referenced in multiple repositories")
    report = store.remove(tea, force=True)
    assert report == [{"Untagged": "lab/tea:1"}, {"Untagged": "other:latest"}, {"Deleted": tea}]


def test_a_shared_layer_stays_for_the_other_image(store: Store, tar) -> None:
    one = import_tar(store, tar(("a", b"x")), "one", ["ENV A=1"])
    two = import_tar(store, tar(("a", b"x")), "two", ["ENV A=2"])
    assert one != two and store.resolve("one").layers == store.resolve("two").layers
    store.remove("one")
    assert Path(store.resolve("two").layers[0], "a").read_text() == "x"


def test_newest_first(store: Store, tar) -> None:
    for name in ("first", "second", "third"):
        import_tar(store, tar((name, b"x")), name)
    assert [image.names for image in store.images()] == [
        ["third:latest"], ["second:latest"], ["first:latest"]]


def test_a_name_moves_to_the_newer_image(store: Store, tea: str, tar) -> None:
    newer = import_tar(store, tar(("b", b"x")), "lab/tea:1")
    assert store.resolve("lab/tea:1").id == newer
    assert store.resolve(tea).names == []


def test_an_index_cut_short_says_what_and_where(store: Store, tea: str) -> None:
    path = store.path("references.json")
    Path(path).write_text(Path(path).read_text()[:40])
    with pytest.raises(Invalid, match="not a whole JSON document"):
        store.resolve("lab/tea:1")


def test_a_missing_config_says_what_and_where(store: Store, tea: str) -> None:
    os.unlink(store.blob_path(tea))
    with pytest.raises(NotFound, match=f"^read image {tea}: .* is missing"):
        store.resolve("lab/tea:1")
    store.remove("lab/tea:1")


def test_a_missing_layer_says_what_and_where(store: Store, tea: str) -> None:
    os.rename(store.resolve(tea).layers[0], store.path("elsewhere"))
    with pytest.raises(NotFound, match="^read image lab/tea:1: .*/layers/.* is missing"):
        store.resolve("lab/tea:1")
    store.remove("lab/tea:1")


def test_asking_makes_nothing(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "nowhere"))
    assert store.images() == [] and store.collect() == 0
    with pytest.raises(NotFound):
        store.resolve("tea")
    assert not (tmp_path / "nowhere").exists()


def test_a_root_that_is_no_folder_is_one_clear_error(tmp_path: Path, tar) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KernelError, match="^lock the image store .*/file"):
        import_tar(Store(str(tmp_path / "file" / "images")), tar(("a", b"x")))


def test_resolve_is_light_and_quick(store: Store, tea: str) -> None:
    script = ("import sys; sys.path.insert(0, sys.argv[1])\n"
              "from runtime.image.store import Store\n"
              "Store(sys.argv[2]).resolve('lab/tea:1').config\n"
              "print(*sys.modules)")
    shown = subprocess.run([sys.executable, "-I", "-S", "-c", script, str(ROOT), store.directory],
                           capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(shown.stdout.split())
    fastest = 1.0
    for _ in range(50):
        start = time.perf_counter()
        store.resolve("lab/tea:1")
        fastest = min(fastest, time.perf_counter() - start)
    assert fastest < 0.001


@pytest.mark.conformance
def test_skopeo_reads_the_blobs_as_an_oci_layout(store: Store, tea: str, tmp_path: Path) -> None:
    image = store.resolve(tea)
    layout = tmp_path / "layout"
    layout.mkdir()
    os.symlink(store.path("blobs"), layout / "blobs")
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image.manifest,
        "size": os.path.getsize(store.blob_path(image.manifest)),
        "annotations": {"org.opencontainers.image.ref.name": "1"}}]}))
    try:
        shown = subprocess.run(["skopeo", "inspect", "--config", f"oci:{layout}:1"],
                               capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("no skopeo here")
    assert json.loads(shown.stdout)["config"] == {"Cmd": ["sh"]}
    subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{layout}:1",
                    f"dir:{tmp_path}/copy"], check=True)
    assert image.config["RootFS"]["DiffIDs"][0][7:] in os.listdir(tmp_path / "copy")
