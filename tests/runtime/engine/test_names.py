"""A name has one owner, whoever asks at the same moment, and whoever was killed before."""

from __future__ import annotations

import concurrent.futures
import os
import re

import pytest

from runtime.engine import names
from runtime.engine.store import Places
from runtime.errors import Conflict, Invalid

ID = "4f" * 32
OTHER = "5e" * 32


@pytest.fixture
def places(tmp_path):
    places = Places(str(tmp_path))
    places.make()
    os.mkdir(places.container(ID))
    return places


@pytest.mark.parametrize("name", ["tea", "/tea", "t1", "a_b", "A.b-c", "0x"])
def test_names_docker_takes(name):
    assert names.check(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["", "/", "t", "-tea", ".tea", "te a", "tea/x", "//tea", "té",
                                  "../tea", "tea\n"])
def test_names_docker_refuses(name):
    with pytest.raises(Invalid, match="only .* are allowed"):
        names.check(name)


def test_a_name_in_use(places):
    assert names.claim(places, "tea", ID) == "tea"
    with pytest.raises(Conflict, match=re.escape(
            f'Conflict. The container name "/tea" is already in use by container "{ID}". You have '
            "to remove (or rename) that container to be able to reuse that name.")):
        names.claim(places, "tea", OTHER)


def test_a_name_left_behind_is_anybodys(places):
    """By a command that was killed: the owner has no directory, or the file is empty."""
    names.claim(places, "tea", OTHER)
    assert names.claim(places, "tea", ID) == "tea"
    open(f"{places.root}/names/empty", "w").close()
    assert names.claim(places, "empty", ID) == "empty"


def test_only_the_owner_gives_it_back(places):
    names.claim(places, "tea", ID)
    names.release(places, "tea", OTHER)
    assert os.listdir(f"{places.root}/names") == ["tea"]
    names.release(places, "tea", ID)
    names.release(places, "tea", ID)
    assert os.listdir(f"{places.root}/names") == []


def test_made_up_names(places):
    made = {names.claim(places, None, ID) for _ in range(200)}
    assert len(made) == 200
    assert all(names.check(name) == name for name in made)


@pytest.mark.kernel
def test_ten_creates_of_one_name(engine, make):
    def attempt(_):
        try:
            return make("true", name="tea")
        except Conflict as error:
            assert '"/tea" is already in use by container' in str(error)
            return None

    engine.images.resolve("lab/base")
    for _ in range(5):
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            won = [ident for ident in pool.map(attempt, range(10)) if ident]
        assert won == [engine.find("tea").id]
        assert os.listdir(f"{engine.root}/containers") == won, "the losers left nothing"
        engine.remove("tea")
