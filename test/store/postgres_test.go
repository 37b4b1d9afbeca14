package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binaries finds PostgreSQL's programs: POSTGRES_BIN, or the newest of Debian's packages.
func binaries() (string, error) {
	if dir := os.Getenv("POSTGRES_BIN"); dir != "" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL in /usr/lib/postgresql, and no POSTGRES_BIN")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })), nil
}

func major(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// postgres is one server that listens on a Unix socket only, with what its sidecar would have in its environment.
type postgres struct {
	bin, home, data string
	env             []string
	as              *syscall.Credential
	process         *exec.Cmd
}

// newPostgres makes a place for a server, and none yet.
func newPostgres(t *testing.T, env []string) *postgres {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	// A socket's path has room for a hundred bytes: no t.TempDir().
	home, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	s := &postgres{bin: bin, home: home, data: filepath.Join(home, "data")}
	s.env = append(slices.Clone(env), "PGHOST="+home, "PGPORT=5432", "HOME="+home, "TMPDIR="+home)
	t.Cleanup(func() {
		s.stop(syscall.SIGQUIT)
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	if os.Geteuid() == 0 {
		s.as = unprivileged(t)
		if err := os.Chown(home, int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// unprivileged is who runs PostgreSQL where the test is root, as which it refuses to run.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *postgres) init(t *testing.T) {
	t.Helper()
	s.must(t, "initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "--data-checksums", "--no-sync", "-E", "UTF8", "--locale=C")
}

// up starts the server with an archive_command, as it is at work with a claim.
func (s *postgres) up(t *testing.T, archive string, settings ...string) {
	t.Helper()
	file := "listen_addresses = ''\nunix_socket_directories = '" + s.home + "'\nfsync = off\nwal_level = logical\narchive_mode = on\n" +
		"archive_command = " + literal(archive) + "\n" + strings.Join(settings, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(s.data, "postgresql.auto.conf"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.as != nil {
		if err := os.Chown(filepath.Join(s.data, "postgresql.auto.conf"), int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(s.home, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.process = exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data)
	s.process.Dir, s.process.Env, s.process.Stdout, s.process.Stderr = s.home, s.env, log, log
	// It goes when the test goes, however that ends.
	s.process.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGQUIT}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	for range 240 {
		if _, err = s.run(t.Context(), "pg_isready", "-q"); err == nil {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	t.Fatalf("PostgreSQL does not come up: %v\n%s", err, said)
}

// stop ends the server and waits for it.
func (s *postgres) stop(with os.Signal) {
	if s.process != nil {
		_ = s.process.Process.Signal(with)
		_ = s.process.Wait()
		s.process = nil
	}
}

// literal is a string in postgresql.conf.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// quote is a word in a command that PostgreSQL hands to a shell.
func quote(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(out, " ")
}

// sql runs statements, each a transaction of its own, and returns what they print, one row a line.
func (s *postgres) sql(t *testing.T, statements string) []string {
	t.Helper()
	out := s.must(t, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-c", statements)
	return strings.Fields(strings.ReplaceAll(out, " ", "T"))
}

// script is sql for many statements at once: psql sends each when the one before it has been acknowledged.
func (s *postgres) script(t *testing.T, statements string) []string {
	t.Helper()
	file := filepath.Join(s.home, "script.sql")
	if err := os.WriteFile(file, []byte(statements), 0o644); err != nil {
		t.Fatal(err)
	}
	return strings.Fields(s.must(t, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-f", file))
}

// await waits until a query says t.
func (s *postgres) await(t *testing.T, query string) {
	t.Helper()
	var got []string
	for range 120 {
		if got = s.sql(t, query); slices.Equal(got, []string{"t"}) {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.home, "log"))
	t.Fatalf("not true in a minute but %v: %s\n%s", got, query, log)
}

// archived ends the current WAL file and waits until it is in the store.
func (s *postgres) archived(t *testing.T) {
	t.Helper()
	wal := s.sql(t, "SELECT pg_walfile_name(pg_switch_wal())")
	s.await(t, fmt.Sprintf("SELECT coalesce(last_archived_wal >= '%s', false) FROM pg_stat_archiver", wal[0]))
	if failed := s.sql(t, "SELECT failed_count FROM pg_stat_archiver"); failed[0] != "0" {
		log, _ := os.ReadFile(filepath.Join(s.home, "log"))
		t.Fatalf("archiving failed %s times on the way\n%s", failed[0], log)
	}
}

func (s *postgres) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := s.run(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *postgres) run(ctx context.Context, name string, args ...string) (string, error) {
	program := filepath.Join(s.bin, name)
	if _, err := os.Stat(program); err != nil {
		program = name
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = s.home, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(s.home, "log"))
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s\n%s", name, strings.Join(args, " "), err, out.String(), complaints.String(), log)
	}
	return out.String(), nil
}
