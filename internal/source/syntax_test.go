package source

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// TestSyntax reads every broken file of testdata/syntax and compares what is said about it with the "#!" lines it
// starts with. JSON has no comments: what is said about it stands in a section of the same name and ".want".
func TestSyntax(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "syntax", "cases.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{}
	for _, f := range archive.Files {
		if name, ok := strings.CutSuffix(f.Name, ".want"); ok {
			wanted[name] = strings.TrimSpace(string(f.Data))
		}
	}
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".want") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			want, ok := wanted[f.Name]
			if !ok {
				want = said(f.Data)
			}
			_, err := Read(f.Name, bytes.NewReader(f.Data))
			if err == nil {
				t.Fatalf("no error, want %s", want)
			}
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func said(text []byte) string {
	var out []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), "#! "); ok {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// TestBrokenDocument says that what can be read is read.
func TestBrokenDocument(t *testing.T) {
	docs, err := Read("f.yaml", strings.NewReader("kind: First\n---\nkind: Second\nbroken: a: b\n---\nkind: Third\n"))
	var got []string
	for _, d := range docs {
		got = append(got, d.Object.Kind())
	}
	if diff := cmp.Diff([]string{"First", "Third"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if n := len(Errors(err)); n != 1 {
		t.Errorf("%d errors, want 1: %v", n, err)
	}
}

// TestStdin: a pipe into which nobody wrote is no place without claims.
func TestStdin(t *testing.T) {
	const failed = "stdin: holds no document: the command before the pipe has written none, and has most likely failed; read its output, and run the pipe with `set -o pipefail`"
	cases := map[string]struct{ reason, text, err string }{
		"Nothing":   {reason: "The command before the pipe has failed.", err: failed},
		"Marks":     {reason: "Marks and comments are no document.", text: "\uFEFF---\r\n# rendered from nothing\r\n\n...\n", err: failed},
		"EmptyList": {reason: "What kubectl prints where there is nothing is an answer.", text: "apiVersion: v1\nkind: List\nitems: []\n"},
		"Null":      {reason: "So is a document without a value.", text: "null\n"},
		"Broken":    {reason: "What cannot be read says so itself.", text: "a: [\n", err: "stdin:1:1: a value is missing, or one that starts with a special character needs quotes"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Open([]string{Stdin}, strings.NewReader(tc.text))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tc.err, text); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"claims/b.yaml": "k: b", "claims/a.yml": "k: a", "claims/c.json": `{"k": "c"}`, "claims/readme.md": "k: no", "claims/deep/er/d.yaml": "k: d\n---\nk: e",
		"claims/.git/config.yaml": "k: git", "claims/broken.yaml": "k: a: b", "charts/templates/x.yaml": "k: {{ x }}", "links/ok.yaml": "k: ok", "odd.txt": "k: odd",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("b.yaml", filepath.Join(dir, "claims", "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "links", "dangling.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../claims", filepath.Join(dir, "links", "claims.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("claims", filepath.Join(dir, "current")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	const broken = `claims/broken.yaml:1:1: a mapping cannot start here; check the indentation, and put values that contain ": " in quotes`
	cases := map[string]struct {
		reason        string
		args, exclude []string
		want, err     string
	}{
		"Directory":   {reason: "A directory is read with all below it, in lexical order, Git's own left out.", args: []string{"claims"}, want: "a b c d e b", err: broken},
		"Link":        {reason: "A link to a directory that is named is entered.", args: []string{"current"}, exclude: []string{"broken.yaml"}, want: "a b c d e b"},
		"Here":        {reason: "The current directory too.", args: []string{"."}, exclude: []string{"charts", "links", "claims/broken.yaml"}, want: "a b c d e b"},
		"Excluded":    {reason: "What is excluded is not read.", args: []string{"claims/"}, exclude: []string{"broken.yaml", "deep/**", "link.*"}, want: "a b c"},
		"File":        {reason: "A file named by itself may have any name.", args: []string{"./odd.txt"}, want: "odd"},
		"Order":       {reason: "Arguments are read in their order, no file twice.", args: []string{"claims/c.json", "claims/a.yml", "claims/c.json"}, want: "c a"},
		"Stdin":       {reason: "A dash is standard input.", args: []string{"-", "odd.txt"}, want: "in odd"},
		"Glob":        {reason: "Patterns work where no shell expands them.", args: []string{"claims/*.y*ml"}, exclude: []string{"broken.yaml"}, want: "a b b"},
		"DoubleStar":  {reason: "Two stars are any number of directories.", args: []string{"**/d.yaml", "claims/**/c.json"}, want: "d e c"},
		"Dangling":    {reason: "A link to nothing is a file that is missing; one to a directory is not followed.", args: []string{"links"}, want: "ok", err: "links/dangling.yaml: cannot be read: the link leads nowhere: no such file or directory"},
		"GlobNothing": {reason: "A pattern that finds nothing is a mistake.", args: []string{"claim/*.yaml"}, want: "", err: "claim: cannot be read: no such file or directory"},
		"GlobEmpty":   {reason: "In an existing directory too.", args: []string{"claims/*.toml"}, want: "", err: "claims/*.toml: matches no file"},
		"Missing":     {reason: "A file that is not there does not hide the others.", args: []string{"no.yaml", "odd.txt"}, want: "odd", err: "no.yaml: cannot be read: no such file or directory"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			docs, err := Open(tc.args, strings.NewReader("k: in"), tc.exclude...)
			var got []string
			for _, d := range docs {
				k, _ := d.Object["k"].(string)
				got = append(got, k)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tc.err, text); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
		})
	}
}
