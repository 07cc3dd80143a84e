//go:build unix

package inventory

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadEncodings: an inventory and the files that it names may begin with a byte order mark. UTF-16 is named.
func TestLoadEncodings(t *testing.T) {
	inside := folder(t, "ca.crt")
	users, authority := filepath.Join(inside, "users.yaml"), filepath.Join(inside, "ca.crt")
	text := header + "cluster: {certificateAuthority: ca.crt}\nusers: []\n"
	write(t, users, "\ufeff"+text)
	write(t, authority, "\ufeff"+string(certificate(t)))
	if _, err := Load(users); err != nil {
		t.Error(err)
	}
	write(t, authority, "\xff\xfe-\x00")
	if _, err := Load(users); err == nil || !strings.HasSuffix(err.Error(), `file "ca.crt" is in UTF-16: save it as UTF-8`) {
		t.Error(err)
	}
	write(t, users, "\xff\xfea\x00")
	if _, err := Load(users); err == nil || !strings.HasSuffix(err.Error(), "users.yaml: in UTF-16: save it as UTF-8") {
		t.Error(err)
	}
}
