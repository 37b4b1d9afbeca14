// Package exporter runs the custom queries where they run in earnest: in CloudNativePG's own metrics exporter, against
// a real PostgreSQL.
package exporter

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // The driver "pgx".

	"github.com/bizmatters/function-hardened-postgres/test/tools/postgres"
)

// start makes a fresh database cluster and starts it. Where there is no PostgreSQL there is nothing to prove, which is an
// error and no reason to skip.
func start(ctx context.Context, settings ...string) (*postgres.Server, error) {
	s, err := postgres.New(os.Environ())
	if err != nil {
		return nil, err
	}
	if err := s.Init(ctx); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	if err := up(ctx, s, settings...); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	return s, nil
}

// standby stops s for a moment, copies it and starts both: the copy as a standby of s.
func standby(ctx context.Context, s *postgres.Server) (*postgres.Server, error) {
	copied, err := postgres.New(os.Environ())
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return down(s) },
		func() error { _, err := copied.Run(ctx, "cp", "-a", s.Data, copied.Data); return err },
		func() error { return up(ctx, s) },
		func() error {
			_, err := copied.Run(ctx, "touch", filepath.Join(copied.Data, "standby.signal"))
			return err
		},
		func() error {
			return up(ctx, copied, fmt.Sprintf("primary_conninfo=host=%s port=%s user=postgres", s.Home, postgres.Port), "primary_slot_name=standby")
		},
	} {
		if err := step(); err != nil {
			return nil, errors.Join(err, copied.Remove())
		}
	}
	return copied, nil
}

// up starts a server that does nothing by itself.
func up(ctx context.Context, s *postgres.Server, settings ...string) error {
	return s.Start(ctx, append([]string{"autovacuum=off"}, settings...)...)
}

// down ends it as an operator does: whoever is connected is thrown out.
func down(s *postgres.Server) error { return s.Stop(syscall.SIGINT) }

// connect opens a database as the superuser.
func connect(s *postgres.Server, database string) (*sql.DB, error) {
	return sql.Open("pgx", fmt.Sprintf("host=%s port=%s user=postgres dbname=%s sslmode=disable", s.Home, postgres.Port, database))
}
