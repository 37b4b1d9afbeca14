package exporter

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cnpg "github.com/cloudnative-pg/cloudnative-pg/pkg/management/postgres"
	"github.com/cloudnative-pg/cloudnative-pg/pkg/management/postgres/metrics"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bizmatters/function-hardened-postgres/internal/alerts"
	"github.com/bizmatters/function-hardened-postgres/test/tools/postgres"
)

// collect lets CloudNativePG's exporter run the custom queries on s and returns every series as it is scraped, but for
// the exporter's bookkeeping.
func collect(t *testing.T, s *postgres.Server) map[string]float64 {
	t.Helper()
	// Where CloudNativePG looks for its PostgreSQL.
	t.Setenv("PGHOST", s.Home)
	t.Setenv("PGPORT", postgres.Port)
	instance := cnpg.NewInstance()
	instance.PgData = s.Data

	collector := metrics.NewQueriesCollector("cnpg", instance, "postgres")
	if err := collector.ParseQueries([]byte(alerts.CustomQueries(alerts.Target{}))); err != nil {
		t.Fatal(err)
	}
	if err := collector.Update(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, database := range []string{"postgres", "app", "hidden", "a/b"} {
			if db, err := instance.GetMetricsDB(database); err == nil {
				_ = db.Close()
			}
		}
	})
	registry := prometheus.NewRegistry()
	registry.MustRegister(undescribed{collector})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := family.GetName()
			switch name {
			case "cnpg_errors_total":
				t.Errorf("the exporter failed: %s", strings.Join(labels, ","))
			case "cnpg_last_error", "cnpg_last_update_timestamp", "cnpg_cache_hits", "cnpg_cache_miss":
				continue
			}
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			out[name] = m.GetGauge().GetValue()
		}
	}
	return out
}

// undescribed collects without having said what: like CloudNativePG, which registers its exporter before it has queries,
// and whose queries describe their labels with nil.
type undescribed struct{ *metrics.QueriesCollector }

func (undescribed) Describe(chan<- *prometheus.Desc) {}

// database starts a primary as CloudNativePG sets it up: with its exporter's role, and an application's database.
func database(t *testing.T, settings ...string) (*postgres.Server, func(database string, statements ...string)) {
	t.Helper()
	ctx := context.Background()
	s, err := start(ctx, settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := down(s); err != nil {
			t.Error(err)
		}
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	do := func(database string, statements ...string) {
		t.Helper()
		db, err := connect(s, database)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, statement := range statements {
			if _, err := db.Exec(statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	db, err := connect(s, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := cnpg.SetupMetricsExporterRole(ctx, tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	do("postgres", "CREATE ROLE app LOGIN", "CREATE DATABASE app OWNER app")
	return s, do
}

// fresh is every series of a database nobody has touched: what the queries can ever cost, and that nothing counts that
// is PostgreSQL's or CloudNativePG's own.
func fresh(databases ...string) map[string]float64 {
	out := map[string]float64{
		"cnpg_hardened_checksums_failures": 0,
		"cnpg_hardened_databases_hidden":   0,
	}
	for _, state := range []string{"active", "inactive", "lost"} {
		out[fmt.Sprintf("cnpg_hardened_slots_count{state=%q}", state)] = 0
		out[fmt.Sprintf("cnpg_hardened_slots_retained_bytes{state=%q}", state)] = 0
	}
	for _, weakness := range []string{"commit_not_on_standby", "commit_not_flushed", "damaged_pages"} {
		for _, scope := range []string{"role", "database"} {
			out[fmt.Sprintf("cnpg_hardened_overrides_count{scope=%q,weakness=%q}", scope, weakness)] = 0
		}
		for _, d := range databases {
			out[fmt.Sprintf("cnpg_hardened_functions_count{datname=%q,weakness=%q}", d, weakness)] = 0
		}
	}
	for _, d := range databases {
		out[fmt.Sprintf("cnpg_hardened_unlogged_relations{datname=%q}", d)] = 0
	}
	return out
}

const (
	roleOffStandby     = `cnpg_hardened_overrides_count{scope="role",weakness="commit_not_on_standby"}`
	roleNotFlushed     = `cnpg_hardened_overrides_count{scope="role",weakness="commit_not_flushed"}`
	roleDamaged        = `cnpg_hardened_overrides_count{scope="role",weakness="damaged_pages"}`
	databaseOffStandby = `cnpg_hardened_overrides_count{scope="database",weakness="commit_not_on_standby"}`
	databaseNotFlushed = `cnpg_hardened_overrides_count{scope="database",weakness="commit_not_flushed"}`
	functionOffStandby = `cnpg_hardened_functions_count{datname="app",weakness="commit_not_on_standby"}`
	functionNotFlushed = `cnpg_hardened_functions_count{datname="app",weakness="commit_not_flushed"}`
	functionDamaged    = `cnpg_hardened_functions_count{datname="app",weakness="damaged_pages"}`
	unlogged           = `cnpg_hardened_unlogged_relations{datname="app"}`
	hidden             = `cnpg_hardened_databases_hidden`
)

// TestQueries plays what users of a database can do, one after the other on one server, and undoes it again.
func TestQueries(t *testing.T) {
	s, do := database(t)
	cases := map[string]struct {
		reason     string
		in         string // database; app when empty
		statements []string
		undo       []string
		want       map[string]float64 // what differs from fresh
		databases  []string           // that are there and visible besides postgres and app
	}{
		"Untouched": {reason: "Nothing of PostgreSQL's own counts."},
		"RoleOff": {
			reason:     "A role that acknowledges commits before they are on a standby, whatever the spelling.",
			statements: []string{"ALTER ROLE app SET synchronous_commit = OFF"},
			undo:       []string{"ALTER ROLE app RESET ALL"},
			want:       map[string]float64{roleOffStandby: 1},
		},
		"RoleLocal": {
			reason:     "local waits for the primary's disk only.",
			statements: []string{"ALTER ROLE app SET synchronous_commit = 'Local'"},
			undo:       []string{"ALTER ROLE app RESET ALL"},
			want:       map[string]float64{roleOffStandby: 1},
		},
		"RoleFalse": {
			reason:     "PostgreSQL takes booleans for on and off.",
			statements: []string{"ALTER ROLE app SET synchronous_commit = 'false'"},
			undo:       []string{"ALTER ROLE app RESET ALL"},
			want:       map[string]float64{roleOffStandby: 1},
		},
		"RoleRemoteWrite": {
			reason:     "On a standby, but not on its disk: policy may accept it, so it is told apart.",
			statements: []string{"ALTER ROLE app SET synchronous_commit = remote_write"},
			undo:       []string{"ALTER ROLE app RESET ALL"},
			want:       map[string]float64{roleNotFlushed: 1},
		},
		"RoleSafe": {
			reason: "As the contract has it, or stronger, is no weakness.",
			statements: []string{
				"ALTER ROLE app SET synchronous_commit = 'ON'", "ALTER ROLE postgres SET synchronous_commit = remote_apply",
				"ALTER DATABASE app SET synchronous_commit = 'yes'", "ALTER ROLE app SET work_mem = '8MB'",
			},
			undo: []string{"ALTER ROLE app RESET ALL", "ALTER ROLE postgres RESET ALL", "ALTER DATABASE app RESET ALL"},
		},
		"DatabaseOff": {
			reason:     "A setting of the whole database.",
			statements: []string{"ALTER DATABASE app SET synchronous_commit = off", "ALTER DATABASE postgres SET synchronous_commit = remote_write"},
			undo:       []string{"ALTER DATABASE app RESET ALL", "ALTER DATABASE postgres RESET ALL"},
			want:       map[string]float64{databaseOffStandby: 1, databaseNotFlushed: 1},
		},
		"RoleInDatabase": {
			reason:     "A role's setting in one database is the role's; so is one for all roles, which PostgreSQL files under the database.",
			statements: []string{"ALTER ROLE app IN DATABASE app SET synchronous_commit = off", "ALTER ROLE ALL SET synchronous_commit = local"},
			undo:       []string{"ALTER ROLE app IN DATABASE app RESET ALL", "ALTER ROLE ALL RESET ALL"},
			want:       map[string]float64{roleOffStandby: 1, databaseOffStandby: 1},
		},
		"DamagedPages": {
			reason:     "Settings that hide corruption.",
			statements: []string{"ALTER ROLE app SET zero_damaged_pages = on", "ALTER ROLE postgres SET ignore_checksum_failure = 'true'"},
			undo:       []string{"ALTER ROLE app RESET ALL", "ALTER ROLE postgres RESET ALL"},
			want:       map[string]float64{roleDamaged: 2},
		},
		"Functions": {
			reason: "A function's own settings hold while it runs, in any schema; a procedure's too.",
			statements: []string{
				"CREATE SCHEMA s",
				"CREATE FUNCTION s.fast() RETURNS int LANGUAGE sql SET synchronous_commit = off AS 'SELECT 1'",
				"CREATE PROCEDURE s.quick() LANGUAGE sql SET synchronous_commit = 'remote_write' SET work_mem = '1MB' AS 'SELECT 1'",
				"CREATE FUNCTION s.blind() RETURNS int LANGUAGE sql SET zero_damaged_pages = on AS 'SELECT 1'",
				"CREATE FUNCTION s.sound() RETURNS int LANGUAGE sql SET synchronous_commit = on AS 'SELECT 1'",
			},
			undo: []string{"DROP SCHEMA s CASCADE"},
			want: map[string]float64{functionOffStandby: 1, functionNotFlushed: 1, functionDamaged: 1},
		},
		"Unlogged": {
			reason: "Tables and the sequences they own, not their indexes and TOAST tables, and no temporary ones.",
			statements: []string{
				"CREATE UNLOGGED TABLE cache (id serial PRIMARY KEY, body text)",
				"CREATE TABLE kept (id serial PRIMARY KEY)",
				"CREATE TEMPORARY TABLE scratch (id int)",
			},
			undo: []string{"DROP TABLE cache, kept"},
			want: map[string]float64{unlogged: unloggedOf(t, s)},
		},
		"HiddenDatabases": {
			reason: "A database the exporter may not enter, or whose name it passes over, is not inspected: that is said and not kept quiet.",
			in:     "postgres",
			statements: []string{
				"CREATE DATABASE hidden", "REVOKE CONNECT ON DATABASE hidden FROM PUBLIC",
				`CREATE DATABASE "a/b"`, "CREATE DATABASE pattern IS_TEMPLATE true", "CREATE DATABASE closed ALLOW_CONNECTIONS false",
			},
			undo: []string{"DROP DATABASE hidden", `DROP DATABASE "a/b"`, "ALTER DATABASE pattern IS_TEMPLATE false", "DROP DATABASE pattern", "DROP DATABASE closed"},
			want: map[string]float64{hidden: 3},
		},
		"HiddenAndGranted": {
			reason: "The exporter alone may be let in.",
			in:     "postgres",
			statements: []string{
				"CREATE DATABASE hidden", "REVOKE CONNECT ON DATABASE hidden FROM PUBLIC", "GRANT CONNECT ON DATABASE hidden TO cnpg_metrics_exporter",
			},
			undo:      []string{"DROP DATABASE hidden WITH (FORCE)"},
			databases: []string{"hidden"},
		},
		"ShadowedCatalog": {
			reason: "Functions and operators of users do not stand in for PostgreSQL's: nobody can make the queries lie, or run code as the exporter.",
			statements: []string{
				"ALTER DATABASE app SET search_path = public, pg_catalog",
				"CREATE FUNCTION public.count(oid) RETURNS int LANGUAGE sql AS 'SELECT 7'",
				"CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'lured'; END $$",
				"CREATE FUNCTION public.differ(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'lured'; END $$",
				"CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.differ)",
			},
			undo: []string{"ALTER DATABASE app RESET ALL", "DROP OPERATOR public.= (text, text)", "DROP FUNCTION public.differ, public.lower, public.count(oid)"},
		},
	}
	for _, name := range sorted(cases) {
		tc := cases[name]
		t.Run(name, func(t *testing.T) {
			in := tc.in
			if in == "" {
				in = "app"
			}
			do(in, tc.statements...)
			got := collect(t, s)
			want := fresh(append([]string{"app", "postgres"}, tc.databases...)...)
			maps.Copy(want, tc.want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.reason, diff)
			}
			do(in, tc.undo...)
		})
	}
}

// unloggedOf is what one unlogged table with a serial column counts for: since PostgreSQL 15 its sequence is unlogged
// as well.
func unloggedOf(t *testing.T, s *postgres.Server) float64 {
	t.Helper()
	db, err := connect(s, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var version int
	if err := db.QueryRow("SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		t.Fatal(err)
	}
	if version < 150000 {
		return 1
	}
	return 2
}

// TestChecksums damages a page on disk and lets PostgreSQL find it.
func TestChecksums(t *testing.T) {
	ctx := context.Background()
	s, do := database(t)
	do("app", "CREATE TABLE broken AS SELECT repeat('x', 100) FROM generate_series(1, 1000)")
	db, err := connect(s, "app")
	if err != nil {
		t.Fatal(err)
	}
	var path string
	if err := db.QueryRow("SELECT pg_relation_filepath('broken')").Scan(&path); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := down(s); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(s.Data, path), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), 4000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := up(ctx, s); err != nil {
		t.Fatal(err)
	}
	if db, err = connect(s, "app"); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("SELECT count(*) FROM broken"); err == nil {
		t.Fatal("PostgreSQL read a damaged page without complaint")
	}
	await(t, s, "SELECT sum(checksum_failures) > 0 FROM pg_stat_database")
	want := fresh("app", "postgres")
	want["cnpg_hardened_checksums_failures"] = 1
	if diff := cmp.Diff(want, collect(t, s)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
