package inventory

import (
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

// Why says why somebody has access, for people alone: it decides nothing. It is in plans and reviews, and never in an object of the
// cluster or in Vault.
type Why struct {
	Reason string `json:"reason,omitempty"` // one line of printable text; empty: none is given
	Ticket string `json:"ticket,omitempty"` // the same
}

// Given returns why, or nil if there is neither a reason nor a ticket.
func (w Why) Given() *Why {
	if w == (Why{}) {
		return nil
	}
	return &w
}

// Or returns w, or else another one if w says nothing.
func (w Why) Or(other Why) Why {
	if w == (Why{}) {
		return other
	}
	return w
}

// parseWhy returns what the fields reason and ticket say.
func parseWhy(fields map[string]strict.Value) Why {
	var w Why
	if field, ok := fields["reason"]; ok {
		w.Reason = field.Checked(texts.WhyFault)
	}
	if field, ok := fields["ticket"]; ok {
		w.Ticket = field.Checked(texts.WhyFault)
	}
	return w
}
