package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// A block is what stands between two fences of a document, under its heading: "docs/recover.md#Hidden backups".
type block struct{ place, text string }

// played are the blocks TestStore runs as they stand in the document. A block that is only in part about S3 runs in that
// part: the statements that begin with aws.
var played = []string{
	"docs/delete-for-good.md#5. The bucket/1",
	"docs/delete-for-good.md#5. The bucket/2",
	"docs/recover.md#Hidden backups/1",
	"docs/recover.md#Hidden backups/2",
	"docs/recover.md#Hidden backups/3",
	"docs/recover.md#Overwritten backups/1",
	"docs/recover.md#Only the bucket is left/1",
	"docs/runbooks/PostgresRecoveryWindowShrunk.md#Diagnosis/1",
}

// notPlayed are the others, with the reason.
var notPlayed = map[string]string{}

// TestDocuments holds every command line for S3 that the documents tell people to type to being run here.
func TestDocuments(t *testing.T) {
	blocks, loose := documents(t)
	var got []string
	for _, b := range blocks {
		if len(statements(b.text)) > 0 && notPlayed[b.place] == "" {
			got = append(got, b.place)
		}
	}
	want := slices.Sorted(slices.Values(played))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blocks with aws commands: -run by TestStore +in the documents\n%s", diff)
	}
	for _, line := range loose {
		t.Errorf("an aws command outside a block, which nothing runs: %s", line)
	}
}

// documents are the blocks with an aws command in README.md and docs/, and the lines with one outside any block.
func documents(t *testing.T) (blocks []block, loose []string) {
	t.Helper()
	files := []string{"README.md", "SECURITY.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") && !d.IsDir() {
			files = append(files, strings.TrimPrefix(filepath.ToSlash(path), root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		inside, heading, text, count := false, "", "", 0
		for line := range strings.Lines(string(raw)) {
			fence := strings.HasPrefix(line, "```")
			switch {
			case fence && inside:
				if invocation.MatchString(text) {
					count++
					blocks = append(blocks, block{fmt.Sprintf("%s#%s/%d", file, heading, count), text})
				}
				inside, text = false, ""
			case fence:
				inside = true
			case inside:
				text += line
			case strings.HasPrefix(line, "#"):
				heading, count = strings.TrimSpace(strings.TrimLeft(line, "#")), 0
			case invocation.MatchString(line):
				loose = append(loose, file+": "+line)
			}
		}
	}
	return blocks, loose
}

var (
	invocation = regexp.MustCompile(`\baws (s3|s3api|iam|kms|configure) `)
	prompt     = regexp.MustCompile(`(?m)^\$ `)
	joined     = regexp.MustCompile(`\\\n\s*`)
)

// statements are the lines of a block that begin with aws, with what they continue on.
func statements(text string) []string {
	var out []string
	for line := range strings.Lines(joined.ReplaceAllString(prompt.ReplaceAllString(text, ""), "")) {
		if invocation.MatchString(line) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
