// Package exporter runs the custom queries where they run in earnest: in CloudNativePG's own metrics exporter, against
// a real PostgreSQL.
package exporter

import (
	"context"
	"database/sql"
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

	_ "github.com/jackc/pgx/v5/stdlib" // The driver "pgx".
)

// binaries finds PostgreSQL's programs: POSTGRES_BIN, or the newest of Debian's packages. Without them there is nothing
// to prove, which is an error and no reason to skip.
func binaries() (string, error) {
	if dir := os.Getenv("POSTGRES_BIN"); dir != "" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL found: apt-get install postgresql, or set POSTGRES_BIN to the directory of its programs")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })), nil
}

func major(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// server is one PostgreSQL that listens on a Unix socket only.
type server struct {
	bin, home, data string
	as              *syscall.Credential
}

// port is part of the socket's name and of nothing else.
const port = "5432"

// start makes a fresh database cluster and starts it.
func start(ctx context.Context, settings ...string) (*server, error) {
	s, err := prepare()
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, "initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "--data-checksums", "--no-sync", "-E", "UTF8", "--locale=C"); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	if err := s.up(ctx, settings...); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// standby stops s for a moment, copies it and starts both: the copy as a standby of s.
func (s *server) standby(ctx context.Context) (*server, error) {
	copied, err := prepare()
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return s.down(ctx) },
		func() error { return copied.run(ctx, "/bin/cp", "-a", s.data, copied.data) },
		func() error { return s.up(ctx) },
		func() error { return copied.run(ctx, "/bin/touch", filepath.Join(copied.data, "standby.signal")) },
		func() error {
			return copied.up(ctx, fmt.Sprintf("primary_conninfo=host=%s port=%s user=postgres", s.home, port), "primary_slot_name=standby")
		},
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, copied.remove())
		}
	}
	return copied, nil
}

func prepare() (*server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin}
	// A socket's path has room for a hundred bytes: no t.TempDir().
	if s.home, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	s.data = filepath.Join(s.home, "data")
	if os.Geteuid() != 0 {
		return s, nil
	}
	// PostgreSQL refuses to run as root.
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("cannot run PostgreSQL as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return s, os.Chown(s.home, int(uid), int(gid))
}

func (s *server) up(ctx context.Context, settings ...string) error {
	options := []string{"-c listen_addresses=", "-c unix_socket_directories=" + s.home, "-c fsync=off", "-c wal_level=logical", "-c autovacuum=off"}
	for _, setting := range settings {
		options = append(options, "-c '"+strings.ReplaceAll(setting, "'", `'\''`)+"'")
	}
	return s.run(ctx, "pg_ctl", "start", "-w", "-t", "60", "-D", s.data, "-l", filepath.Join(s.home, "log"), "-o", strings.Join(options, " "))
}

func (s *server) down(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "stop", "-w", "-m", "fast", "-D", s.data)
}

func (s *server) remove() error { return os.RemoveAll(s.home) }

func (s *server) run(ctx context.Context, name string, args ...string) error {
	program := name
	if !filepath.IsAbs(name) {
		program = filepath.Join(s.bin, name)
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // PostgreSQL's own programs.
	cmd.Dir = s.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	// Into a file: the server inherits what pg_ctl writes to, and a pipe would stay open as long as it lives.
	out, err := os.Create(filepath.Join(s.home, filepath.Base(name)+".out"))
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // Read below.
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		log, _ := os.ReadFile(filepath.Join(s.home, "log"))
		return fmt.Errorf("%s: %w\n%s\n%s", name, err, said, log)
	}
	return nil
}

// connect opens a database as the superuser.
func (s *server) connect(database string) (*sql.DB, error) {
	return sql.Open("pgx", fmt.Sprintf("host=%s port=%s user=postgres dbname=%s sslmode=disable", s.home, port, database))
}
