// Package successor writes the claim of a database that is made from another one: recovered to a point in time, or moved
// to another major. It is pure; it writes what a careful person would, and says why.
package successor

import (
	"fmt"
	"time"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Wish is what the new database is to be.
type Wish struct {
	// Name of the new claim.
	Name string
	// ToTime, ToLSN, ToXID, ToName and Immediate are recovery targets; none recovers everything.
	ToTime, ToLSN, ToXID, ToName string
	Immediate                    bool
	BackupID                     string
	Exclusive                    bool
	// Upgrade is the major to move to, "" for the source's own.
	Upgrade string
	// Method of an upgrade: import or logicalReplication.
	Method string
	// Bucket, Path and Server name the archive of a source that is not left in the cluster.
	Bucket, Path, Server string
	// Now is what the target is held against in words.
	Now time.Time
}

// maxStorage is the most GiB a claim can have.
const maxStorage = 1000

// Document returns the new claim, and the sentences that explain it.
func Document(from manifest.Object, w Wish) (manifest.Object, []string) {
	written := w.ToTime
	if at, ok := Moment(w.ToTime); ok {
		w.ToTime = utc(at)
	}
	spec := map[string]any{}
	keep := []string{"size", "storageGB", "walStorageGB", "instances", "resources", "parameters", "image", "backup"}
	if w.Name == from.Name() {
		keep = append(keep, "connection", "database", "owner") // Applications find the database where it was.
	}
	for _, key := range keep {
		if v := manifest.Copy(from, "spec", key); v != nil {
			spec[key] = v
		}
	}
	if database, owner := login(from); w.Name == from.Name() && database != "" {
		spec["database"], spec["owner"] = database, owner // Once the claim is gone nothing else says what a restore brings along.
	}
	version := manifest.String(from, "spec", "version")
	if version == "" {
		version = "16" // What a claim without a version means.
	}
	upgrading := w.Upgrade != "" && w.Upgrade != version
	spec["version"] = version
	if w.Upgrade != "" {
		spec["version"] = w.Upgrade
	}
	storage, given := manifest.Int(from, "spec", "storageGB")
	if !given {
		storage = 20
	}
	spec["storageGB"] = storage
	if upgrading && w.Method != "logicalReplication" {
		spec["storageGB"] = min(2*storage, maxStorage)
	}
	if w.Method != "" {
		spec["upgrade"] = map[string]any{"method": w.Method}
	}
	spec["bootstrap"] = map[string]any{"recovery": recovery(from, w)}

	metadata := map[string]any{"name": w.Name}
	if namespace := from.Namespace(); namespace != "" {
		metadata["namespace"] = namespace
	}
	document := manifest.Object{"apiVersion": from.APIVersion(), "kind": from.Kind(), "metadata": metadata, "spec": spec}
	return document, explain(from, w, written, version, upgrading)
}

func recovery(from manifest.Object, w Wish) map[string]any {
	out := map[string]any{"source": from.Name()}
	for key, value := range map[string]string{
		"targetTime": w.ToTime, "targetLSN": w.ToLSN, "targetXID": w.ToXID, "targetName": w.ToName, "backupID": w.BackupID,
	} {
		if value != "" {
			out[key] = value
		}
	}
	if w.Immediate {
		out["targetImmediate"] = true
	}
	if w.Exclusive {
		out["exclusive"] = true
	}
	if w.Bucket == "" {
		return out
	}
	archive := map[string]any{"bucket": w.Bucket, "serverName": w.Server}
	if w.Path != "" {
		archive["path"] = w.Path
	}
	if version := manifest.String(from, "spec", "version"); version != "" {
		archive["version"] = version
	}
	// Nothing is left that could be asked for them. Where nobody knows them, the claim is refused: beside a database of
	// another name an empty one would be made.
	if database, owner := login(from); database != "" {
		archive["database"], archive["owner"] = database, owner
	}
	out["archive"] = archive
	return out
}

// login are the names a claim's database was made with. One that was itself made from another database has the names that
// one had: "" where the claim does not say them.
func login(from manifest.Object) (database, owner string) {
	database, owner = manifest.String(from, "spec", "database"), manifest.String(from, "spec", "owner")
	fallback := from.Name()
	if manifest.Map(from, "spec", "bootstrap") != nil {
		archive := []string{"spec", "bootstrap", "recovery", "archive"}
		fallback = manifest.String(from, append(archive, "database")...)
		if owner == "" {
			owner = manifest.String(from, append(archive, "owner")...)
		}
	}
	if database == "" {
		database = fallback
	}
	if owner == "" {
		owner = database
	}
	return database, owner
}

func explain(from manifest.Object, w Wish, written, version string, upgrading bool) []string {
	source := from.Name()
	database, _ := login(from)
	if database == "" {
		database = fmt.Sprintf("$(kubectl -n %s get postgresinstance %s -o jsonpath={.status.database})", namespace(from), w.Name)
	}
	lines := make([]string, 0, 12)
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	when := func() {
		if at, ok := Moment(w.ToTime); ok && ago(at, w.Now) != "" {
			if written != w.ToTime {
				say("%s is %s, %s.", written, w.ToTime, ago(at, w.Now))
			} else {
				say("%s was %s.", w.ToTime, ago(at, w.Now))
			}
		}
	}
	if w.Name == source {
		// Only what is lost comes back under its own name.
		say("%s comes back as a database of PostgreSQL %s, restored from its own archive%s.", source, version, until(w))
		when()
		say("The old folder of the archive is only read; the database archives into a new one beside it. While a Cluster of this name lives, the bootstrap does nothing.")
		say("Next:")
		say("  1. Delete the old claim: a bootstrap is read once, when a claim is new. Bucket and volumes stay.")
		say("  2. Commit the file in its place.")
		say("  3. Wait: kubectl -n %s wait postgresinstance/%s --for=condition=DatabaseReady --timeout=2h", namespace(from), source)
		say("  4. Look at the data before anything writes to it: kubectl cnpg psql -n %s %s -- %s", namespace(from), source, database)
		return lines
	}
	switch {
	case !upgrading:
		say("%s becomes a new database of PostgreSQL %s, restored from the archive of %s%s.", w.Name, version, source, until(w))
		when()
		if w.Bucket != "" {
			say("The archive in bucket %s is only read. The new database archives into a folder of its own.", w.Bucket)
			break
		}
		say("%s is only read: it goes on as it is, and its archive is not written to. The new database archives into a folder of its own.", source)
		if w.ToTime == "" && !w.Immediate {
			say("WAL of the last minutes may not be archived yet, and is not restored then. To have it archived at once, before you commit: kubectl cnpg psql -n %s %s -- -c 'SELECT pg_switch_wal()'", namespace(from), source)
		}
		say("What %s commits after that is not in %s. If only some tables are missing, leave the applications where they are and copy those back (docs/recover.md).", source, w.Name)
	case w.Method == "logicalReplication":
		say("%s becomes a new database of PostgreSQL %s with the schema of %s (PostgreSQL %s), and then follows its rows until you switch.", w.Name, w.Upgrade, source, version)
		say("A role and a publication are added inside %s. Tables without a primary key or replica identity can no longer be updated there while it publishes: the copy waits until you confirm that there are none.", source)
	default:
		say("%s becomes a new database of PostgreSQL %s with a logical copy of %s (PostgreSQL %s): files of one major cannot be read by another.", w.Name, w.Upgrade, source, version)
		say("The copy is of one moment, so it waits until you confirm that nothing writes to %s any more. %s is only read and goes on running.", source, source)
		if most, _ := manifest.Int(from, "spec", "storageGB"); 2*most > maxStorage {
			say("It has the most storage a claim can have, %d GiB. The copy is dumped beside the data first: it fits if %s uses less than half of that.", maxStorage, source)
		} else {
			say("It has twice the storage, because the copy is dumped beside the data first.")
		}
	}
	say("Next:")
	say("  1. Commit the file. Nothing of %s changes.", source)
	step := 2
	if upgrading {
		annotation, what := "writes-stopped", "Stop what writes to it"
		if w.Method == "logicalReplication" {
			annotation, what = "replica-identities-checked", "Check the replica identities"
		}
		say("  2. %s (docs/upgrade.md has the commands), then add the annotation database.bizmatters.io/%s: %s to the new claim.", what, annotation, source)
		step++
	}
	say("  %d. Wait: kubectl -n %s wait postgresinstance/%s --for=condition=DatabaseReady --timeout=2h", step, namespace(from), w.Name)
	say("  %d. Look at the data: kubectl cnpg psql -n %s %s -- %s", step+1, namespace(from), w.Name, database)
	before := ""
	switch {
	case upgrading && w.Method == "logicalReplication":
		before = fmt.Sprintf("stop what writes to %s, wait until nothing is behind and set the sequences (docs/upgrade.md), then ", source)
	case !upgrading && w.Bucket == "":
		before = fmt.Sprintf("stop what writes to %s, then ", source)
	}
	if alias := manifest.String(from, "spec", "connection", "alias"); alias != "" {
		say("  %d. Switch: %smove connection.alias: %s from %s to %s in one commit.", step+2, before, alias, source, w.Name)
	} else {
		say("  %d. Switch: %slet applications use the Secret %s-conn.", step+2, before, w.Name)
	}
	return lines
}

func until(w Wish) string {
	side := " as it was just after "
	if w.Exclusive {
		side = " as it was just before "
	}
	switch {
	case w.ToTime != "":
		return side + w.ToTime
	case w.ToLSN != "":
		return side + "WAL location " + w.ToLSN
	case w.ToXID != "":
		return side + "transaction " + w.ToXID
	case w.ToName != "":
		return " to the restore point " + w.ToName
	case w.Immediate:
		return " to the end of base backup " + w.BackupID
	}
	return " to its end"
}

func namespace(from manifest.Object) string {
	if ns := from.Namespace(); ns != "" {
		return ns
	}
	return "default"
}
