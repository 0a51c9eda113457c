// Command verify checks a log that bylag exported, with the packages of Go's checksum database and no
// code of ours. It reads an export folder, opens its checkpoint with golang.org/x/mod/sumdb/note, and
// recomputes the root from all entries with golang.org/x/mod/sumdb/tlog: TileHashReader alone leaves
// some tiles unauthenticated.
//
// Usage: verify FOLDER [OLDER-CHECKPOINT]
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	log.SetFlags(0)
	folder := os.Args[1]
	tree := open(folder, filepath.Join(folder, "checkpoint"))

	var hashes hashStore
	for index := int64(0); index < tree.N; index++ {
		record := entry(folder, tree, index)
		stored, err := tlog.StoredHashes(index, record, hashes.reader())
		check(err)
		hashes = append(hashes, stored...)
	}
	root, err := tlog.TreeHash(tree.N, hashes.reader())
	check(err)
	if root != tree.Hash {
		log.Fatalf("the entries hash to %v, the checkpoint says %v", root, tree.Hash)
	}

	// Every inclusion proof from the tiles checks.
	tiles := tlog.TileHashReader(tree, tileReader(folder))
	for index := int64(0); index < tree.N; index++ {
		proof, err := tlog.ProveRecord(tree.N, index, tiles)
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry(folder, tree, index))))
	}

	if len(os.Args) > 2 {
		older := open(folder, os.Args[2])
		proof, err := tlog.ProveTree(tree.N, older.N, tiles)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash))
	}
	fmt.Printf("verified %d entries\n", tree.N)
}

func open(folder, path string) tlog.Tree {
	key, err := os.ReadFile(filepath.Join(folder, "log.vkey"))
	check(err)
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	check(err)
	data, err := os.ReadFile(path)
	check(err)
	opened, err := note.Open(data, note.VerifierList(verifier))
	check(err)
	lines := strings.SplitN(opened.Text, "\n", 2)
	if lines[0] != verifier.Name() {
		log.Fatalf("the checkpoint is of %q, the key of %q", lines[0], verifier.Name())
	}
	// The Go checksum database writes the same two lines under another first line.
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + lines[1]))
	check(err)
	return tree
}

// entry reads one entry out of its bundle.
func entry(folder string, tree tlog.Tree, index int64) []byte {
	number := index / 256
	width := min(256, tree.N-number*256)
	path := tlog.Tile{H: 8, L: 0, N: number, W: int(width)}.Path()
	path = strings.Replace(path, "tile/8/0/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(path)))
	check(err)
	for skip := index % 256; ; skip-- {
		length := int(binary.BigEndian.Uint16(data))
		if skip == 0 {
			return bytes.Clone(data[2 : 2+length])
		}
		data = data[2+length:]
	}
}

// hashStore holds all hashes in the order in which tlog stores them.
type hashStore []tlog.Hash

func (store hashStore) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = store[index]
		}
		return found, nil
	})
}

// tileReader reads tiles where tlog-tiles puts them: without the height in the path.
type tileReader string

func (folder tileReader) Height() int { return 8 }

func (folder tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for at, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(string(folder), filepath.FromSlash(path)))
		if err != nil {
			return nil, err
		}
		found[at] = data
	}
	return found, nil
}

func (folder tileReader) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
