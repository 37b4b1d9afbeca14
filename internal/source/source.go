// Package source reads Kubernetes objects as they lie in files and remembers where every field stands, so that a
// finding can be shown on the line that causes it.
//
// A value is what kubectl would send for the same text (sigs.k8s.io/yaml, which speaks YAML 1.1: `off` is false), because
// the API server judges that and not what the author had in mind. What kubectl is lax about (a key written twice) is an
// error here: one of the two values is silently dropped, and nobody knows which.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// maxBytes bounds one file. Manifests are small; what is larger is something else.
const maxBytes = 32 << 20

// Document is one object as it lies in a file.
type Document struct {
	// File is the name the object was read from, with forward slashes.
	File string
	// Object is what stands there; nil where the document is something else than a mapping.
	Object manifest.Object
	// Start is the line the object begins on, counted from 1.
	Start int

	root *yaml.Node
}

// Error is one place in a file that cannot be read.
type Error struct {
	File string
	// Line and Column are counted from 1; 0 where the file as a whole is the problem.
	Line, Column int
	Message      string
}

// Error implements error: "claims/orders.yaml:7:3: message".
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Errors returns the single errors that Read or Open joined.
func Errors(err error) []*Error {
	var out []*Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, Errors(e)...)
		}
		return out
	}
	if one, ok := errors.AsType[*Error](err); ok {
		return []*Error{one}
	}
	return nil
}

// Read returns every document of a YAML stream or a JSON file. A document that cannot be read is an error with its
// position and does not hide the others: documents are returned beside the error.
func Read(name string, r io.Reader) ([]Document, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	switch {
	case err != nil:
		return nil, &Error{File: name, Message: fmt.Sprintf("cannot be read: %v", err)}
	case len(raw) > maxBytes:
		return nil, &Error{File: name, Message: fmt.Sprintf("is larger than %d MiB, which no manifest is", maxBytes>>20)}
	}
	raw = bytes.TrimPrefix(raw, []byte("\uFEFF"))
	if at := invalidUTF8(raw); at >= 0 {
		line, column := locate(raw, at)
		return nil, &Error{File: name, Line: line, Column: column, Message: "is not UTF-8; save the file in that encoding"}
	}
	if isJSON(name, raw) {
		return readJSON(name, raw)
	}
	return readYAML(name, raw)
}

func readYAML(name string, raw []byte) ([]Document, error) {
	var docs []Document
	var problems []error
	for _, c := range split(raw) {
		roots, err := parse(name, c)
		if err != nil {
			problems = append(problems, err)
		}
		for _, root := range roots {
			read, errs := documents(name, root, c.line-1)
			docs = append(docs, read...)
			problems = append(problems, errs...)
		}
	}
	return docs, errors.Join(problems...)
}

// documents decodes one parsed document; above is the number of lines in the file before the text its nodes count from.
// A List as kubectl prints it becomes its items.
func documents(name string, root *yaml.Node, above int) ([]Document, []error) {
	shift(root, above)
	d := decoder{file: name}
	value := d.value(root, 0)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	object, ok := value.(map[string]any)
	if !ok && root.Tag == tagNull {
		return nil, nil // Nothing but comments.
	}
	return unlisted(nil, Document{File: name, Object: object, Start: root.Line, root: root}), nil
}

// unlisted appends what a document holds: itself, or the items of a List of whatever kind, Lists in it included. kubectl
// takes whatever has items for a List, whatever it is called, and an item without kind and version for one of its List's.
func unlisted(docs []Document, doc Document) []Document {
	items, isList := doc.Object["items"].([]any)
	named := doc.Object.Name() != "" || !strings.HasSuffix(doc.Object.Kind(), "List")
	if !isList || doc.Object.APIVersion() == "" || named && !allObjects(items) {
		return append(docs, doc)
	}
	nodes := resolve(child(doc.root, "items")).Content
	for i, item := range items {
		m, _ := item.(map[string]any)
		if kind := strings.TrimSuffix(doc.Object.Kind(), "List"); m != nil && kind != "" && m["kind"] == nil && m["apiVersion"] == nil {
			m["kind"], m["apiVersion"] = kind, doc.Object.APIVersion()
		}
		docs = unlisted(docs, Document{File: doc.File, Object: m, Start: nodes[i].Line, root: resolve(nodes[i])})
	}
	return docs
}

// allObjects says whether a list is one of Kubernetes objects, as far as one can see.
func allObjects(items []any) bool {
	for _, item := range items {
		if m, _ := item.(map[string]any); m["metadata"] == nil {
			return false
		}
	}
	return len(items) > 0
}

// shift moves the lines of a tree down, from their place in a document to their place in the file.
func shift(n *yaml.Node, by int) {
	if by == 0 {
		return
	}
	n.Line += by
	for _, c := range n.Content {
		shift(c, by) // Aliases point at nodes that are met on their own; the parser bounds the depth.
	}
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(raw []byte) int {
	if utf8.Valid(raw) {
		return -1
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(raw[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
}

// locate returns line and column of a byte offset, columns counted in characters.
func locate(raw []byte, offset int) (line, column int) {
	before := raw[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}
