package shape

import (
	"strings"

	"github.com/certsync/certsync/inventory/jsonschema"
	"github.com/certsync/certsync/inventory/selector"
	"github.com/certsync/certsync/inventory/texts"
	"github.com/certsync/certsync/inventory/userkey"
)

type schema = jsonschema.Schema

// The forms of single values. The patterns are the part of regular expressions that Go and JavaScript have in common,
// since editors run them as JavaScript: no look-ahead, no classes but \s and \S. Where a rule cannot be said in them, they take more
// than the parser does, and never less.
type (
	apiVersionText   string
	kindText         string
	teamKindText     string
	ownerText        string
	nameText         string
	roleText         string
	labelKeyText     string
	labelValueText   string
	valuesText       string // an operator that takes values
	existsText       string // an operator that takes none
	namespaceText    string
	expirationText   string
	renewBeforeText  string
	untilText        string
	whyText          string
	keyAlgorithmText string
	clusterText      string
	contextText      string
	clusterValueText string // a cluster's name, or the value of a label
	serverText       string
	proxyText        string
	tlsServerText    string
	fileText         string
	requestText      string
	teamFileText     string
	base64Text       string
)

func (apiVersionText) Schema() schema   { return schema{Const: APIVersion} }
func (kindText) Schema() schema         { return schema{Const: Kind} }
func (teamKindText) Schema() schema     { return schema{Const: TeamKind} }
func (keyAlgorithmText) Schema() schema { return schema{Enum: userkey.Algorithms} }

func (valuesText) Schema() schema { return schema{Enum: selector.WithValues} }
func (existsText) Schema() schema { return schema{Enum: selector.WithoutValues} }

func (ownerText) Schema() schema {
	return schema{Pattern: texts.OwnerForm.String(), MaxLength: texts.MaxOwner}
}

func (namespaceText) Schema() schema {
	return schema{Pattern: texts.NamespaceForm.String(), MaxLength: texts.MaxNamespace}
}

// A dot is followed by something else than a dot. Names that are reserved have a colon.
func (nameText) Schema() schema {
	return schema{Pattern: `^[A-Za-z0-9]([.]?[A-Za-z0-9_@+-])*$`, MaxLength: texts.MaxName, Not: &schema{Pattern: `[^A-Za-z0-9]$`}}
}

func (roleText) Schema() schema {
	return schema{Pattern: `^[^\s\x00-\x1f\x7f-\x9f/%#]+$`, MaxLength: texts.MaxRole, Not: &schema{Enum: []string{".", ".."}}}
}

func (labelKeyText) Schema() schema {
	return schema{Pattern: selector.KeyForm.String(), MaxLength: selector.MaxDomain + 1 + selector.MaxLabel}
}

func (labelValueText) Schema() schema {
	return schema{Pattern: selector.ValueForm.String(), MaxLength: selector.MaxLabel}
}

// durationForm is as time.ParseDuration takes it, but for those below zero.
const durationForm = `[+]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+`

func (expirationText) Schema() schema { return schema{Pattern: `^` + durationForm + `$`} }

func (renewBeforeText) Schema() schema {
	return schema{Pattern: `^(0*([1-9]|[1-8][0-9]|90)%|` + durationForm + `)$`}
}

// The last day of 1999 ends in 2000.
func (untilText) Schema() schema {
	const day = `(1999|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`
	const time = `T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})`
	return schema{Pattern: `^` + day + `(` + time + `)?$`}
}

func (whyText) Schema() schema {
	return schema{Pattern: `\S`, MaxLength: texts.MaxWhy, Not: &schema{Pattern: `[\x00-\x1f\x7f-\x9f]`}}
}

func (clusterText) Schema() schema {
	return schema{Pattern: texts.ClusterForm.String(), MaxLength: texts.MaxCluster}
}

// host is the part of a URL that names host and port: without user, and with a port if there is a colon.
const host = `[^\s/?#@:]([^\s/?#@]*[^\s/?#@:])?`

func (contextText) Schema() schema {
	return schema{Pattern: `\S`, MaxLength: texts.MaxCluster, Not: &schema{Pattern: `[\x00-\x1f\x7f-\x9f]`}}
}

func (clusterValueText) Schema() schema { return schema{MaxLength: texts.MaxCluster} }

func (serverText) Schema() schema {
	return schema{Pattern: `^[Hh][Tt][Tt][Pp][Ss]://` + host + `(/[^\s?#]*)?$`}
}

func (proxyText) Schema() schema {
	return schema{Pattern: `^([Hh][Tt][Tt][Pp][Ss]?|[Ss][Oo][Cc][Kk][Ss]5)://` + host + `(/|%2[Ff])*$`}
}

// A host name, or an address with whatever zone.
func (tlsServerText) Schema() schema {
	return schema{Pattern: `^(` + strings.Trim(texts.HostForm.String(), "^$") + `|[0-9A-Fa-f:.]+(%[\s\S]+)?)$`}
}

// notOutside are the paths that lead out of a folder without a detour.
const notOutside = `^(/|[.][.]$|[.][.]/)`

func (fileText) Schema() schema {
	return schema{MinLength: 1, Not: &schema{Pattern: notOutside + `|-----BEGIN`}}
}

func (requestText) Schema() schema { return fileText("").Schema() }

func (teamFileText) Schema() schema {
	return schema{Pattern: `[.]ya?ml$`, Not: &schema{Pattern: notOutside}}
}

func (base64Text) Schema() schema { return schema{Pattern: `^[A-Za-z0-9+/=\s]+$`} }
