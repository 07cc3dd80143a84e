// Package export writes an inventory for the bindings that a cluster already has.
//
// Bindings is where to begin. It takes bindings of anybody and returns an inventory that grants the same, and what an
// inventory cannot say. JoinByLabel then writes equal roles in namespaces of the same label as one selector. Names that others chose are cut and quoted.
package export
