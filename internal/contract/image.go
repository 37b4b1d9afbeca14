package contract

import (
	"maps"
	"slices"
	"strings"
)

// operatorWrites are the settings of its own that CloudNativePG writes into the spec of every Cluster it admits: a
// Cluster as kubectl shows it has them, and they are what they should be.
var operatorWrites = map[string]string{
	"archive_mode": "on", "log_destination": "csvlog", "log_directory": "/controller/log", "log_filename": "postgres",
	"log_rotation_age": "0", "log_rotation_size": "0", "log_truncate_on_rotation": "false", "logging_collector": "on",
	"shared_preload_libraries": "",
}

// judgeSettings judges the PostgreSQL settings of a Cluster (ZDL-09, CNPG-1.2).
func judgeSettings(j *judge, c *cluster) {
	postgresql := sub(c.spec, "postgresql")
	j.add(c.document, JudgeParameters("spec.postgresql.parameters", withoutOperators(settings(postgresql, "parameters"))))
	if on, _ := boolean(postgresql, "enableAlterSystem"); on {
		j.refuse(c.document, "ZDL-09", "spec.postgresql.enableAlterSystem", "true", "any superuser can then switch durability off behind the contract's back", "write enableAlterSystem: false")
	}
}

// withoutOperators are the settings of a Cluster without those the operator has written itself.
func withoutOperators(parameters map[string]string) map[string]string {
	asked := maps.Clone(parameters)
	maps.DeleteFunc(asked, func(name, value string) bool {
		own, writes := operatorWrites[name]
		return writes && own == value
	})
	return asked
}

// judgeClusterImage: the PostgreSQL that runs is the one that was chosen (ZDL-11).
func judgeClusterImage(j *judge, c *cluster) {
	catalog := sub(c.spec, "imageCatalogRef")
	if catalog == nil {
		j.add(c.document, judgeImage("spec.imageName", text(c.spec, "imageName"), ""))
		return
	}
	switch major := written(catalog["major"]); {
	case major == "":
		j.refuse(c.document, "ZDL-11", "spec.imageCatalogRef.major", "", "is missing: which PostgreSQL runs is open", "write the major version")
	case !slices.Contains(knownMajors, major):
		j.refuse(c.document, "ZDL-11", "spec.imageCatalogRef.major", major, "is a PostgreSQL this contract does not know", "write one of "+strings.Join(knownMajors, ", "))
	}
}

// judgeImageCatalog: every image of a catalogue is of the major it stands for (ZDL-11).
func judgeImageCatalog(j *judge, d *document) {
	for i, item := range items(d.spec, "images") {
		entry, _ := item.(node)
		j.add(d, judgeImage(index("spec.images", i)+".image", text(entry, "image"), written(entry["major"])))
	}
}

// checksumsByDefault is the first major whose initdb switches checksums on by itself.
const checksumsByDefault = "18"

// judgeChecksums: damaged pages are detected (ZDL-11). What a recovery or a copy brings along was decided elsewhere.
func judgeChecksums(j *judge, c *cluster) {
	bootstrap := sub(c.spec, "bootstrap")
	if has(bootstrap, "recovery") || has(bootstrap, "pg_basebackup") {
		return
	}
	initdb := sub(bootstrap, "initdb")
	major, pinned := ImageMajor(text(c.spec, "imageName"))
	if !pinned {
		major = written(sub(c.spec, "imageCatalogRef")["major"])
	}
	on, said := boolean(initdb, "dataChecksums")
	options := items(initdb, "options")
	switch {
	case said && !on:
		j.refuse(c.document, "ZDL-11", "spec.bootstrap.initdb.dataChecksums", "false", blind, "write dataChecksums: true")
	case len(options) > 0 && major < checksumsByDefault && !slices.ContainsFunc(options, speaksOfChecksums):
		j.refuse(c.document, "ZDL-11", "spec.bootstrap.initdb.options", "", "lack --data-checksums, and where there are options CloudNativePG ignores dataChecksums: "+blind, "add --data-checksums, or write fields instead of options")
	case !said && len(options) == 0 && major < checksumsByDefault:
		j.refuse(c.document, "ZDL-11", "spec.bootstrap.initdb.dataChecksums", "", "is missing, and before PostgreSQL 18 that means off: "+blind, "write dataChecksums: true")
	}
}

const blind = "damaged pages are replicated and backed up for weeks before anybody notices"
