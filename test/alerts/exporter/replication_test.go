package exporter

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bizmatters/function-hardened-postgres/test/tools/postgres"
)

// TestSlots tells slots apart by what they do to WAL.
func TestSlots(t *testing.T) {
	s, do := database(t, "max_wal_size=64MB", "min_wal_size=32MB", "max_slot_wal_keep_size=48MB")
	do("postgres",
		"SELECT pg_create_physical_replication_slot('waiting', true)",
		"SELECT pg_create_physical_replication_slot('never_used')",
		"CREATE TABLE filler (x text)",
		"INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 10000)",
	)
	got := collect(t, s)
	if n := got[`cnpg_hardened_slots_count{state="inactive"}`]; n != 2 {
		t.Errorf("%v slots are inactive, want 2: one that holds WAL and one that was never used", n)
	}
	if b := got[`cnpg_hardened_slots_retained_bytes{state="inactive"}`]; b < 5<<20 || b > 48<<20 {
		t.Errorf("inactive slots hold %.0f bytes, want about 10 MB", b)
	}
	if n := got[`cnpg_hardened_slots_count{state="lost"}`]; n != 0 {
		t.Errorf("%v slots are lost, want none yet", n)
	}

	for range 4 {
		do("postgres", "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 30000)", "SELECT pg_switch_wal()", "CHECKPOINT")
	}
	got = collect(t, s)
	want := map[string]float64{"active": 0, "inactive": 1, "lost": 1}
	for state, n := range want {
		if got[fmt.Sprintf("cnpg_hardened_slots_count{state=%q}", state)] != n {
			t.Errorf("max_slot_wal_keep_size is long passed: %v slots are %s, want %v", got[fmt.Sprintf("cnpg_hardened_slots_count{state=%q}", state)], state, n)
		}
	}
	if b := got[`cnpg_hardened_slots_retained_bytes{state="inactive"}`]; b != 0 {
		t.Errorf("inactive slots hold %.0f bytes, want 0: the one that was never used holds nothing", b)
	}
	if b := got[`cnpg_hardened_slots_retained_bytes{state="lost"}`]; b != 0 {
		t.Errorf("lost slots hold %.0f bytes, want 0: their WAL is gone", b)
	}
}

// TestStandby runs the queries on a standby, where most of them have nothing to say, and looks at the slot it uses.
func TestStandby(t *testing.T) {
	ctx := context.Background()
	primary, do := database(t)
	do("postgres", "SELECT pg_create_physical_replication_slot('standby', true)")
	copied, err := standby(ctx, primary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := down(copied); err != nil {
			t.Error(err)
		}
		if err := copied.Remove(); err != nil {
			t.Error(err)
		}
	})
	// Only the primary reports, so that a neighbour's stale view is not added up; pages are read everywhere.
	if diff := cmp.Diff(map[string]float64{"cnpg_hardened_checksums_failures": 0}, collect(t, copied)); diff != "" {
		t.Errorf("a standby: -want +got\n%s", diff)
	}

	await(t, primary, "SELECT active FROM pg_replication_slots WHERE slot_name = 'standby'")
	got := collect(t, primary)
	if got[`cnpg_hardened_slots_count{state="active"}`] != 1 || got[`cnpg_hardened_slots_count{state="inactive"}`] != 0 {
		t.Errorf("a slot in use is active: %v", got)
	}
}

// await waits until a query says true.
func await(t *testing.T, s *postgres.Server, query string) {
	t.Helper()
	db, err := connect(s, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var done bool
	for range 300 {
		if err := db.QueryRow(query).Scan(&done); err != nil && err != sql.ErrNoRows {
			t.Fatal(err)
		}
		if done {
			return
		}
		if _, err := db.Exec("SELECT pg_sleep(0.1)"); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("never true: %s", query)
}
