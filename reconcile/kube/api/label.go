package api

import (
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Labels returns the labels of every object that certsync makes for an owner.
func Labels(owner string) map[string]string {
	return map[string]string{
		reconcile.ManagedByLabel: reconcile.ManagedByValue,
		reconcile.OwnerLabel:     owner,
	}
}

// maxText is the number of bytes that Shorten keeps.
const maxText = 253

// Shorten keeps the first 253 bytes of a text that others chose, such as the reason of a denial.
func Shorten(text string) string { return inventory.Shorten(text, maxText) }
