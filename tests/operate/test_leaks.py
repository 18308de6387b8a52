"""Secrets are found in texts, in an image's settings and in its uppermost layer, wherever they lie there."""

import pytest

from ragonotebooks.images import Image, Layer, append, layer_of_files
from ragonotebooks.operate.leaks import _PIECE, Leaks, sounds_secret

SECRET = "correct-horse-battery"
BASE = Image({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}, ())
leaks = Leaks([SECRET])


def image(*layers: Layer, **settings: str) -> Image:
    return append(BASE, layers, env=settings)


@pytest.mark.parametrize("before", [0, _PIECE - 520, _PIECE, 3 * _PIECE])
def test_a_secret_in_the_uppermost_layer_is_found_wherever_it_lies(before: int) -> None:
    layer = layer_of_files({"notes.txt": b"x" * before + SECRET.encode() + b"y" * 100})
    assert leaks.in_image(image(layer))


def test_a_secret_among_an_images_settings_is_found() -> None:
    layer = layer_of_files({"notes.txt": b"nothing"})
    assert leaks.in_image(image(layer, GREETING=f"hello {SECRET}"))
    assert not leaks.in_image(image(layer, GREETING="hello"))


def test_what_is_below_our_own_layer_is_not_looked_at() -> None:
    below, above = layer_of_files({"a.txt": SECRET.encode()}), layer_of_files({"b.txt": b"nothing"})
    assert not leaks.in_image(image(below, above))


def test_a_text_is_searched_and_the_secrets_are_not_shown() -> None:
    assert leaks.in_text(f'{{"password": "{SECRET}"}}')
    assert not leaks.in_text("correct horse battery")
    assert leaks.shortest == len(SECRET)
    assert SECRET not in repr(leaks)


def test_without_secrets_nothing_leaks_and_the_shortest_has_no_length() -> None:
    assert not Leaks([]).in_text("")
    assert Leaks([]).shortest == 0


@pytest.mark.parametrize(("variable", "does"), [("DATABASE_PASSWORD", True), ("api_key", True), ("QUEUE_HOST", False)])
def test_names_of_variables_tell_of_secrets(variable: str, does: bool) -> None:
    assert sounds_secret(variable) is does
