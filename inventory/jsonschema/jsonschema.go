// Package jsonschema makes the JSON Schemas of files from Go types that have their shape. A field's name, and whether it may be left out,
// stand in its json tag, its description in doc, and its default in default. Methods of a type say what a type cannot:
//
//   - Schema, of a text: what it may hold
//   - Instead, of a list or mapping: the shape that may stand in its place
//   - Filled, of a list or map: that it holds something, and the most that it holds
//   - Forbidden, ExactlyOne and AtLeastOne, of a mapping: fields that exclude each other, or of which it needs one
//   - Others, of a mapping: the keys and values beside its fields
package jsonschema

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Schema is as much of JSON Schema as is needed. There are libraries that make schemas of Go types, but inventory, whose verdict is
// access, imports nothing beside its YAML. The libraries would leave most of the work here: the patterns and the two forms of a grant.
type Schema struct {
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
	Items                *Schema    `json:"items,omitempty"`
	UniqueItems          bool       `json:"uniqueItems,omitempty"`
	MinItems             int        `json:"minItems,omitempty"`
	MaxItems             int        `json:"maxItems,omitempty"`
	MinProperties        int        `json:"minProperties,omitempty"`
	MaxProperties        int        `json:"maxProperties,omitempty"`
	PropertyNames        *Schema    `json:"propertyNames,omitempty"`
	Properties           properties `json:"properties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	AdditionalProperties any        `json:"additionalProperties,omitempty"` // a schema, or false
	Not                  *Schema    `json:"not,omitempty"`
	AnyOf                []*Schema  `json:"anyOf,omitempty"`
	OneOf                []*Schema  `json:"oneOf,omitempty"`
}

// properties keep the order of the file, in which editors offer them.
type properties []property

type property struct {
	name   string
	schema *Schema
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

// Text is the schema of a file with the shape T.
func Text[T any](title string) []byte {
	s := of(reflect.TypeFor[T]())
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

// of is the schema of a shape. Schemas are written out where they are used: beside a $ref, draft-07 ignores the
// description that the field has there.
func of(t reflect.Type) *Schema {
	switch t.Kind() {
	case reflect.String:
		s := reflect.Zero(t).Interface().(interface{ Schema() Schema }).Schema()
		s.Type = "string"
		return &s
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Slice:
		// Users and groups are told apart by their names alone, which a schema cannot compare.
		short := t.Elem()
		if item, ok := reflect.Zero(short).Interface().(interface{ Instead() reflect.Type }); ok {
			short = item.Instead()
		}
		s := &Schema{Type: "array", Items: of(t.Elem()), UniqueItems: short.Kind() == reflect.String}
		if list, ok := reflect.Zero(t).Interface().(interface{ Filled() int }); ok {
			s.MinItems, s.MaxItems = 1, list.Filled()
		}
		return orInstead(t, s)
	case reflect.Map:
		s := &Schema{Type: "object", PropertyNames: of(t.Key()), AdditionalProperties: of(t.Elem())}
		if keys, ok := reflect.Zero(t).Interface().(interface{ Filled() int }); ok {
			s.MinProperties, s.MaxProperties = 1, keys.Filled()
		}
		return orInstead(t, s)
	}
	return orInstead(t, object(t))
}

// orInstead is the schema of a shape, or of what may stand in its place.
func orInstead(t reflect.Type, s *Schema) *Schema {
	if other, ok := reflect.Zero(t).Interface().(interface{ Instead() reflect.Type }); ok {
		return &Schema{AnyOf: []*Schema{of(other.Instead()), s}}
	}
	return s
}

// object is the schema of a mapping with the fields of a shape.
func object(t reflect.Type) *Schema {
	s := &Schema{Type: "object", AdditionalProperties: false}
	for _, f := range Fields(t) {
		name, optional := Key(f)
		field := of(f.Type)
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
	if excluding, ok := shape.(interface{ Forbidden() []string }); ok {
		s.Not = &Schema{Required: excluding.Forbidden()}
	}
	if choice, ok := shape.(interface{ ExactlyOne() []string }); ok {
		s.OneOf = eachRequired(choice.ExactlyOne())
	}
	if choice, ok := shape.(interface{ AtLeastOne() []string }); ok {
		s.AnyOf = eachRequired(choice.AtLeastOne())
	}
	if free, ok := shape.(interface {
		Others() (key, value reflect.Type, except string, most int)
	}); ok {
		name, value, except, most := free.Others()
		s.PropertyNames, s.AdditionalProperties = of(name), of(value)
		s.PropertyNames.Not = &Schema{Const: except}
		s.MinProperties, s.MaxProperties = 1, most
	}
	return s
}

// eachRequired has a schema for each name, which asks for that one.
func eachRequired(names []string) []*Schema {
	var all []*Schema
	for _, name := range names {
		all = append(all, &Schema{Required: []string{name}})
	}
	return all
}

// Fields lists the fields of a shape, with those of the shapes that it embeds.
func Fields(shape reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(shape), func(f reflect.StructField) bool { return f.Anonymous })
}

// Key is what a field is called in a file, and whether it may be left out.
func Key(f reflect.StructField) (name string, optional bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, options == "omitempty"
}
