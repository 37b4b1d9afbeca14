package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// contents is what a binary was built from, as the binary itself says: what `go version -m` shows.
type contents struct {
	module    string
	goVersion string
	// sum is the SHA-256 of the binary.
	sum     string
	modules []module
}

// module is one dependency that is in the binary.
type module struct {
	path, version, sum string
	// licence is its SPDX expression, texts the files it was read from.
	licence string
	texts   []byte
}

func contentsOf(root, binary string) (contents, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return contents{}, fmt.Errorf("cannot read what the binary was built from: %w", err)
	}
	body, err := os.ReadFile(binary) //nolint:gosec // The file just built.
	if err != nil {
		return contents{}, fmt.Errorf("cannot read the binary: %w", err)
	}
	digest := sha256.Sum256(body)
	c := contents{module: info.Main.Path, goVersion: strings.TrimPrefix(info.GoVersion, "go"), sum: hex.EncodeToString(digest[:])}

	dirs, err := directories(root, info.Deps)
	if err != nil {
		return contents{}, err
	}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		m := module{path: dep.Path, version: dep.Version, sum: dep.Sum}
		if m.licence, m.texts, err = licenceIn(dirs[dep.Path]); err != nil {
			return contents{}, fmt.Errorf("%s %s: %w", m.path, m.version, err)
		}
		c.modules = append(c.modules, m)
	}
	std := module{path: "stdlib", version: c.goVersion}
	if std.licence, std.texts, err = licenceIn(runtime.GOROOT()); err != nil { //nolint:staticcheck // The toolchain that runs this program also built the binary.
		return contents{}, fmt.Errorf("go %s: %w", c.goVersion, err)
	}
	c.modules = append(c.modules, std)
	slices.SortFunc(c.modules, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return c, nil
}

// directories asks the go command where the modules' sources lie.
func directories(root string, deps []*debug.Module) (map[string]string, error) {
	args := []string{"list", "-m", "-json"}
	for _, dep := range deps {
		args = append(args, dep.Path)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m: %w", err)
	}
	dirs := map[string]string{}
	dec := json.NewDecoder(bytes.NewReader(out))
	for dec.More() {
		var m struct{ Path, Dir string }
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("cannot read go list's answer: %w", err)
		}
		dirs[m.Path] = m.Dir
	}
	return dirs, nil
}

// phrases tell licences apart. The order is the one in which they are looked for.
var phrases = []struct {
	licence string
	all     []string
	none    string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}, ""},
	{"MPL-2.0", []string{"Mozilla Public License", "2.0"}, ""},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "Neither the name"}, ""},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}, "Neither the name"},
	{"MIT", []string{"Permission is hereby granted, free of charge"}, ""},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software for any purpose"}, ""},
}

var errNoLicence = errors.New("no licence that this program knows: look at it, and teach contents.go the new one if it may be used")

// licenceIn reads the licence of the module in a directory. One that cannot be told fails the build: nobody ships what
// they may not.
func licenceIn(dir string) (expression string, texts []byte, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, fmt.Errorf("cannot look for the licence: %w", err)
	}
	var found []string
	for _, entry := range entries {
		if !isLicence(entry) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name())) //nolint:gosec // A file of the module cache.
		if err != nil {
			return "", nil, fmt.Errorf("cannot read the licence: %w", err)
		}
		texts = append(append(texts, bytes.TrimSpace(text)...), "\n\n"...)
		found = append(found, licencesOf(string(text))...)
	}
	if len(found) == 0 {
		return "", nil, errNoLicence
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " AND "), texts, nil
}

func isLicence(entry fs.DirEntry) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(entry.Name()), ".")
	return !entry.IsDir() && (strings.HasPrefix(stem, "LICEN") || stem == "COPYING" || stem == "NOTICE")
}

func licencesOf(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	var found []string
	for _, p := range phrases {
		matches := p.none == "" || !strings.Contains(text, p.none)
		for _, phrase := range p.all {
			matches = matches && strings.Contains(text, phrase)
		}
		if matches {
			found = append(found, p.licence)
		}
	}
	return found
}
