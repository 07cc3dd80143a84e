package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest is over the plans of several clusters, in the order of the file: "sha256:" and the hex digits of the SHA-256 of a JSON list
// that has, for each cluster, a list of its name and the digest of its plan. A cluster without a plan has the digest "", for which
// the word error stands.
func Digest(names, digests []string) string {
	list := [][2]string{}
	for i, name := range names {
		pair := [2]string{name, digests[i]}
		if pair[1] == "" {
			pair[1] = "error"
		}
		list = append(list, pair)
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings only
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}
