package policy

import "github.com/bizmatters/function-hardened-postgres/input/v1beta1"

// The built-in catalogue: CloudNativePG's own images, pinned by digest, as its image catalogues of 2026-08-17 list them.
// The in-tree method needs the "system" flavour, the only one that contains barman (CNPG-2.1).
const repository = "ghcr.io/cloudnative-pg/postgresql:"

var standardImages = map[string]v1beta1.ImageSet{
	"14": {Default: repository + "14.24-202608170814-standard-trixie@sha256:2251ca32ca24152bad5d9ddbc9ac4e95e98d6cff4002e98a5484e542ce2cae36"},
	"15": {Default: repository + "15.19-202608170814-standard-trixie@sha256:613c7a0417887cd2626a2bfb31fa4e1d86c3088e575fd66bc227007dc69a5487"},
	"16": {Default: repository + "16.15-202608170814-standard-trixie@sha256:3df9103d7f89c8abc2870463d4d446944c81b5f1f4b707c590895dc003ecbb65"},
	"17": {Default: repository + "17.11-202608170816-standard-trixie@sha256:91e0de662d53895a45f1396f4ee1a75daeb0c26fc87853afc9c8f43e01fdaa21"},
	"18": {Default: repository + "18.6-202608170814-standard-trixie@sha256:771f9eab5225587af259d84680cc69a5b6e374ac32bb24effafde1f3368a1241"},
}

var systemImages = map[string]v1beta1.ImageSet{
	"14": {Default: repository + "14.24-202608170814-system-trixie@sha256:ba21bac878449f7bf1cc620f8a030953be94aff464ca5ba013de1ebca47479dd"},
	"15": {Default: repository + "15.19-202608170814-system-trixie@sha256:fa32b6605eee928ffcd5a8895bfdf657d08552c682acbba5af1f732a706015c3"},
	"16": {Default: repository + "16.15-202608170814-system-trixie@sha256:9715665844fb088ba6e17181cfc2e2505b3a711e7a293ac721490175f9515233"},
	"17": {Default: repository + "17.11-202608170816-system-trixie@sha256:ecaa395084a5f8831fd2655dbffc98b554473526265f53113ec969de6fc15848"},
	"18": {Default: repository + "18.6-202608170814-system-trixie@sha256:14cfefd0db8bbc617a4882c74a2811af361fc8d0fc1733062c982c6e746a3875"},
}

func imagesFor(method string) map[string]v1beta1.ImageSet {
	if method == MethodInTree {
		return systemImages
	}
	return standardImages
}

// BuiltIn says whether an image is the catalogue's own for a method: no policy has to have named it.
func BuiltIn(method, major, image string) bool { return imagesFor(method)[major].Default == image }
