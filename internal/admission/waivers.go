package admission

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/bizmatters/function-hardened-postgres/apis/v1alpha1"
	"github.com/bizmatters/function-hardened-postgres/internal/contract"
)

// waived adapts a check to the platform's waivers: what is waived for all claims is not checked, what is waived for some
// passes for them. A waiver that has ended, or that the contract does not allow, changes nothing; one that ends later
// holds until the policies are generated again, because admission knows no clock.
func (o Options) waived(c check) (cel string, checked bool) {
	cel = c.cel
	rule, _ := contract.RuleByID(c.rule)
	for _, w := range o.Waivers {
		switch {
		case w.Rule != c.rule || rule.Unwaivable || w.Expires != "" && w.Expires < o.Today:
		case w.Claims == "":
			return "", false
		default:
			cel = fmt.Sprintf("(%s).matches('%s') || (%s)", owner, pattern(w.Claims), cel)
		}
	}
	return cel, true
}

// owner is "namespace/name" of the claim an object belongs to.
const owner = "variables.it.metadata.?labels[?'" + v1alpha1.Group + "/claim-namespace'].orValue('') + '/' + " +
	"variables.it.metadata.?labels[?'" + v1alpha1.Group + "/claim'].orValue('')"

// pattern turns a pattern of package path into a regular expression inside a CEL string.
func pattern(glob string) string {
	var b strings.Builder
	for _, r := range glob {
		switch r {
		case '*':
			b.WriteString("[^/]*")
		case '?':
			b.WriteString("[^/]")
		case '[', ']', '-', '^': // Character classes are the same.
			b.WriteRune(r)
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return "^" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(b.String()) + "$"
}
