package source

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestScalars holds what is read against what kubectl would send, value by value.
func TestScalars(t *testing.T) {
	for _, text := range []string{
		"y", "Y", "yes", "n", "no", "on", "off", "OFF", "oN", "true", "True", "tRue", "FALSE", "~", "null", "Null", "", "nil",
		`"off"`, `'16'`, "16", "16.", "16.0", "1e3", "1E3", ".5", "-.5", "+1", "-0", "0x1F", "0o17", "017", "0b11", "-0b11", "1_000", "_1", "1__0",
		".5e3", "._5", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e999", "-", "+", ".", "..", "- x",
		"2027-03-31", "2027-03-31T10:00:00Z", "2001-12-14 21:59:43.10 -5", "12:30:45", "190:20:30", "1.2.3", "1.10", "0 0 */6 * * *",
		"!!str 16", "!!int \"3\"", "!!float 3", "!!float 3.5", "!!binary aGk=", "!!bool on", "!custom 7", "!!timestamp 2027-03-31",
		"|\n  off\n  on", ">-\n  1\n  2", "a b\n  c", "<<", "\"<<\"", "[off, 1, {a: no}]", "{}", "[]", "\"\\u00e9\\x41\\n\"", "0.1", "1e-7", "123456789.123456789",
		"!!int x", "!!float yes", "!!binary '*'", ".inf", "-.INF", ".NaN", "!!null x",
	} {
		input := "value: " + text + "\n"
		got, gotErr := Read("f.yaml", strings.NewReader(input))
		want, wantErr := kubectl(input)
		if (gotErr != nil) != (wantErr != nil) {
			t.Errorf("%q: error %v, kubectl says %v", text, gotErr, wantErr)
			continue
		}
		if wantErr == nil {
			if diff := cmp.Diff(want, any(map[string]any(got[0].Object))); diff != "" {
				t.Errorf("%q: -kubectl +got\n%s", text, diff)
			}
		}
	}
}

// TestMappings does the same for keys and merges.
func TestMappings(t *testing.T) {
	for _, input := range []string{
		"1: a\n2.5: b\ntrue: c\n\"x\": d\n", "on: a\n", "1e3: a\n1.50: b\n1111E11: c\n", "null: a\n", "[a]: b\n", "{a: b}: c\n", "? a\n: b\n", "2027-03-31: a\n",
		"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}\n",
		"a: &a {x: 1}\nb: &b {x: 2, z: 1}\nc: {<<: [*a, *b]}\n", "a: {<<: {x: 1}}\n", "a: {<<: 1}\n", "a: &a [1]\nb: {<<: *a}\n",
		"a: &x off\nb: *x\n*x : c\n", "a: &a\n  b: &b {c: 1}\n  <<: *b\nd: *a\n",
		"a:\n- b\n- c:\n    d: 1\n", "a: \"b\n  c\"\n", "# only\na: 1 # one\n", "%YAML 1.1\n---\na: yes\n", "a: 1\n...\n", "---\na: 1\n---\n",
	} {
		got, gotErr := Read("f.yaml", strings.NewReader(input))
		want, wantErr := kubectl(input)
		if (gotErr != nil) != (wantErr != nil) {
			t.Errorf("%q: error %v, kubectl says %v", input, gotErr, wantErr)
			continue
		}
		if wantErr == nil {
			if diff := cmp.Diff(want, any(map[string]any(got[0].Object))); diff != "" {
				t.Errorf("%q: -kubectl +got\n%s", input, diff)
			}
		}
	}
}

// kubectl is what reaches the API server: YAML turned into JSON, whole numbers as int64 where they fit.
func kubectl(input string) (any, error) {
	raw, err := yaml.YAMLToJSON([]byte(input))
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return numbers(v), nil
}

func numbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i
		}
		f, _ := x.Float64()
		return f
	case map[string]any:
		for k := range x {
			x[k] = numbers(x[k])
		}
	case []any:
		for i := range x {
			x[i] = numbers(x[i])
		}
	}
	return v
}

func TestJSON(t *testing.T) {
	cases := map[string]struct {
		reason, name, text, want string
		line, column             int
	}{
		"Surrogates":  {reason: "JSON writes characters outside the basic plane in two halves, which YAML cannot read.", name: "f.json", text: "{\n\t\"a\": \"\\ud83d\\ude00\"}", want: `{"a":"😀"}`, line: 2, column: 2},
		"FromStdin":   {reason: "kubectl -o json pipes JSON without a file name.", name: StdinName, text: "{\"b\": 1,\n \"a\": 9223372036854775807}", want: `{"a":9223372036854775807,"b":1}`, line: 2, column: 2},
		"FlowYAML":    {reason: "YAML's flow style starts like JSON.", name: StdinName, text: "{a: off}", want: `{"a":false}`, line: 1, column: 2},
		"Words":       {reason: "In JSON a quoted word is a string.", name: "f.json", text: `{"a":"off","b":null,"c":true,"d":1.5}`, want: `{"a":"off","b":null,"c":true,"d":1.5}`, line: 1, column: 2},
		"AfterComma":  {reason: "The place of a key is where its quote stands.", name: "f.json", text: "{\"é\":\t1 ,  \"a\":2}", want: `{"a":2,"é":1}`, line: 1, column: 12},
		"FloatsStay":  {reason: "On the way to the API server 1.0 becomes 1.", name: "f.json", text: `{"a":1.0}`, want: `{"a":1}`, line: 1, column: 2},
		"NestedLists": {reason: "Lists keep their order.", name: "f.json", text: `{"a":[[1],["b",{}]]}`, want: `{"a":[[1],["b",{}]]}`, line: 1, column: 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			docs, err := Read(tc.name, strings.NewReader(tc.text))
			if err != nil || len(docs) != 1 {
				t.Fatalf("%s\n%d documents, error %v", tc.reason, len(docs), err)
			}
			got, err := json.Marshal(docs[0].Object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
			if line, column := docs[0].Position("a"); line != tc.line || column != tc.column {
				t.Errorf("%s\na is at %d:%d, want %d:%d", tc.reason, line, column, tc.line, tc.column)
			}
		})
	}
}

func TestDocuments(t *testing.T) {
	type doc struct {
		Name  string
		Start int
	}
	cases := map[string]struct {
		reason, text string
		want         []doc
	}{
		"Separators": {reason: "Whatever follows three dashes, a document starts there.",
			text: "# head\n---\nmetadata: {name: a}\n--- # next\nmetadata: {name: b}\n---\n\n---\n# nothing\n---\nmetadata:\n  name: c\n", want: []doc{{"a", 3}, {"b", 5}, {"c", 11}}},
		"SameLine":  {reason: "A document may start on the marker's own line.", text: "--- {metadata: {name: a}}\n--- {metadata: {name: b}}\n", want: []doc{{"a", 1}, {"b", 2}}},
		"Ends":      {reason: "Three dots end a document.", text: "metadata: {name: a}\n...\n%YAML 1.1\n---\nmetadata: {name: b}\n...\n", want: []doc{{"a", 1}, {"b", 5}}},
		"Windows":   {reason: "Files from Windows have a mark and other line ends.", text: "\uFEFFmetadata:\r\n  name: a\r\n---\r\nmetadata:\r\n  name: b\r\n", want: []doc{{"a", 1}, {"b", 4}}},
		"InScalar":  {reason: "Dashes inside an indented block are text.", text: "metadata:\n  name: a\ndata: |\n  ---\n  x\n", want: []doc{{"a", 1}}},
		"List":      {reason: "kubectl get prints a List; its items are what was meant.", text: "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n- metadata:\n    name: b\n", want: []doc{{"a", 4}, {"b", 5}}},
		"NotAList":  {reason: "Other kinds may have items too.", text: "apiVersion: acme.io/v1\nkind: List\nmetadata: {name: a}\nitems: [1]\n", want: []doc{{"a", 1}}},
		"Disguised": {reason: "kubectl takes whatever has items for a List.", text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: harmless}\nitems:\n- metadata: {name: a}\n", want: []doc{{"a", 5}}},
		"Scalar":    {reason: "A document that is no mapping is no object, and is still there to be counted.", text: "just text\n", want: []doc{{"", 1}}},
		"Empty":     {reason: "An empty file has no documents.", text: "", want: nil},
		"OnlyMarks": {reason: "Markers alone make no document.", text: "---\n---\n# x\n", want: nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			docs, err := Read("f.yaml", strings.NewReader(tc.text))
			if err != nil {
				t.Fatalf("%s\n%v", tc.reason, err)
			}
			var got []doc
			for _, d := range docs {
				got = append(got, doc{d.Object.Name(), d.Start})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestHostileInput keeps the work bounded whatever is asked for.
// TestItemsOfATypedList: kubectl takes what a list leaves out from the list, and applies it.
func TestItemsOfATypedList(t *testing.T) {
	docs, err := Read("f.yaml", strings.NewReader("apiVersion: acme.io/v1\nkind: DatabaseList\nitems:\n- metadata: {name: a}\n- {kind: Other, metadata: {name: b}}\n---\napiVersion: v1\nkind: List\nitems:\n- metadata: {name: c}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range docs {
		got = append(got, d.Object.APIVersion()+" "+d.Object.Kind()+" "+d.Object.Name())
	}
	if diff := cmp.Diff([]string{"acme.io/v1 Database a", " Other b", "  c"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestHostileInput(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for _, i := range "123456789" {
		before := string(i - 1)
		bomb += "a" + string(i) + ": &a" + string(i) + " [" + strings.TrimSuffix(strings.Repeat("*a"+before+", ", 10), ", ") + "]\n"
	}
	cases := map[string]struct{ reason, name, text, want string }{
		"AliasBomb":  {reason: "Ten lines of YAML can ask for ten thousand million values.", text: bomb, want: "f.yaml:1:16: aliases expand to more than 100000 values; write the values out"},
		"AliasCycle": {reason: "An anchor may contain itself.", text: "a: &a [*a]\n", want: "f.yaml:1:4: is nested more than 100 levels deep"},
		"MergeCycle": {reason: "A mapping may merge itself.", text: "a: &a {<<: *a}\n", want: "f.yaml:1:4: is nested more than 100 levels deep"},
		"Depth":      {reason: "Recursion must end before the stack does.", text: "a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), want: "f.yaml:1:104: is nested more than 100 levels deep"},
		"DeepJSON":   {reason: "JSON nests as deep as it likes.", name: "f.json", text: strings.Repeat("[", 100000), want: "f.json:1:102: is not JSON: nested more than 100 levels deep"},
		"NotUTF8":    {reason: "Latin-1 would turn into other characters.", text: "a: b\nc: caf\xe9\n", want: "f.yaml:2:7: is not UTF-8; save the file in that encoding"},
		"Binary":     {reason: "Not everything called .yaml is.", text: "a\x00b", want: "f.yaml:1:1: is not YAML: control characters are not allowed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.name == "" {
				tc.name = "f.yaml"
			}
			docs, err := Read(tc.name, strings.NewReader(tc.text))
			if err == nil || len(docs) != 0 {
				t.Fatalf("%s\n%d documents, error %v", tc.reason, len(docs), err)
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
		})
	}
}
