package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the argument that stands for standard input, StdinName the file name its documents carry.
const (
	Stdin     = "-"
	StdinName = "stdin"
)

// extensions of the files that are read from directories. A file named by itself may be called anything.
var extensions = []string{".yaml", ".yml", ".json"}

// Open reads every document the arguments name: files, directories with everything below them, patterns (* and ? within
// a name, ** for any number of directories) and "-" for stdin. Files come in the order of the arguments and sorted
// within a directory, each once. exclude are patterns of files and directories below the arguments to leave out.
//
// What cannot be read is part of the error and does not hide the rest.
func Open(args []string, stdin io.Reader, exclude ...string) ([]Document, error) {
	var docs []Document
	var problems []error
	seen := map[string]bool{}
	for _, arg := range args {
		if arg == Stdin {
			read, err := readStdin(stdin)
			docs, problems = append(docs, read...), append(problems, err)
			continue
		}
		files, err := expand(arg, exclude)
		problems = append(problems, err)
		for _, file := range files {
			if seen[file] {
				continue
			}
			seen[file] = true
			read, err := readFile(file)
			docs, problems = append(docs, read...), append(problems, err)
		}
	}
	return docs, errors.Join(problems...)
}

// readStdin tells a pipe into which nobody wrote from one with nothing to judge, such as an empty List: the shell goes on
// when the command before the pipe fails, and a check that has seen nothing must not be green.
func readStdin(stdin io.Reader) ([]Document, error) {
	var text bytes.Buffer
	docs, err := Read(StdinName, io.TeeReader(stdin, &text))
	if err == nil && len(docs) == 0 && saysNothing(text.Bytes()) {
		err = &Error{File: StdinName, Message: "holds no document: the command before the pipe has written none, and has most likely failed; read its output, and run the pipe with `set -o pipefail`"}
	}
	return docs, err
}

// saysNothing says whether a YAML stream is made of comments and marks.
func saysNothing(text []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\uFEFF"))) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
			return false
		}
	}
	return true
}

func readFile(name string) ([]Document, error) {
	f, err := os.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close() //nolint:errcheck // Nothing was written.
	return Read(name, f)
}

// expand returns the files one argument stands for, with forward slashes.
func expand(arg string, exclude []string) ([]string, error) {
	clean := path.Clean(filepath.ToSlash(arg))
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return walk(clean, func(name string) bool { return slices.Contains(extensions, path.Ext(name)) }, exclude)
	case err == nil:
		return []string{clean}, nil
	case !strings.ContainsAny(arg, "*?["):
		return nil, unreadable(clean, err)
	}
	files, err := walk(fixedPart(clean), func(name string) bool { return match(clean, name) }, exclude)
	if err == nil && len(files) == 0 {
		err = &Error{File: clean, Message: "matches no file"}
	}
	return files, err
}

// walk returns the files below a directory that are wanted, in lexical order. Git's own directory holds no manifests.
func walk(dir string, wanted func(name string) bool, exclude []string) ([]string, error) {
	var files []string
	var problems []error
	root := filepath.FromSlash(dir)
	if info, err := os.Lstat(root); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		root += string(filepath.Separator) // A link that is named is meant; the walk would not enter it.
	}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		name = path.Clean(filepath.ToSlash(name))
		switch {
		case err != nil:
			problems = append(problems, unreadable(name, err))
		case entry.IsDir() && (entry.Name() == ".git" || name != dir && excluded(exclude, dir, name)):
			return filepath.SkipDir
		case entry.IsDir() || !wanted(name) || excluded(exclude, dir, name):
		case entry.Type()&fs.ModeSymlink != 0:
			info, err := os.Stat(filepath.FromSlash(name))
			switch {
			case err != nil: // To nothing: what should be there is not judged.
				problems = append(problems, unreadable(name, fmt.Errorf("the link leads nowhere: %w", cause(err))))
			case info.Mode().IsRegular(): // To a directory it is not followed.
				files = append(files, name)
			}
		default:
			files = append(files, name)
		}
		return nil
	})
	return files, errors.Join(append(problems, err)...)
}

// excluded matches a name as a whole, and below the directory it was found in.
func excluded(patterns []string, dir, name string) bool {
	below := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		pattern = path.Clean(filepath.ToSlash(pattern))
		return match(pattern, name) || match(pattern, below)
	})
}

// fixedPart is the directory a pattern can be searched below.
func fixedPart(pattern string) string {
	dir := pattern
	for strings.ContainsAny(dir, "*?[") {
		dir = path.Dir(dir)
	}
	return dir
}

// match says whether a name fits a pattern, part by part; ** fits any number of directories.
func match(pattern, name string) bool {
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if matchParts(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

func unreadable(name string, err error) error {
	return &Error{File: name, Message: fmt.Sprintf("cannot be read: %v", cause(err))}
}

// cause is an error without the path, which is told beside it.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}
