// Package flagvalue has the types of flags whose values have to have a form.
package flagvalue

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/starter"
	"github.com/certsync/certsync/inventory"
)

// Owner is the value of --owner.
type Owner string

// UnmarshalText returns an error for text that is not a valid owner.
func (o *Owner) UnmarshalText(text []byte) error {
	if fault := starter.OwnerFault(string(text)); fault != "" {
		return errors.New(fault)
	}
	*o = Owner(text)
	return nil
}

// LabelKey is the value of --by-label.
type LabelKey string

// UnmarshalText returns an error for text that is not the key of a label.
func (k *LabelKey) UnmarshalText(text []byte) error {
	if !inventory.ValidLabelKey(string(text)) {
		return fmt.Errorf("expected the key of a label, such as team or example.com/team, got %q", text)
	}
	*k = LabelKey(text)
	return nil
}

// Adoption is the value of --adopt: the user in users/NAME, as the paths in Vault are called.
type Adoption string

// UnmarshalText returns an error for text that is not such a path.
func (a *Adoption) UnmarshalText(text []byte) error {
	name, ok := strings.CutPrefix(string(text), "users/")
	if !ok || !inventory.ValidName(name) {
		return fmt.Errorf("expected users/NAME, got %q", text)
	}
	*a = Adoption(name)
	return nil
}

// Schedule is the value of --schedule. The API server checks the numbers in it.
type Schedule string

var cronForm = regexp.MustCompile(`^(@[a-z]+|[0-9A-Za-z*?/,-]+( +[0-9A-Za-z*?/,-]+){4})$`)

// UnmarshalText returns an error for text that is not the schedule of a CronJob.
func (s *Schedule) UnmarshalText(text []byte) error {
	if !cronForm.Match(text) {
		return errors.New("expected five fields, for example \"*/30 * * * *\", or a name such as @hourly")
	}
	*s = Schedule(text)
	return nil
}

// VaultAddress is the value of --vault-addr.
type VaultAddress string

// UnmarshalText returns an error for text that is not an address of Vault. The error repeats nothing, because a URL may hold a password.
func (s *VaultAddress) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return errors.New("expected a URL without user and password, for example https://vault.example.com:8200")
	}
	*s = VaultAddress(text)
	return nil
}

// Filled is the value of a flag that has to have one, or "" without the flag. An unset variable in a script leaves an empty text, which
// must not count as no flag.
type Filled string

// UnmarshalText returns an error for an empty text.
func (f *Filled) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("the value is empty: set one, or leave the flag out")
	}
	*f = Filled(text)
	return nil
}

// RefuseEmpty returns an error if a flag that takes several values was given an empty one, as an unset variable in a script does.
// A revocation of nobody would look like a success.
func RefuseEmpty[T ~string](flag string, values []T) error {
	if values != nil && (len(values) == 0 || slices.Contains(values, "")) {
		return fmt.Errorf("%s: a value is empty: set one, or leave the flag out", flag)
	}
	return nil
}
