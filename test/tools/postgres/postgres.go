// Package postgres runs real PostgreSQL servers for tests: each in a directory of its own, on a Unix socket only, and as
// the user postgres where the test is root, as which PostgreSQL refuses to run.
package postgres

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
	"time"
)

// Port is part of the socket's name and of nothing else.
const Port = "5432"

// coming is how long a server may take until it answers; most of it goes to a recovery.
const coming = 2 * time.Minute

// Binaries finds the directory of PostgreSQL's programs: POSTGRES_BIN, or the newest of Debian's packages.
func Binaries() (string, error) {
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

// A Server is the place of one PostgreSQL server, which may run or not.
type Server struct {
	// Home has the socket, the log, and Data, the database cluster.
	Home, Data string

	bin     string
	env     []string
	as      *syscall.Credential
	process *exec.Cmd
}

// New makes a place, and no server in it yet. env is what the server and the programs run beside it find in their
// environment; where to connect to is added.
func New(env []string) (*Server, error) {
	bin, err := Binaries()
	if err != nil {
		return nil, err
	}
	// A socket's path has room for a hundred bytes: no t.TempDir().
	home, err := os.MkdirTemp("", "pg")
	if err != nil {
		return nil, fmt.Errorf("cannot make a server's directory: %w", err)
	}
	s := &Server{Home: home, Data: filepath.Join(home, "data"), bin: bin}
	s.env = append(slices.Clone(env), "PGHOST="+home, "PGPORT="+Port, "HOME="+home, "TMPDIR="+home)
	if os.Geteuid() == 0 {
		if s.as, err = unprivileged(); err == nil {
			err = s.give(home)
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(home))
		}
	}
	return s, nil
}

// unprivileged is the user postgres.
func unprivileged() (*syscall.Credential, error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("cannot run PostgreSQL as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot run PostgreSQL as %s: %w", u.Uid, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("cannot run PostgreSQL as %s: %w", u.Uid, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// give makes a file the server's.
func (s *Server) give(path string) error {
	if s.as == nil {
		return nil
	}
	if err := os.Chown(path, int(s.as.Uid), int(s.as.Gid)); err != nil {
		return fmt.Errorf("cannot give a file to PostgreSQL: %w", err)
	}
	return nil
}

// Init makes a fresh database cluster with the superuser postgres, whom everybody is believed to be.
func (s *Server) Init(ctx context.Context) error {
	_, err := s.Run(ctx, "initdb", "-D", s.Data, "-U", "postgres", "-A", "trust", "--data-checksums", "--no-sync", "-E", "UTF8", "--locale=C")
	return err
}

// Start starts the server with these settings, each "name=value", and waits until it answers.
func (s *Server) Start(ctx context.Context, settings ...string) error {
	args := []string{"-D", s.Data}
	for _, setting := range append([]string{"listen_addresses=", "unix_socket_directories=" + s.Home, "fsync=off", "wal_level=logical"}, settings...) {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("cannot start PostgreSQL: %w", err)
	}
	defer log.Close()                                                  //nolint:errcheck // The server has its own.
	process := exec.Command(filepath.Join(s.bin, "postgres"), args...) //nolint:gosec // It outlives the call; Stop ends it.
	process.Dir, process.Env, process.Stdout, process.Stderr = s.Home, s.env, log, log
	// It goes when the test goes, however that ends.
	process.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Pdeathsig: syscall.SIGQUIT}
	if err := process.Start(); err != nil {
		return fmt.Errorf("cannot start PostgreSQL: %w", err)
	}
	s.process = process
	ctx, cancel := context.WithTimeout(ctx, coming)
	defer cancel()
	for {
		if _, err = s.Run(ctx, "pg_isready", "-q"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not come up: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Stop ends the server by a signal — SIGINT disconnects everybody, SIGQUIT is a crash — and waits until it has ended.
func (s *Server) Stop(with os.Signal) error {
	if s.process == nil {
		return nil
	}
	process := s.process
	s.process = nil
	if err := process.Process.Signal(with); err != nil {
		return fmt.Errorf("cannot stop PostgreSQL: %w", err)
	}
	if err := process.Wait(); err != nil && with != syscall.SIGQUIT {
		return fmt.Errorf("PostgreSQL did not end well: %w\n%s", err, s.said())
	}
	return nil
}

// Remove stops the server and deletes its place.
func (s *Server) Remove() error {
	return errors.Join(s.Stop(syscall.SIGQUIT), os.RemoveAll(s.Home))
}

// Run runs one of PostgreSQL's programs, or another one, as the server's user and in its environment, and returns what it
// prints. The error has everything that was said, and the server's log.
func (s *Server) Run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := s.Command(ctx, name, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s%s\n%s", name, strings.Join(args, " "), err, &out, &complaints, s.said())
	}
	return out.String(), nil
}

// Command is Run before it has begun.
func (s *Server) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	program := filepath.Join(s.bin, name)
	if _, err := os.Stat(program); err != nil {
		program = name
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // Tests name it.
	cmd.Dir, cmd.Env = s.Home, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

func (s *Server) log() string { return filepath.Join(s.Home, "log") }

func (s *Server) said() []byte {
	log, _ := os.ReadFile(s.log()) // There may be none yet.
	return log
}
