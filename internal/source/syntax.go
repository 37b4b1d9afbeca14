package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parse reads one chunk into its documents' trees, with lines counted from the chunk's own first one.
func parse(name string, c chunk) ([]*yaml.Node, error) {
	roots, err := parseText(c.text)
	if err == nil {
		return roots, nil
	}
	line, message := reason(err)
	if at := errorLine(c.text); at > 0 {
		line = at
	}
	text := lineOf(c.text, line)
	column := len(text) - len(strings.TrimLeft(text, " ")) + 1
	return roots, &Error{File: name, Line: c.line - 1 + line, Column: column, Message: teach(message, text)}
}

func parseText(text []byte) (roots []*yaml.Node, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return roots, nil
		case err != nil:
			return roots, fmt.Errorf("cannot parse: %w", err)
		}
		if len(doc.Content) == 1 {
			roots = append(roots, doc.Content[0])
		}
	}
}

var errorForm = regexp.MustCompile(`(?s)yaml: (?:line ([0-9]+): )?(.*)$`)

// reason takes the parser's message apart.
func reason(err error) (line int, message string) {
	m := errorForm.FindStringSubmatch(err.Error())
	if m == nil {
		return 1, err.Error()
	}
	line, _ = strconv.Atoi(m[1])
	return max(line, 1), m[2]
}

// errorLine finds the line a syntax error is on. The parser names the line on which the mapping or string around it
// began, often one too low, so this looks for the longest beginning of the text that is sound: the error is on the line
// after it. The search is bounded; 0 says that it was given up.
func errorLine(text []byte) int {
	budget := 4 << 20
	end := len(text)
	for budget > 0 {
		cut := bytes.LastIndexByte(bytes.TrimSuffix(text[:end], []byte("\n")), '\n') + 1
		if _, err := parseText(text[:cut]); err == nil {
			return bytes.Count(text[:cut], []byte("\n")) + 1
		}
		budget -= cut
		end = cut
	}
	return 0
}

func lineOf(text []byte, line int) string {
	lines := bytes.Split(text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	return string(lines[line-1])
}

// lessons say in the author's words what the parser says in its own.
var lessons = []struct{ problem, lesson string }{
	{"found character that cannot start any token", "a value cannot start with this character; put the value in quotes"},
	{"mapping values are not allowed in this context", "a mapping cannot start here; check the indentation, and put values that contain \": \" in quotes"},
	{"did not find expected key", "does not fit what is around it; check the indentation of this line and the one above"},
	{"did not find expected '-' indicator", "does not fit the list above; start the line with \"- \" or indent it less"},
	{"could not find expected ':'", "is neither \"key: value\" nor the rest of a value; add the colon or fix the indentation"},
	{"found unexpected end of stream", "a quote or bracket that opens here is never closed"},
	{"did not find expected ',' or '", "a bracket that opens here is never closed, or a comma is missing"},
	{"did not find expected node content", "a value is missing, or one that starts with a special character needs quotes"},
	{"found incompatible YAML document", "kubectl reads YAML 1.1; remove the directive"},
	{"did not find expected alphabetic or numeric character", "a value that starts with * or & needs quotes"},
	{"unknown anchor", "refers to an anchor that is not defined above it in this document"},
}

// teach turns the parser's message into one that says what to do about the line.
func teach(problem, line string) string {
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(line, "{{"):
		return "is not YAML but a template; render it first"
	case strings.Contains(indent, "\t"):
		return "a tab cannot indent YAML; write spaces"
	}
	for _, l := range lessons {
		if strings.Contains(problem, l.problem) {
			return l.lesson
		}
	}
	return "is not YAML: " + problem
}
