"""Licences: the same one however it is spelt, and never another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.licenses import allowed_among, license_key, near

SAME = [
    ("MIT", "mit", "MIT License", "the MIT licence", " Mit "),
    ("Apache-2.0", "apache 2.0", "Apache License, Version 2.0", "Apache_2.0", "apache license v2.0"),
    ("CC-BY-4.0", "cc by 4.0", "CC BY (4.0)", "cc_by_4.0"),
    ("BSD-3-Clause", "bsd 3 clause"),
]


@pytest.mark.parametrize("spellings", SAME)
def test_spellings_of_one_licence_are_one(spellings: tuple[str, ...]) -> None:
    assert len(set(map(license_key, spellings))) == 1


def test_licences_that_differ_stay_apart() -> None:
    apart = ["MIT", "Apache-2.0", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC-BY-3.0", "GPL-2.0", "LGPL-2.0", ""]
    assert len(set(map(license_key, apart))) == len(apart)
    assert allowed_among(apart, ["cc by 4.0", "mit"]) == ["CC-BY-4.0", "MIT"]
    assert license_key("License") == "license", "a name of nothing but such words is still a name"


def test_a_near_miss_is_found_and_a_stranger_is_none() -> None:
    assert near("CC-BY-4", ["CC-BY-4.0", "MIT"]) == "CC-BY-4.0"
    assert near("Apache2.0", ["Apache-2.0"]) == "Apache-2.0"
    assert near("MIT", ["CC-BY-4.0", "unknown"]) is None


@given(st.text())
def test_a_key_is_its_own_key(name: str) -> None:
    assert license_key(license_key(name)) == license_key(name)
    assert license_key(name.upper().lower()) == license_key(license_key(name).upper().lower())
