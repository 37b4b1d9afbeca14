package source

import (
	"fmt"
	"strings"
	"testing"
)

func TestPosition(t *testing.T) {
	const claim = `# a comment
apiVersion: database.bizmatters.io/v1alpha1
kind: PostgresInstance
metadata:
  name: orders
  labels:
    app.kubernetes.io/name: orders
spec:
  backup:
    schedule: "0 */6 * * *"
  parameters:
    fsync: "off"
    pg_stat_statements.track: all
    pg_stat_statements:
      max: x
  list:
  - name: a
    env: [{name: x}, {name: y}]
  - - deep
  common: &common
    one: 1
  merged:
    <<: *common
    two: 2
  again: *common
  1: number
  off: word
`
	const wrapped = `apiVersion: kubernetes.crossplane.io/v1alpha2
kind: Object
metadata: {name: x}
spec:
  forProvider:
    manifest:
      kind: Cluster
      spec:
        instances: 2
`
	cases := map[string]struct {
		reason, text, path, want string
	}{
		"Field":        {reason: "A field is where its key stands.", path: "spec.backup.schedule", want: "10:5"},
		"Whole":        {reason: "Without a path it is the document.", path: "", want: "2:1"},
		"Missing":      {reason: "What is missing is shown at what it is missing from.", path: "spec.backup.retentionDays", want: "9:3"},
		"MissingDeep":  {reason: "The nearest ancestor that exists.", path: "spec.connection.alias", want: "8:1"},
		"MissingRoot":  {reason: "Nothing of the path exists.", path: "status.phase", want: "2:1"},
		"DottedKey":    {reason: "A key may contain dots.", path: "spec.parameters.pg_stat_statements.track", want: "13:5"},
		"DottedPath":   {reason: "And the same beginning may be a mapping of its own.", path: "spec.parameters.pg_stat_statements.max", want: "15:7"},
		"Bracketed":    {reason: "The schema writes the keys of free maps in brackets.", path: "spec.parameters[fsync]", want: "12:5"},
		"BracketDots":  {reason: "With dots inside.", path: "metadata.labels[app.kubernetes.io/name]", want: "7:5"},
		"Quoted":       {reason: "Or in brackets and quotes.", path: `metadata.labels["app.kubernetes.io/name"]`, want: "7:5"},
		"PlainDots":    {reason: "Or not at all.", path: "metadata.labels.app.kubernetes.io/name", want: "7:5"},
		"Index":        {reason: "List items are counted from zero.", path: "spec.list[0]", want: "17:5"},
		"InItem":       {reason: "And have fields.", path: "spec.list[0].env[1].name", want: "18:23"},
		"ListInList":   {reason: "Or are lists.", path: "spec.list[1][0]", want: "19:7"},
		"BeyondList":   {reason: "An item that is not there is the list.", path: "spec.list[7].name", want: "16:3"},
		"ThroughAlias": {reason: "What an alias stands for is where it was written.", path: "spec.again.one", want: "21:5"},
		"Merged":       {reason: "What is merged too.", path: "spec.merged.one", want: "21:5"},
		"BesideMerge":  {reason: "What stands beside a merge is found as ever.", path: "spec.merged.two", want: "24:5"},
		"NumberKey":    {reason: "A key that is a number is its digits.", path: "spec.1", want: "26:3"},
		"WordKey":      {reason: "A key that is a word is what kubectl makes of it.", path: "spec.false", want: "27:3"},
		"WrapperField": {reason: "An Object is a document like any other.", text: wrapped, path: "spec.forProvider.manifest.spec.instances", want: "9:9"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.text == "" {
				tc.text = claim
			}
			docs, err := Read("f.yaml", strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			line, column := docs[0].Position(tc.path)
			if got := fmt.Sprintf("%d:%d", line, column); got != tc.want {
				t.Errorf("%s\nPosition(%q) = %s, want %s", tc.reason, tc.path, got, tc.want)
			}
		})
	}
}

func TestPositionInLaterDocument(t *testing.T) {
	docs, err := Read("f.yaml", strings.NewReader("a: 1\n---\n# comment\nb:\n  c: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if line, column := docs[1].Position("b.c"); line != 5 || column != 3 {
		t.Errorf("b.c is at %d:%d, want 5:3: lines count from the top of the file", line, column)
	}
}

func TestUnwrap(t *testing.T) {
	docs, err := Read("f.yaml", strings.NewReader("apiVersion: kubernetes.crossplane.io/v1alpha2\nkind: Object\nspec:\n  forProvider:\n    manifest:\n      kind: Cluster\n      spec:\n        instances: 2\n---\nkind: Cluster\n"))
	if err != nil {
		t.Fatal(err)
	}
	inner := docs[0].Unwrap()
	for path, want := range map[string]string{"": "6:7", "spec.instances": "8:9", "spec.storage": "7:7", "metadata.labels": "6:7"} {
		if line, column := inner.Position(path); fmt.Sprintf("%d:%d", line, column) != want {
			t.Errorf("%q is at %d:%d, want %s: inside the Object", path, line, column, want)
		}
	}
	if inner.Object.Kind() != "Cluster" || inner.Start != 6 {
		t.Errorf("got %s on line %d, want the Cluster on line 6", inner.Object.Kind(), inner.Start)
	}
	if line, _ := docs[1].Unwrap().Position(""); line != 10 {
		t.Errorf("a document that wraps nothing is on line %d, want 10", line)
	}
}
