package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// digest is the digest over the plans of several clusters, in the order of the file: of their names and the digests of their plans.
// The digest "" stands for a cluster without a plan.
func digest(names, digests []string) string {
	pairs := make([][2]string, len(names))
	for i, name := range names {
		if pairs[i] = [2]string{name, digests[i]}; digests[i] == "" {
			pairs[i][1] = "error"
		}
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		panic(err) // strings only
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}
