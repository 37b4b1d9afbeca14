package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bizmatters/function-hardened-postgres/test/tools/postgres"
)

// server is one database with what its sidecar would have in its environment.
type server struct{ *postgres.Server }

// newServer makes a place for a server, and none yet.
func newServer(t *testing.T, env []string) *server {
	t.Helper()
	s, err := postgres.New(env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	return &server{s}
}

func (s *server) create(t *testing.T) {
	t.Helper()
	if err := s.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// up starts the server with an archive_command, as it is at work with a claim.
func (s *server) up(t *testing.T, archive string, settings ...string) {
	t.Helper()
	if err := s.Start(t.Context(), append([]string{"archive_mode=on", "archive_command=" + archive}, settings...)...); err != nil {
		t.Fatal(err)
	}
}

// stop ends the server in order.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.Stop(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
}

// quote is a word in a command that PostgreSQL hands to a shell.
func quote(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(out, " ")
}

// sql runs statements, each a transaction of its own, and returns what they print, one row a line.
func (s *server) sql(t *testing.T, statements string) []string {
	t.Helper()
	out := s.must(t, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-c", statements)
	return strings.Fields(strings.ReplaceAll(out, " ", "T"))
}

// script is sql for many statements at once: psql sends each when the one before it has been acknowledged.
func (s *server) script(t *testing.T, statements string) []string {
	t.Helper()
	file := filepath.Join(s.Home, "script.sql")
	if err := os.WriteFile(file, []byte(statements), 0o644); err != nil {
		t.Fatal(err)
	}
	return strings.Fields(s.must(t, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-f", file))
}

// await waits until a query says t.
func (s *server) await(t *testing.T, query string) {
	t.Helper()
	var got []string
	for range 120 {
		if got = s.sql(t, query); slices.Equal(got, []string{"t"}) {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("not true in a minute but %v: %s\n%s", got, query, s.said())
}

// archived ends the current WAL file and waits until it is in the store.
func (s *server) archived(t *testing.T) {
	t.Helper()
	wal := s.sql(t, "SELECT pg_walfile_name(pg_switch_wal())")
	s.await(t, fmt.Sprintf("SELECT coalesce(last_archived_wal >= '%s', false) FROM pg_stat_archiver", wal[0]))
	if failed := s.sql(t, "SELECT failed_count FROM pg_stat_archiver"); failed[0] != "0" {
		t.Fatalf("archiving failed %s times on the way\n%s", failed[0], s.said())
	}
}

func (s *server) said() []byte {
	log, _ := os.ReadFile(filepath.Join(s.Home, "log"))
	return log
}

func (s *server) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := s.Run(ctx, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
