"""The quick checks that a commit has to pass before anything is made of it. They need nothing but Python."""

import compileall
import unittest

from workload.chunks import OVERLAP, WORDS, spans
from workload.ranking import fuse


class Checks(unittest.TestCase):
    def test_every_module_compiles(self) -> None:
        assert compileall.compile_dir("workload", quiet=1)

    def test_a_long_text_is_cut_into_pieces_that_overlap(self) -> None:
        pieces = list(spans("word " * (WORDS + OVERLAP)))
        assert len(pieces) > 1
        assert pieces[1][0] < pieces[0][1]

    def test_what_both_rankings_find_comes_first(self) -> None:
        assert fuse([["a", "b"], ["b", "c"]])[0][0] == "b"
