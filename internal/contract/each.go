package contract

import (
	"slices"

	"github.com/bizmatters/function-hardened-postgres/internal/manifest"
)

// Judged is what became of one document of a set.
type Judged struct {
	Findings Findings
	// Clusters are those of the set that it is, wraps, or keeps the archive or the backups of, as "namespace/name".
	Clusters []string
}

// JudgeEach is JudgeManifests document by document, in the order of the set: two of one name are told apart, and with each
// comes whose it is by what it does, which no label can change.
func JudgeEach(set []manifest.Object, o Options) []Judged {
	j := judged(set, o)
	each := make([]Judged, len(set))
	for i, f := range j.found {
		at := &each[j.origins[i]]
		at.Findings = append(at.Findings, f)
	}
	belongs := func(d *document, c *cluster) {
		at, name := &each[d.origin], c.namespace+"/"+c.name
		if !slices.Contains(at.Clusters, name) {
			at.Clusters = append(at.Clusters, name)
		}
	}
	for i := range j.clusters {
		c := &j.clusters[i]
		belongs(c.document, c)
		if c.observed {
			continue // Anybody may look at anything.
		}
		if c.archive.document != nil {
			belongs(c.archive.document, c)
		}
		for _, d := range c.schedules {
			belongs(d, c)
		}
	}
	for i := range j.documents {
		if d := &j.documents[i]; d.kind >= bucketTiering {
			for _, c := range j.bucketNamed(j.bucketOf(d)).archived {
				belongs(d, c)
			}
		}
	}
	for i := range each {
		each[i].Findings.Sort()
	}
	return each
}
