package fleet

import (
	"encoding/hex"
	"errors"
	"strings"
)

// PlanDigest is the value of --expect.
type PlanDigest string

// UnmarshalText returns an error for text that is not a digest. A failed `certsync plan` in $(…) leaves an empty text, which
// must not count as no --expect.
func (d *PlanDigest) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "sha256:")
	if sum, err := hex.DecodeString(digits); !ok || err != nil || len(sum) != 32 {
		return errors.New("expected the digest of a plan: sha256: and 64 hexadecimal digits")
	}
	*d = PlanDigest(text)
	return nil
}
