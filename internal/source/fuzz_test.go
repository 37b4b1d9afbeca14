package source

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// FuzzRead says that any bytes are read or refused with a place inside them, and that what is read is what kubectl would
// send.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"a: 1\n---\nb: [off, 2027-03-31]\n", "a: &a {b: *a}\n", "{\"a\": [1, 2.5, null]}", "a:\n\t- b\n", "%YAML 1.2\n---\na: b\n...\n", "<<: {a: b}\n",
		"a: |\n  x\n---\n? [a]\n: b\n", "a: \"\\ud83d\"\n", "--- >\n x\n--- 1\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		docs, err := Read("f.yaml", bytes.NewReader(raw))
		lines := 1 + strings.Count(string(raw), "\n")
		for _, also := range []string{"\r", "\u0085", "\u2028", "\u2029"} { // To YAML these end lines too.
			lines += strings.Count(string(raw), also)
		}
		for _, e := range Errors(err) {
			if e.Line < 0 || e.Line > lines+1 || e.Column < 0 {
				t.Errorf("error at %d:%d of %d lines", e.Line, e.Column, lines)
			}
		}
		if err != nil && len(Errors(err)) == 0 {
			t.Errorf("an error without a place: %v", err)
		}
		for _, d := range docs {
			if line, column := d.Position("a[0].b.c"); line < 1 || line > lines || column < 1 {
				t.Errorf("position %d:%d of %d lines", line, column, lines)
			}
			if _, err := json.Marshal(d.Object); err != nil {
				t.Errorf("cannot be JSON: %v", err)
			}
		}
		if err != nil || len(docs) != 1 || docs[0].Object == nil || strings.Contains(string(raw), "items") || strings.Contains(string(raw), "!") {
			return
		}
		// The tag "!" alone is lost in our parser. kubectl's parser is older and refuses some of what this one reads; what both read they read alike.
		want, err := yaml.YAMLToJSON(raw)
		if err != nil || string(want) == "null" || len(split(raw)) != 1 {
			return
		}
		got, err := json.Marshal(docs[0].Object)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(normal(t, got), normal(t, want)) {
			t.Errorf("%q\n got %s\nwant %s", raw, got, want)
		}
	})
}

// normal gives equal JSON values equal bytes: numbers as float64.
func normal(t *testing.T, raw []byte) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Skip(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
