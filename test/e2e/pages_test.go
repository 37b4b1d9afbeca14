package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// How a page is read and what it says is typed.

// A command of a page and what becomes of it.
type step struct {
	// command is how it begins; every command of the page has to be known here.
	command string
	// says is a part of what it prints, awaited: some of what is looked at takes its time.
	says string
	// notHere says why it cannot run on a control plane without nodes and clouds.
	notHere string
}

// follow runs the commands of a section. Each has to be the next known one, so that whoever changes the page decides how
// it is shown to be right.
func (p *play) follow(commands []string, steps []step) {
	p.Helper()
	if len(commands) != len(steps) {
		p.Fatalf("the section has %d commands, %d are known: %q", len(commands), len(steps), commands)
	}
	set := ""
	for i, s := range steps {
		command := commands[i]
		if !strings.HasPrefix(command, s.command) {
			p.Fatalf("the page says %q, expected %q", command, s.command)
		}
		if s.notHere != "" {
			p.Logf("not here: %s: %s", firstLine(command), s.notHere)
			continue
		}
		if p.world.Namespaced { // As the page says.
			command = strings.NewReplacer("kubectl get objects.kubernetes.crossplane.io,buckets.s3.aws.upbound.io",
				"kubectl -n agents get objects.kubernetes.m.crossplane.io,buckets.s3.aws.m.upbound.io").Replace(command)
		}
		if assignment.MatchString(command) {
			set += command + "\n"
			continue
		}
		p.await(patience, firstLine(command), func() error {
			if got := p.shell(set + command); !strings.Contains(got, s.says) {
				return fmt.Errorf("%q says %q, expected %q", command, got, s.says)
			}
			return nil
		})
	}
}

var assignment = regexp.MustCompile(`^[A-Z]+=`)

// shell is try for whoever wants to read the error among what is printed.
func (p *play) shell(script string) string {
	p.Helper()
	out, err := p.try(script)
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return out
}

// try runs a command line as an administrator would and returns what it prints.
func (p *play) try(script string) (string, error) {
	p.Helper()
	cmd := exec.CommandContext(suite.ctx, "bash", "-c", script)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(suite.plane.Dir, "admin.kubeconfig"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Minute
	err := cmd.Run()
	return out.String(), err
}

// sections are the console commands of a page, by heading.
func sections(p *play, page string) map[string][]string {
	p.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		p.Fatal(err)
	}
	out := map[string][]string{}
	heading, inside, command := "", false, ""
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimRight(line, "\n")
		if item := strings.TrimLeft(line, " "); strings.HasPrefix(item, "```") || strings.HasPrefix(item, "$ ") {
			line = item // Code inside a list is indented.
		}
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside && strings.HasPrefix(line, "## "):
			heading = strings.TrimPrefix(line, "## ")
		case !inside:
		case command != "" || strings.HasPrefix(line, "$ "):
			// A command goes on while a line ends with a backslash or inside a string; what follows is what it prints.
			command += strings.TrimPrefix(line, "$ ")
			if strings.HasSuffix(command, `\`) || strings.Count(command, `"`)%2 != 0 || strings.Count(command, `'`)%2 != 0 {
				command += "\n"
				continue
			}
			out[heading] = append(out[heading], command)
			command = ""
		}
	}
	return out
}

// blocks are the lines of a page's code of a language that begin like one of these.
func blocks(p *play, page, language string, beginnings ...string) []string {
	p.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		p.Fatal(err)
	}
	var out []string
	inside := false
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			inside = line == "```"+language
			continue
		}
		if inside && slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(line, b) }) {
			out = append(out, line)
		}
	}
	return out
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
