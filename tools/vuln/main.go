// Command vuln looks for known vulnerabilities in what the product calls, with Go's own scanner and database. Where the
// database cannot be reached it uses a pinned snapshot of it, which comes through the module proxy like everything else,
// and says so; where neither can be had it says that nothing has been checked.
//
//	go run -C tools/vuln .
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/vuln/scan"
)

// exception is a vulnerability that is known and does not fail the scan.
type exception struct {
	// FixedIn is the Go release whose standard library fixes it. The exception ends by itself with that release: it says
	// that the scan ran with an older Go, not that anybody lives with the vulnerability. Releases are built with the
	// newest patch release (.github/workflows/release.yml).
	FixedIn string
	Reason  string
}

// accepted are the exceptions.
var accepted = map[string]exception{
	"GO-2026-6603": {"go1.26.9", http1},
	"GO-2026-6607": {"go1.26.9", "about Encrypted Client Hello, for which the server has no keys"},
	"GO-2026-6608": {"go1.26.9", "about the headers of the metrics endpoint, which the NetworkPolicy opens to Prometheus only"},
	"GO-2026-6611": {"go1.26.9", http1},
	"GO-2026-6612": {"go1.26.9", http1},
	"GO-2026-6613": {"go1.26.9", "needs a proxy that reuses a connection after CONNECT; Prometheus reads the metrics directly"},
	"GO-2026-6617": {"go1.26.9", http1},
	"GO-2026-6809": {"go1.26.10", "distrusts intermediates of public authorities; the server trusts Crossplane's own authority only"},
}

const http1 = "about HTTP/2 of net/http; the metrics endpoint speaks HTTP/1 without TLS, and gRPC brings its own HTTP/2"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "vuln:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	database, what, err := chooseDatabase(ctx)
	if err != nil {
		fmt.Println("NOT RUN: no vulnerability database could be reached:", err)
		return nil
	}
	fmt.Println("database:", what)
	found, scanned, err := scanSources(ctx, database, "../..")
	if err != nil {
		return err
	}
	if err := judge(found, runtime.Version()); err != nil {
		return err
	}
	fmt.Printf("no other known vulnerability is called (%d modules scanned, %s)\n", scanned, runtime.Version())
	return nil
}

// judge tells what was found and fails for what is not accepted, and for exceptions nothing needs any more.
func judge(found map[string]string, goVersion string) error {
	bad := 0
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if e, ok := accepted[id]; ok && !e.over(goVersion) {
			fmt.Printf("%s accepted until %s: %s\n", id, cmp.Or(e.FixedIn, "it is fixed"), e.Reason)
			continue
		}
		bad++
		fmt.Printf("%s\n  called: %s\n", id, found[id])
	}
	for _, id := range slices.Sorted(maps.Keys(accepted)) {
		if _, still := found[id]; !still && !accepted[id].over(goVersion) {
			return fmt.Errorf("%s is accepted and not there any more: remove the exception", id)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d known vulnerabilities are called: raise the module's version, or accept one with a reason", bad)
	}
	return nil
}

// over says whether an exception has ended: the Go in use has the fix.
func (e exception) over(goVersion string) bool {
	return e.FixedIn != "" && version.Compare(goVersion, e.FixedIn) >= 0
}

const liveDatabase = "https://vuln.go.dev"

// chooseDatabase prefers the live database over the snapshot.
func chooseDatabase(ctx context.Context) (url, what string, err error) {
	ask, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ask, http.MethodGet, liveDatabase+"/index/db.json", nil)
	if err != nil {
		return "", "", fmt.Errorf("cannot ask %s: %w", liveDatabase, err)
	}
	rsp, err := http.DefaultClient.Do(req)
	if err == nil {
		rsp.Body.Close() //nolint:errcheck,gosec // Only the answer's existence counts.
		if rsp.StatusCode == http.StatusOK {
			return liveDatabase, liveDatabase, nil
		}
		err = fmt.Errorf("%s answers %s", liveDatabase, rsp.Status)
	}
	dir, snapErr := snapshot(ctx)
	if snapErr != nil {
		return "", "", errors.Join(err, snapErr)
	}
	return "file://" + dir, "snapshot " + snapshotVersion + " (" + err.Error() + ")", nil
}

// scanSources returns the vulnerabilities whose code is called, each with a place that does.
func scanSources(ctx context.Context, database, root string) (found map[string]string, modules int, err error) {
	var out, stderr bytes.Buffer
	cmd := scan.Command(ctx, "-C", root, "-db", database, "-format", "json", "./...")
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Start(); err != nil {
		return nil, 0, fmt.Errorf("cannot scan: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return nil, 0, fmt.Errorf("cannot scan: %w: %s", err, stderr.Bytes())
	}
	return readFindings(&out)
}

// readFindings reads the scanner's messages. A finding counts where its trace reaches a function: the others name modules
// and packages that contain a vulnerability nothing here calls.
func readFindings(r io.Reader) (found map[string]string, modules int, err error) {
	found = map[string]string{}
	for dec := json.NewDecoder(r); ; {
		var message struct {
			SBOM *struct {
				Modules []struct {
					Path string `json:"path"`
				} `json:"modules"`
			} `json:"SBOM"`
			Finding *struct {
				OSV          string `json:"osv"`
				FixedVersion string `json:"fixed_version"`
				Trace        []struct {
					Module   string `json:"module"`
					Package  string `json:"package"`
					Function string `json:"function"`
				} `json:"trace"`
			} `json:"finding"`
		}
		err := dec.Decode(&message)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("cannot read the scanner's answer: %w", err)
		}
		if message.SBOM != nil {
			modules = len(message.SBOM.Modules)
		}
		if f := message.Finding; f != nil && len(f.Trace) > 0 && f.Trace[0].Function != "" {
			at := f.Trace[0]
			found[f.OSV] = fmt.Sprintf("%s.%s (module %s, fixed in %s)", at.Package, at.Function, at.Module, f.FixedVersion)
		}
	}
	if modules == 0 {
		return nil, 0, errors.New("the scanner looked at nothing")
	}
	return found, modules, nil
}
