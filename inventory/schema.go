package inventory

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
)

// Schema is the JSON Schema of an inventory, for editors and for checks elsewhere. It takes whatever Parse takes. What only
// Parse can see (names that are not declared, or twice, what other files hold, how long a duration is) it takes too.
//
// It is draft-07, the newest that yaml-language-server and the other editors' YAML support have in full.
func Schema() []byte { return schemaText[inventoryShape]("certsync inventory") }

// TeamSchema is the JSON Schema of a team's file.
func TeamSchema() []byte { return schemaText[teamFileShape]("file of a team in a certsync inventory") }

// schema is as much of JSON Schema as is needed. There are libraries that make schemas of Go types, but this package, whose
// verdict is access, imports nothing beside its YAML; and what they would leave to be written here, the patterns and the
// two forms of a grant, is most of it.
type schema struct {
	Schema               string     `json:"$schema,omitempty"`
	Title                string     `json:"title,omitempty"`
	Description          string     `json:"description,omitempty"`
	Type                 string     `json:"type,omitempty"`
	Const                string     `json:"const,omitempty"`
	Enum                 []string   `json:"enum,omitempty"`
	Default              any        `json:"default,omitempty"` // text, or true
	MinLength            int        `json:"minLength,omitempty"`
	MaxLength            int        `json:"maxLength,omitempty"` // in characters, where the parser may count bytes
	Pattern              string     `json:"pattern,omitempty"`
	Items                *schema    `json:"items,omitempty"`
	UniqueItems          bool       `json:"uniqueItems,omitempty"`
	MinItems             int        `json:"minItems,omitempty"`
	MaxItems             int        `json:"maxItems,omitempty"`
	MinProperties        int        `json:"minProperties,omitempty"`
	MaxProperties        int        `json:"maxProperties,omitempty"`
	PropertyNames        *schema    `json:"propertyNames,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	AdditionalProperties any        `json:"additionalProperties,omitempty"` // a schema, or false
	Not                  *schema    `json:"not,omitempty"`
	AnyOf                []*schema  `json:"anyOf,omitempty"`
	OneOf                []*schema  `json:"oneOf,omitempty"`
}

// properties keep the order of the file, in which editors offer them.
type properties []property

type property struct {
	name   string
	schema *schema
}

// MarshalJSON writes them as an object.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, field := range p {
		text, err := compact(field.schema)
		if err != nil {
			return nil, err
		}
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(strconv.Quote(field.name) + ":")
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// compact is JSON for people to read: with <, > and & as they are.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func schemaText[T any](title string) []byte {
	s := schemaOf(reflect.TypeFor[T]())
	s.Schema, s.Title = "http://json-schema.org/draft-07/schema#", title
	text, err := compact(s)
	if err != nil {
		panic(err) // text, numbers and lists
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		panic(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// schemaOf is the schema of a shape. Schemas are written out where they are used: beside a $ref, draft-07 ignores the
// description that the field has there.
func schemaOf(t reflect.Type) *schema {
	switch t.Kind() {
	case reflect.String:
		s := reflect.Zero(t).Interface().(interface{ schema() schema }).schema()
		s.Type = "string"
		return &s
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Slice:
		// Users and groups are told apart by their names alone, which a schema cannot compare.
		short := t.Elem()
		if item, ok := reflect.Zero(short).Interface().(interface{ instead() reflect.Type }); ok {
			short = item.instead()
		}
		s := &schema{Type: "array", Items: schemaOf(t.Elem()), UniqueItems: short.Kind() == reflect.String}
		if list, ok := reflect.Zero(t).Interface().(interface{ filled() int }); ok {
			s.MinItems, s.MaxItems = 1, list.filled()
		}
		return orInstead(t, s)
	case reflect.Map:
		s := &schema{Type: "object", PropertyNames: schemaOf(t.Key()), AdditionalProperties: schemaOf(t.Elem())}
		if keys, ok := reflect.Zero(t).Interface().(interface{ filled() int }); ok {
			s.MinProperties, s.MaxProperties = 1, keys.filled()
		}
		return orInstead(t, s)
	}
	return orInstead(t, object(t))
}

// orInstead is the schema of a shape, or of what may stand in its place.
func orInstead(t reflect.Type, s *schema) *schema {
	if other, ok := reflect.Zero(t).Interface().(interface{ instead() reflect.Type }); ok {
		return &schema{AnyOf: []*schema{schemaOf(other.instead()), s}}
	}
	return s
}

// object is the schema of a mapping with the fields of a shape.
func object(t reflect.Type) *schema {
	s := &schema{Type: "object", AdditionalProperties: false}
	for _, f := range fieldsOf(t) {
		name, optional := key(f)
		field := schemaOf(f.Type)
		field.Description = f.Tag.Get("doc")
		if written, ok := f.Tag.Lookup("default"); ok && field.Type == "boolean" {
			field.Default = written == "true"
		} else if ok {
			field.Default = written
		}
		s.Properties = append(s.Properties, property{name, field})
		if !optional {
			s.Required = append(s.Required, name)
		}
	}
	shape := reflect.Zero(t).Interface()
	if excluding, ok := shape.(interface{ forbidden() []string }); ok {
		s.Not = &schema{Required: excluding.forbidden()}
	}
	if choice, ok := shape.(interface{ exactlyOne() []string }); ok {
		s.OneOf = eachRequired(choice.exactlyOne())
	}
	if choice, ok := shape.(interface{ atLeastOne() []string }); ok {
		s.AnyOf = eachRequired(choice.atLeastOne())
	}
	if free, ok := shape.(interface {
		others() (key, value reflect.Type)
	}); ok {
		name, value := free.others()
		s.PropertyNames, s.AdditionalProperties = schemaOf(name), schemaOf(value)
		s.PropertyNames.Not = &schema{Const: "matchLabels"}
		s.MinProperties, s.MaxProperties = 1, maxRequirements+1 // one of them is the list of expressions
	}
	return s
}

// eachRequired has a schema for each name, which asks for that one.
func eachRequired(names []string) []*schema {
	var all []*schema
	for _, name := range names {
		all = append(all, &schema{Required: []string{name}})
	}
	return all
}
