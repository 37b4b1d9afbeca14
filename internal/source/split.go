package source

import (
	"bytes"
	"strings"
)

// chunk is the text of one document and the line of the file it begins on.
type chunk struct {
	text []byte
	line int
}

// split cuts a YAML stream into its documents, so that a broken one does not take the rest with it. A line that starts
// with `---` or `...` is a marker wherever it stands: not even a block scalar or a quoted string may contain one.
func split(raw []byte) []chunk {
	var out []chunk
	start, startLine := 0, 1
	blank := true // Nothing but comments, directives and markers so far: they belong to the document that follows.
	cut := func(at, line int) {
		if !blank {
			out = append(out, chunk{text: raw[start:at], line: startLine})
			start, startLine, blank = at, line, true
		}
	}
	for at, line := 0, 1; at < len(raw); line++ {
		end := len(raw)
		if i := bytes.IndexByte(raw[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		switch text := raw[at:end]; {
		case marker(text, "---"):
			cut(at, line)
			blank = empty(text[3:])
		case marker(text, "..."):
			cut(end, line+1)
			start, startLine = end, line+1
		case !empty(text) && text[0] != '%':
			blank = false
		}
		at = end
	}
	cut(len(raw), 0)
	return out
}

func marker(line []byte, mark string) bool {
	return bytes.HasPrefix(line, []byte(mark)) && (len(line) == len(mark) || strings.IndexByte(" \t\r\n", line[len(mark)]) >= 0)
}

// empty says whether a line holds nothing or a comment.
func empty(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}
