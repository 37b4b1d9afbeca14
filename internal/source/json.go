package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// isJSON says whether a file is read as JSON: by its name, or because it starts like it and is it. YAML's flow style
// starts like it too.
func isJSON(name string, raw []byte) bool {
	if strings.HasSuffix(name, ".json") {
		return true
	}
	start := bytes.TrimSpace(raw)
	return len(start) > 0 && start[0] == '{' && json.Valid(start)
}

// readJSON reads JSON values, one after the other, into the same trees YAML gives. YAML's parser could read most JSON,
// but not the surrogate pairs JSON writes characters outside the basic plane with.
func readJSON(name string, raw []byte) ([]Document, error) {
	p := &jsonParser{raw: raw, tokens: json.NewDecoder(bytes.NewReader(raw)), line: 1, column: 1}
	p.tokens.UseNumber()
	var docs []Document
	var problems []error
	for {
		start := p.tokens.InputOffset()
		root, err := p.value(0)
		if errors.Is(err, io.EOF) {
			return docs, errors.Join(problems...)
		}
		if err != nil {
			return docs, errors.Join(append(problems, p.problem(name, start, err))...)
		}
		read, errs := documents(name, root, 0)
		docs = append(docs, read...)
		problems = append(problems, errs...)
	}
}

// problem says what is wrong with the value that begins at start. The tokens' own errors count their place in different
// ways, so the place of a syntax error comes from reading the value once more.
func (p *jsonParser) problem(name string, start int64, err error) *Error {
	e := &Error{File: name, Line: p.line, Column: p.column}
	var again any
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(p.raw[start:], &again), &syntax) && !errors.Is(err, errDeepJSON) {
		err = syntax
		e.Line, e.Column = locate(p.raw, int(start+max(syntax.Offset-1, 0)))
	}
	e.Message = fmt.Sprintf("is not JSON: %v", err)
	return e
}

// jsonParser turns tokens into nodes and keeps the place of each.
type jsonParser struct {
	raw    []byte
	tokens *json.Decoder
	// line and column are the place of offset at.
	at           int
	line, column int
}

// next returns the next token; line and column are where it starts.
func (p *jsonParser) next() (json.Token, error) {
	start := int(p.tokens.InputOffset())
	for start < len(p.raw) && strings.IndexByte(" \t\r\n,:", p.raw[start]) >= 0 {
		start++
	}
	passed := p.raw[p.at:start]
	if i := bytes.LastIndexByte(passed, '\n'); i >= 0 {
		p.line += bytes.Count(passed, []byte("\n"))
		p.column, passed = 1, passed[i+1:]
	}
	p.column += utf8.RuneCount(passed)
	p.at = start
	token, err := p.tokens.Token()
	if err != nil {
		return nil, err //nolint:wrapcheck // The caller adds the place.
	}
	return token, nil
}

var errDeepJSON = fmt.Errorf("nested more than %d levels deep", maxDepth)

func (p *jsonParser) value(depth int) (*yaml.Node, error) {
	token, err := p.next()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errDeepJSON
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tagString, Line: p.line, Column: p.column}
	switch v := token.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if v == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for p.tokens.More() {
			item, err := p.value(depth + 1)
			if err != nil {
				return nil, noEOF(err)
			}
			n.Content = append(n.Content, item)
		}
		_, err := p.next() // The closing bracket.
		return n, noEOF(err)
	case string:
		n.Value, n.Style = v, yaml.DoubleQuotedStyle
	case json.Number:
		n.Value, n.Tag = v.String(), tagFloat
	case bool:
		n.Value, n.Tag = strconv.FormatBool(v), tagBool
	case nil:
		n.Value, n.Tag = "null", tagNull
	}
	return n, nil
}

// noEOF keeps a file that ends too early apart from one that ends.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
