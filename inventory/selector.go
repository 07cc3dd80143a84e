package inventory

import "github.com/certsync/certsync/inventory/selector"

// Selector asks for labels of namespaces, Expression is one of its matchExpressions, and Operator is what that asks of a label.
type (
	Selector   = selector.Selector
	Expression = selector.Expression
	Operator   = selector.Operator
)

// The operators of Kubernetes. A namespace without the label meets NotIn.
const (
	In           = selector.In
	NotIn        = selector.NotIn
	Exists       = selector.Exists
	DoesNotExist = selector.DoesNotExist
)

// ValidLabelKey says whether s is a legal key of a label.
func ValidLabelKey(s string) bool { return selector.ValidKey(s) }

// SelectorOf asks for one value of a label. A label whose key is a field of a selector is asked for by an expression.
func SelectorOf(key, value string) Selector { return selector.Of(key, value) }
