package inventory

import (
	"github.com/certsync/certsync/inventory/jsonschema"
	"github.com/certsync/certsync/inventory/shape"
)

// Schema is the JSON Schema of an inventory, for editors and for checks elsewhere. It takes whatever Parse takes. It
// also takes mistakes that only Parse can see: names that are not declared, or twice, what other files hold, how long a duration is.
//
// It is draft-07, the newest that yaml-language-server and the other editors' YAML support have in full.
func Schema() []byte { return jsonschema.Text[shape.Inventory]("certsync inventory") }

// TeamSchema is the JSON Schema of a team's file.
func TeamSchema() []byte {
	return jsonschema.Text[shape.TeamFile]("file of a team in a certsync inventory")
}
