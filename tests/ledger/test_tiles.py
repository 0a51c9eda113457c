"""Tiles: their paths and widths, and the forgeries that the reader must not believe."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import tree
from ledger.names import LeafHash, RootHash
from ledger.tiles import (
    ENTRIES,
    WIDTH,
    ForgedTile,
    MalformedTile,
    NoSuchTile,
    Tile,
    TileReader,
    decode_bundle,
    encode_bundle,
    parse_path,
    partial_width,
    reader_of,
    right_edge,
    tiles_of,
)
from ledger.tilestore import TileBuilder
from tests.ledger import naive

SIZE = 70_000


class Tree:
    """A log in memory: its entries, its tiles, its root."""

    def __init__(self, size: int) -> None:
        builder = TileBuilder({}, 0, [])
        self.entries = [b"entry %d" % number for number in range(size)]
        self.tiles: dict[Tile, bytes] = {}
        for entry in self.entries:
            self.tiles.update(builder.add(entry))
        self.tiles.update(builder.partials())
        self.root = builder.root()
        self.size = size

    def fetch(self, tile: Tile) -> bytes:
        if tile not in self.tiles:
            raise NoSuchTile("not there", field=tile.path)
        return self.tiles[tile]

    def reader(self, **changed: bytes) -> TileReader:
        return TileReader(self.fetch, self.size, self.root)

    def with_tile(self, tile: Tile, data: bytes) -> Tree:
        other = object.__new__(Tree)
        other.entries, other.root, other.size = self.entries, self.root, self.size
        other.tiles = {**self.tiles, tile: data}
        return other


@pytest.fixture(scope="module")
def large() -> Tree:
    return Tree(SIZE)


def test_the_path_of_the_specification() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(ENTRIES, 1234067, 5).path == "tile/entries/x001/x234/067.p/5"
    assert Tile(2, 0, 1).path == "tile/2/000.p/1"
    assert Tile(0, 1000).path == "tile/0/x001/000"


@given(st.sampled_from([ENTRIES, 0, 1, 7, 63]), st.integers(0, 10**12), st.integers(1, WIDTH))
def test_paths_are_read_back(level: int, number: int, width: int) -> None:
    tile = Tile(level, number, width)
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/67",
        "tile/0/0067",
        "tile/0/x000/067",
        "tile/0/001/067",
        "tile/00/067",
        "tile/64/067",
        "tile/-1/067",
        "tile/0/067.p/0",
        "tile/0/067.p/256",
        "tile/0/067.p/01",
        "tile/0/067.p/",
        "tile/0/067/",
        "/tile/0/067",
        "tile/0/../067",
        "tile/0/x001/x234/067.p/5/extra",
        "tile/entries/067\n",
        "tile/0/०६७",
    ],
)
def test_other_spellings_are_no_paths(path: str) -> None:
    with pytest.raises(MalformedTile):
        parse_path(path)


def test_the_tiles_of_the_specifications_example() -> None:
    tiles = list(tiles_of(SIZE))
    by_level = {level: [tile for tile in tiles if tile.level == level] for level in (ENTRIES, 0, 1, 2, 3)}
    assert [len(by_level[level]) for level in (ENTRIES, 0, 1, 2, 3)] == [274, 274, 2, 1, 0]
    assert by_level[0][-1] == Tile(0, 273, 112)
    assert by_level[ENTRIES][-1] == Tile(ENTRIES, 273, 112)
    assert by_level[1] == [Tile(1, 0), Tile(1, 1, 17)]
    assert by_level[2] == [Tile(2, 0, 1)]
    assert right_edge(SIZE) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert right_edge(256) == [Tile(1, 0, 1)]
    assert [partial_width(level, SIZE) for level in (0, 1, 2, 3)] == [112, 17, 1, 0]


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_growing_step_by_step_gives_every_full_tile_once(one: int, other: int) -> None:
    middle, end = sorted((one, other))
    whole = [tile for tile in tiles_of(end) if tile.width == WIDTH]
    steps = [tile for tile in [*tiles_of(middle), *tiles_of(end, middle)] if tile.width == WIDTH]
    assert sorted(steps, key=repr) == sorted(whole, key=repr)


def test_the_builder_makes_the_tiles_of_the_specification(large: Tree) -> None:
    assert set(large.tiles) == set(tiles_of(SIZE))
    assert all(len(data) == tile.width * 32 for tile, data in large.tiles.items() if tile.level >= 0)
    assert large.tiles[Tile(0, 0)][:32] == tree.leaf_hash(b"entry 0")
    assert large.tiles[Tile(1, 0)][:32] == naive.root(large.entries[:256])


def test_the_root_is_that_of_the_definition() -> None:
    for size in (0, 1, 2, 255, 256, 257, 511, 512, 1000):
        assert Tree(size).root == naive.root(Tree(size).entries)


def test_the_reader_gives_every_hash_and_entry(large: Tree) -> None:
    reader = large.reader()
    assert list(reader.entries()) == large.entries
    assert list(reader.entries(300, 600)) == large.entries[300:600]
    assert reader.entry(69_999) == large.entries[-1]
    plain = reader_of([tree.leaf_hash(entry) for entry in large.entries])
    nodes = [*tree.nodes_of(0, SIZE), *tree.nodes_of(3, 65_541), tree.Node(16, 0), tree.Node(9, 3)]
    assert reader.hashes(nodes) == list(plain(nodes))


@pytest.mark.parametrize("index", [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999])
def test_proofs_from_tiles_check(large: Tree, index: int) -> None:
    reader = large.reader()
    proof = tree.inclusion_proof(index, SIZE, reader.hashes)
    tree.check_inclusion(tree.leaf_hash(large.entries[index]), index, SIZE, proof, large.root)
    if index:
        old = Tree(min(index, 700))
        proof = tree.consistency_proof(old.size, SIZE, reader.hashes)
        tree.check_consistency(old.size, SIZE, proof, old.root, large.root)


@pytest.mark.parametrize("index", [-1, SIZE, SIZE + 1])
def test_there_is_nothing_beyond_the_checkpoint(large: Tree, index: int) -> None:
    with pytest.raises(NoSuchTile):
        large.reader().entry(index)
    with pytest.raises(NoSuchTile):
        large.reader().hashes([tree.Node(0, SIZE)])
    with pytest.raises(NoSuchTile):
        large.reader().hashes([tree.Node(17, 0)])


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


HASH_TILES = [
    tile
    for tile in tiles_of(SIZE)
    if tile.level >= 0 and (tile.level > 0 or tile.number in {0, 100, 255, 256, 272, 273})
]


@pytest.mark.parametrize("tile", HASH_TILES, ids=lambda tile: tile.path)
def test_a_changed_hash_in_any_tile_is_found(large: Tree, tile: Tile) -> None:
    """Each single hash of each tile: whoever reads the leaves under it meets the forgery."""
    for at in {0, tile.width // 2, tile.width - 1}:
        forged = large.with_tile(tile, flip(large.tiles[tile], at * 32))
        first = (tile.number * WIDTH + at) << (8 * tile.level)
        with pytest.raises(ForgedTile):
            forged.reader().entry(first)


@pytest.mark.parametrize("index", [0, 300, 65_535, 65_536, 69_800, 69_999])
def test_a_forged_entry_with_a_matching_leaf_hash_is_found(large: Tree, index: int) -> None:
    """The forgery that a widely used reader accepted: entry and level-0 tile agree with each other."""
    number, at = divmod(index, WIDTH)
    width = min(WIDTH, SIZE - number * WIDTH)
    entries = list(large.entries[number * WIDTH : number * WIDTH + width])
    entries[at] = b"forged"
    hashes = b"".join(tree.leaf_hash(entry) for entry in entries)
    forged = large.with_tile(Tile(ENTRIES, number, width), encode_bundle(entries))
    with pytest.raises(ForgedTile, match="does not hash to its leaf"):
        forged.reader().entry(index)
    forged = forged.with_tile(Tile(0, number, width), hashes)
    with pytest.raises(ForgedTile):
        forged.reader().entry(index)
    with pytest.raises(ForgedTile):
        tree.inclusion_proof(index, SIZE, forged.reader().hashes)


def rehashed(log: Tree, index: int, top: int) -> Tree:
    """A forged entry, and every tile above it up to level ``top`` made to agree with it."""
    number, at = divmod(index, WIDTH)
    width = min(WIDTH, SIZE - number * WIDTH)
    entries = list(log.entries[number * WIDTH : number * WIDTH + width])
    entries[at] = b"forged"
    forged = log.with_tile(Tile(ENTRIES, number, width), encode_bundle(entries))
    carry = tree.leaf_hash(b"forged")
    place = index
    for level in range(top + 1):
        number, at = divmod(place, WIDTH)
        tile = next((each for each in log.tiles if (each.level, each.number) == (level, number)), None)
        assert tile is not None
        data = log.tiles[tile]
        data = data[: at * 32] + carry + data[(at + 1) * 32 :]
        forged = forged.with_tile(tile, data)
        if tile.width < WIDTH:
            return forged
        carry = LeafHash(tree.complete_root([data[n : n + 32] for n in range(0, len(data), 32)]))
        place = number
    return forged


@pytest.mark.parametrize("index", [0, 40_000, 65_536, 69_700, 69_999])
@pytest.mark.parametrize("top", [0, 1, 2])
def test_a_forgery_that_agrees_with_itself_up_to_any_level_is_found(
    large: Tree, index: int, top: int
) -> None:
    with pytest.raises(ForgedTile):
        rehashed(large, index, top).reader().entry(index)


def test_a_forgery_is_found_for_every_small_size() -> None:
    for size in (1, 2, 255, 256, 257, 513):
        log = Tree(size)
        for index in {0, size // 2, size - 1}:
            number, at = divmod(index, WIDTH)
            width = min(WIDTH, size - number * WIDTH)
            entries = list(log.entries[number * WIDTH : number * WIDTH + width])
            entries[at] = b"forged"
            forged = log.with_tile(Tile(ENTRIES, number, width), encode_bundle(entries)).with_tile(
                Tile(0, number, width), b"".join(tree.leaf_hash(entry) for entry in entries)
            )
            with pytest.raises(ForgedTile):
                forged.reader().entry(index)


def test_another_root_is_not_read_at_all(large: Tree) -> None:
    with pytest.raises(ForgedTile):
        TileReader(large.fetch, SIZE, RootHash(bytes(32)))
    with pytest.raises((ForgedTile, NoSuchTile)):
        TileReader(large.fetch, SIZE - 1, large.root)
    with pytest.raises(ForgedTile):
        TileReader(large.fetch, 0, large.root)


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"", lambda data: data[:-32]]
)
def test_a_tile_of_another_width_is_refused(large: Tree, spoil: Callable[[bytes], bytes]) -> None:
    for tile in (Tile(0, 3), Tile(0, 273, 112), Tile(1, 0)):
        forged = large.with_tile(tile, spoil(large.tiles[tile]))
        with pytest.raises(MalformedTile):
            forged.reader().entry(tile.number * WIDTH)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=WIDTH))
def test_bundles_are_read_back(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert decode_bundle(data, len(entries)) == entries
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(MalformedTile):
            decode_bundle(wrong, len(entries))
    with pytest.raises(MalformedTile):
        decode_bundle(data, len(entries) + 1)


@given(st.binary(max_size=60), st.integers(1, 8))
def test_no_bytes_make_the_bundle_reader_fail_in_another_way(data: bytes, width: int) -> None:
    with suppress(MalformedTile):
        assert encode_bundle(decode_bundle(data, width)) == data


def test_an_entry_has_at_most_65535_bytes() -> None:
    assert decode_bundle(encode_bundle([b"x" * 65_535]), 1) == [b"x" * 65_535]
    with pytest.raises(MalformedTile):
        encode_bundle([b"x" * 65_536])


def test_the_reader_keeps_few_tiles(large: Tree) -> None:
    fetched: list[Tile] = []

    def fetch(tile: Tile) -> bytes:
        fetched.append(tile)
        return large.fetch(tile)

    reader = TileReader(fetch, SIZE, large.root, keep=4)
    for index in (0, 1, 2, 3):
        reader.entry(index)
    assert [tile for tile in fetched if tile.level == 0 and tile.width == WIDTH] == [Tile(0, 0)]
    assert replace(Tile(0, 5, 9), width=WIDTH) == Tile(0, 5, 9).full
    for number in range(20):
        reader.entry(number * WIDTH)
    assert len(reader._checked) <= 4
