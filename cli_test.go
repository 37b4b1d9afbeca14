package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the sessions in testdata/cli with what the commands print now")

// TestSessions replays the console sessions in testdata/cli. Each archive holds the files of a directory and a section
// "session": commands behind "$ ", and below each what it prints. Lines of standard error start with "! ", and an exit
// code that is not 0 stands in brackets.
func TestSessions(t *testing.T) {
	names, err := filepath.Glob("testdata/cli/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			path, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm")
			session := -1
			for i, f := range archive.Files {
				if f.Name == "session" {
					session = i
					continue
				}
				write(t, f.Name, f.Data)
			}
			if session < 0 {
				t.Fatal("no section session")
			}
			want := string(archive.Files[session].Data)
			var got strings.Builder
			for line := range strings.Lines(want) {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					got.WriteString(line + replay(t, strings.TrimSpace(command)))
				}
			}
			if *update {
				archive.Files[session].Data = []byte(got.String())
				if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("%s\n-want +got\n%s", archive.Comment, diff)
			}
		})
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	name = filepath.FromSlash(name)
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// replay runs one command line in this process, on a fixed day, and returns what a console would show.
func replay(t *testing.T, command string) string {
	t.Helper()
	command, input, redirected := strings.Cut(command, " < ")
	var in, out, errs bytes.Buffer
	if redirected {
		data, err := os.ReadFile(strings.TrimSpace(input))
		if err != nil {
			t.Fatal(err)
		}
		in.Write(data)
	}
	code := 0
	if err := run(strings.Fields(command), &streams{in: &in, out: &out, err: &errs}); err != nil {
		fmt.Fprintln(&errs, err)
		code = exitCode(err)
	}
	shown := out.String()
	if shown != "" && !strings.HasSuffix(shown, "\n") {
		shown += "\\\n"
	}
	for line := range strings.Lines(errs.String()) {
		shown += "! " + line
	}
	if code != 0 {
		shown += fmt.Sprintf("[exit %d]\n", code)
	}
	return shown
}

func run(args []string, std *streams) error {
	var commands cli
	today := func() time.Time { return time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC) }
	commands.Check.now, commands.Explain.now, commands.Recover.now = today, today, today
	parser := newParser(&commands, kong.Writers(std.out, std.err), kong.Exit(func(int) {}))
	ctx, err := parse(parser, args)
	if err != nil {
		return err
	}
	return ctx.Run(std) //nolint:wrapcheck // As main prints it.
}
