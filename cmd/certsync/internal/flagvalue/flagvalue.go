// Package flagvalue has the types of flags whose values have to have a form.
package flagvalue

import (
	"errors"
	"fmt"
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
