package contract

import (
	"slices"
	"strings"

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

// Knows says whether there are rules for a document, or for what it wraps or lists. Others are passed over, but for keys in
// plain sight.
func Knows(o manifest.Object) bool { return knows(node(o), 0) }

func knows(o node, depth int) bool {
	group, _, found := strings.Cut(text(o, "apiVersion"), "/")
	if !found {
		group = ""
	}
	switch k := kinds[groupKind{group, text(o, "kind")}]; {
	case depth > maxNesting: // Refused.
		return true
	case k == wrapper:
		inner := sub(sub(sub(o, "spec"), "forProvider"), "manifest")
		return len(inner) == 0 || knows(inner, depth+1)
	case k == unknown && strings.HasSuffix(text(o, "kind"), "List"):
		return slices.ContainsFunc(items(o, "items"), func(item any) bool {
			n, _ := item.(node)
			return knows(n, depth+1)
		})
	default:
		return k != unknown
	}
}
